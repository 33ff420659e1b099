#include "engine/engine_core.hpp"

#include <algorithm>
#include <chrono>

#include "async/exception.hpp"
#include "async/thread_setup.hpp"
#include "engine/isolated.hpp"
#include "engine/run.hpp"
#include "hwinfo/hardware.hpp"

namespace nexus {
namespace {

// The only plugin that every run loads. The others wait until an input is
// large enough, or something needs them.
constexpr const char* base_plugin = "cpu";
// A GPU's lanes are its slots: one copies while another computes.
constexpr std::uint32_t other_lanes = 2;

}  // namespace

double now_seconds() noexcept {
  const std::chrono::duration<double> since =
      std::chrono::steady_clock::now().time_since_epoch();
  return since.count();
}

engine_core::engine_core(engine_options given)
    : options(std::move(given)),
      loader(options.plugin_directories, options.log),
      scheduler(scheduler_options{options.policy, options.gpu_threshold_bytes}),
      beat(loop,
           [this] {
             for (run* active : runs_) active->tick();
           }),
      watch(loop, blocking, options.roots,
            [this](const auto& reading) { follow(reading); }),
      keep_running_(loop.get_executor()),
      lane_timer_(loop) {
  buffers.on_unmap([this](std::byte* memory) { imports.forget(memory); });
}

engine_core::~engine_core() {
  keep_running_.reset();
  loop.stop();
  if (thread_.joinable()) thread_.join();
  buffers.trim();   // releases what the devices made of it
  devices.clear();  // joins the plugins' threads
}

void engine_core::start_thread() {
  std::call_once(started_, [this] {
    blocking.reserve(1);
    prologues.reserve(1);
    thread_ = std::thread([this] {
      set_up_thread("nexus-engine");
      loop.run();
    });
  });
}

asio::any_io_executor engine_core::executor() {
  return loop.get_executor();
}

void engine_core::log(const std::string& line) const {
  if (options.log) options.log(line);
}

result<io_service*> engine_core::io() {
  if (!io_) {
    auto made = make_io_service(loop, options.io);
    if (!made.ok()) return made.error();
    io_ = std::move(*made);
    io_telemetry kind;
    io_->report(kind);
    log("file I/O by " + kind.engine +
        (kind.note.empty() ? "" : " (" + kind.note + ")"));
  }
  return io_.get();
}

bool engine_core::wants_all_devices(
    std::optional<std::uint64_t> input_bytes) const noexcept {
  return options.backend.empty() && input_bytes &&
         *input_bytes >= options.gpu_min_input_bytes;
}

// Runs fn on a helper thread, with the loader to itself.
template <class Fn>
task<void> engine_core::with_loader(Fn fn) {
  while (opening_) co_await opened_.wait();
  opening_ = true;
  auto call = [&fn]() -> status {
    return guarded([&fn] {
      fn();
      return status{};
    });
  };
  status outcome = co_await blocking.run(call);
  opening_ = false;
  opened_.notify_all();
  if (!outcome.ok()) open_problem_ = outcome.message();
}

task<void> engine_core::load_plugins() {
  auto load = [this] { loader.load_all(); };
  co_await with_loader(load);
}

task<void> engine_core::open_devices(bool all) {
  while (opening_) co_await opened_.wait();
  if (all ? all_opened_ : base_opened_) co_return;
  opening found;
  auto load = [this, all, &found] { found = load_and_open(all); };
  co_await with_loader(load);
  for (auto& opened : found.devices) add_device(std::move(opened));
  for (const auto& problem : found.problems) log(problem);
  unopened_ = found.problems;
  // What failed to open is tried again by the next run.
  if (!found.problems.empty()) open_problem_ = found.problems.front();
  (all ? all_opened_ : base_opened_) = found.problems.empty();
  lanes_changed.notify_all();
}

// On a helper thread.
engine_core::opening engine_core::load_and_open(bool all) {
  opening found;
  loader.set_requested(options.backend);
  if (all)
    loader.load_all();
  else
    loader.load(options.backend.empty() ? base_plugin : options.backend);
  if (!options.backend.empty() && loader.candidates().empty())
    loader.load_all();
  for (const auto& candidate : loader.candidates()) {
    if (!candidate.plugin) continue;
    const std::string& problem = probing_problem(*candidate.plugin);
    if (!problem.empty()) found.problems.push_back(problem);
    for (auto& probed : probe(candidate.plugin)) {
      if (std::find(open_ids_.begin(), open_ids_.end(), probed.id()) !=
              open_ids_.end() ||
          !reason_unused(probed).empty())
        continue;
      open_one(probed, found);
    }
  }
  return found;
}

// Why the plugin's devices had better not be looked for here; empty: nothing is
// known against it. Once an engine, under the loader's lock.
const std::string& engine_core::probing_problem(
    const loaded_plugin& plugin) const {
  static const std::string none;
  // Where no card can be, plugins ask no driver unless they are told to.
  const bool asks =
      asks_for_all_ || !options.backend.empty() || may_have_cards();
  const bool tries = options.isolation.mode != isolate_mode::none && asks &&
                     plugin.has_backend && plugin.name != base_plugin;
  if (!tries) return none;
  const auto [at, first] = probing_problems_.try_emplace(plugin.path);
  if (!first) return at->second;
  const status tried =
      try_probing(plugin, options, asks_for_all_ ? "*" : options.backend);
  if (!tried.ok())
    at->second =
        plugin.name + " cannot be asked for its devices: " + tried.message();
  return at->second;
}

std::vector<probed_device> engine_core::probe(
    const std::shared_ptr<const loaded_plugin>& plugin) const {
  if (!probing_problem(*plugin).empty()) return {};
  return probe_devices(plugin, loader.host());
}

void engine_core::open_one(const probed_device& probed, opening& found) {
  bool isolated = is_isolated(options.isolation, probed);
  std::string program;
  if (isolated) {
    auto path = worker_program(options.isolation);
    if (path.ok())
      program = *path;
    else if (options.isolation.required)
      return found.problems.push_back(path.error().message());
    else
      log(probed.id() + " is not isolated: " + path.error().message());
    isolated = path.ok();
  }
  const auto lanes = lanes_of(probed);
  std::size_t opened = 0;
  if (isolated) {
    auto made = open_isolated(probed, lanes, options, program);
    opened = made.devices.size();
    std::move(made.devices.begin(), made.devices.end(),
              std::back_inserter(found.devices));
    std::move(made.problems.begin(), made.problems.end(),
              std::back_inserter(found.problems));
  } else {
    auto made = device::open(probed, lanes, loader.host());
    if (made.ok()) {
      opened = 1;
      found.devices.push_back(std::move(*made));
    } else {
      found.problems.push_back(made.error().message());
    }
  }
  if (opened != 0) open_ids_.push_back(probed.id());
}

task<std::vector<plugin_description>> engine_core::describe_plugins() {
  (void)profile_for(1);
  std::vector<plugin_description> all;
  auto look = [this, &all] {
    loader.set_requested("*");
    loader.load_all();
    asks_for_all_ = true;
    for (const auto& candidate : loader.candidates())
      all.push_back(describe(candidate));
  };
  co_await with_loader(look);
  co_return all;
}

plugin_description engine_core::describe(
    const plugin_candidate& candidate) const {
  plugin_description text;
  text.path = candidate.path;
  text.reason = candidate.reason;
  text.loaded = candidate.plugin != nullptr;
  if (!text.loaded) return text;
  const auto& plugin = *candidate.plugin;
  text.name = plugin.name;
  text.version = plugin.version;
  text.abi_major = plugin.abi_major;
  text.abi_minor = plugin.abi_minor;
  for (const auto& operation : plugin.operations)
    if (candidate.brings(operation.name))
      text.operations.emplace_back(operation.name);
  for (const auto& [name, by] : candidate.hidden)
    text.note +=
        (text.note.empty() ? "" : "; ") +
        ("its operation \"" + name + "\" is hidden by that of plugin " + by);
  for (const auto& probed : probe(candidate.plugin))
    text.devices.push_back(describe(probed));
  if (const std::string& problem = probing_problem(plugin); !problem.empty())
    text.note += (text.note.empty() ? "" : "; ") + problem;
  return text;
}

device_description engine_core::describe(const probed_device& probed) const {
  const auto& info = probed.info;
  device_description text;
  text.id = probed.id();
  text.plugin = probed.plugin->name;
  text.name = info.name;
  text.gpu = info.kind == NEXUS_DEVICE_GPU;
  text.score = info.score;
  text.memory_bytes = info.memory_bytes;
  text.numa_node = info.numa_node;
  text.pci_id = info.pci_id;
  text.driver = info.driver;
  std::vector<std::string> jobs = {
      NEXUS_JOB_AGE_SEAL,     NEXUS_JOB_AGE_OPEN, NEXUS_JOB_ARMOR_ENCODE,
      NEXUS_JOB_ARMOR_DECODE, NEXUS_JOB_DIGEST,   NEXUS_JOB_PROVE,
      NEXUS_JOB_VERIFY};
  for (const auto& operation : probed.plugin->operations)
    jobs.emplace_back(operation.name);
  for (const auto& job : jobs) {
    nexus_caps caps{};
    caps.size = sizeof caps;
    if (probed.plugin->backend.caps(probed.index, job.c_str(), &caps) !=
        NEXUS_OK)
      continue;
    text.operations.push_back(job);
    if (job == NEXUS_JOB_AGE_SEAL)
      text.preferred_segment_bytes = caps.preferred_bytes;
  }
  text.note = reason_unused(probed);
  if (text.note.empty()) {
    text.note = info.note;
    text.lanes = static_cast<std::uint32_t>(lanes_of(probed).size());
  }
  return text;
}

std::string engine_core::reason_unused(const probed_device& probed) const {
  const auto& info = probed.info;
  if (info.score <= 0)
    return info.note[0] != '\0' ? info.note : "it cannot run here";
  if (!options.backend.empty())
    return options.backend == probed.plugin->name
               ? ""
               : "backend " + options.backend + " was asked for";
  if ((info.flags & NEXUS_DEVICE_ON_REQUEST) != 0)
    return "used only with --backend " + probed.plugin->name;
  if (info.pci_id[0] == '\0') return "";
  // One card that two plugins see counts once.
  for (const auto& candidate : loader.candidates()) {
    if (!candidate.plugin || candidate.plugin == probed.plugin) continue;
    for (const auto& twin : probe(candidate.plugin))
      if (stands_before(twin, probed)) return "the same card as " + twin.id();
  }
  return "";
}

std::vector<worker_binding> engine_core::lanes_of(
    const probed_device& probed) const {
  const bool cpu = probed.info.kind == NEXUS_DEVICE_CPU;
  std::uint32_t lanes = cpu ? profile_->cpu_workers : other_lanes;
  if (probed.info.max_lanes != 0)
    lanes = std::min(lanes, probed.info.max_lanes);
  if (!cpu) return std::vector<worker_binding>(lanes);
  return bind_workers(*machine_, lanes);
}

void engine_core::add_device(std::unique_ptr<device> opened) {
  const auto& info = opened->probed().info;
  if (opened->remote()) buffers.share();
  scheduler_device description;
  description.gpu = opened->gpu();
  description.lanes = opened->lanes();
  description.lane_depth = info.lane_depth;
  const std::uint32_t number = scheduler.add_device(description);
  device_telemetry counts;
  counts.id = opened->id();
  counts.plugin = opened->probed().plugin->name;
  counts.gpu = opened->gpu();
  counts.lanes = opened->lanes();
  device_counts.push_back(std::move(counts));
  devices.push_back(std::move(opened));
  for (const auto& operation : operations_) learn(number, operation);
  log_opened(number);
}

void engine_core::learn(std::uint32_t number, const std::string& operation) {
  nexus_caps caps{};
  if (devices[number]->caps(operation, caps) != NEXUS_OK) return;
  const auto id = scheduler.operation_id(operation);
  scheduler.set_support(number, id,
                        scheduler_support{caps.min_bytes, caps.max_bytes});
  // Where io_uring was asked for, it reads and writes everything.
  const bool lanes_may = options.io != io_mode::uring;
  if ((caps.flags & NEXUS_CAPS_FILLS) != 0 && lanes_may)
    fills_.emplace(number, id);
  if ((caps.flags & NEXUS_CAPS_DRAINS) != 0 && lanes_may)
    drains_.emplace(number, id);
  const bool wants = (caps.flags & NEXUS_CAPS_WANTS_IMPORT) != 0;
  if (devices[number]->remote() || (wants && devices[number]->imports()))
    wants_import_.emplace(number, id);
  if (devices[number]->gpu()) preferred_[{number, id}] = caps.preferred_bytes;
}

std::uint64_t engine_core::preferred_bytes(
    const std::vector<std::uint32_t>& operations) const {
  std::uint64_t most = 0;
  for (const auto& [who, wish] : preferred_) {
    const bool asked = std::find(operations.begin(), operations.end(),
                                 who.second) != operations.end();
    if (asked &&
        scheduler.state(who.first, now_seconds()) != device_state::dead)
      most = std::max(most, wish);
  }
  return most;
}

std::uint32_t engine_core::workers_for(
    const std::vector<std::uint32_t>& operations) const {
  std::uint32_t lanes = 0;
  for (std::uint32_t i = 0; i < devices.size(); ++i) {
    const bool able =
        std::any_of(operations.begin(), operations.end(),
                    [&](std::uint32_t id) { return scheduler.able(i, id); });
    if (!able) continue;
    if (!devices[i]->gpu()) return cpu_workers();
    lanes += devices[i]->lanes();
  }
  return lanes != 0 ? lanes : cpu_workers();
}

task<std::int32_t> engine_core::ask_health(std::uint32_t number,
                                           std::string& words) {
  const device& asked = *devices[number];
  auto ask = [&asked, &words] { return asked.health(words); };
  const std::int32_t code = co_await blocking.run(ask);
  if (code == NEXUS_OK) co_return code;
  const bool gone = code == NEXUS_E_LOST;
  auto& counts = device_counts[number];
  counts.last_error = words;
  const std::string text =
      counts.id + (gone ? " is gone: " : " is ill: ") + words;
  if (gone) open_problem_ = text;
  log(text);
  co_return code;
}

// To make memory known to a device takes milliseconds: on a helper thread.
task<nexus_buffer*> engine_core::import_of(std::uint32_t number,
                                           std::uint32_t operation,
                                           const buffer& memory) {
  if (!memory || !wants_import_.contains({number, operation}))
    co_return nullptr;
  device& by = *devices[number];
  bool fresh = false;
  nexus_buffer*& place = imports.place(memory.data(), by, fresh);
  if (!fresh) co_return place;
  if (by.remote()) {
    place = by.import_buffer(memory.data(), memory.capacity(), memory.fd());
    co_return place;
  }
  auto import = [&by, data = memory.data(), size = memory.capacity(),
                 fd = memory.fd()] { return by.import_buffer(data, size, fd); };
  place = co_await blocking.run(import);
  if (place == nullptr)
    log("[" + by.id() + "] did not import a buffer of " +
        std::to_string(memory.capacity()) + " bytes");
  co_return place;
}

double engine_core::patience_for(std::uint32_t number, std::uint32_t operation,
                                 std::uint64_t size) const {
  if (!devices[number]->remote()) return 0;
  constexpr double at_first = 60;       // seconds
  constexpr double slowest = 100e3;     // bytes a second
  constexpr double much_too_long = 20;  // times what it took so far
  const auto usual = scheduler.measured_seconds(number, operation, size);
  const double depth = devices[number]->probed().info.lane_depth;
  const double wait =
      usual ? much_too_long * depth * *usual
            : at_first + depth * static_cast<double>(size) / slowest;
  return std::max(options.isolation.hang_seconds, wait);
}

bool engine_core::one_kind() const {
  return std::all_of(devices.begin(), devices.end(), [this](const auto& each) {
    const probed_device& first = devices.front()->probed();
    return each->probed().plugin == first.plugin &&
           each->probed().index == first.index;
  });
}

void engine_core::learn_support(const std::string& operation) {
  if (std::find(operations_.begin(), operations_.end(), operation) !=
      operations_.end())
    return;
  operations_.push_back(operation);
  for (std::uint32_t i = 0; i < devices.size(); ++i) learn(i, operation);
}

const hardware& engine_core::machine() {
  const std::lock_guard lock(machine_mutex_);
  if (!machine_) machine_ = hwinfo::read_for_runs(options.roots);
  return *machine_;
}

hardware engine_core::whole_machine() {
  return hwinfo::completed(machine());
}

result<parallelism_profile> engine_core::profile_for(std::uint64_t working_set,
                                                     std::uint64_t worker) {
  profile_request request;
  request.worker_working_set_bytes = worker;
  request.segment_working_set_bytes = working_set;
  request.memory_fraction = options.memory_fraction;
  request.max_inflight = options.max_inflight;
  request.max_threads = options.max_threads;
  // machine() was read once: later the headroom would lack our own buffers.
  request.memory_bytes = options.memory_bytes;
  auto made = make_profile(machine(), request);
  if (made.ok() && !profile_ && worker == 0) {
    profile_ = *made;
    buffers.set_limit(made->budget_bytes);
  }
  return made;
}

std::uint64_t engine_core::budget_bytes() const noexcept {
  return profile_ ? profile_->budget_bytes : 0;
}

std::uint32_t engine_core::cpu_workers() const noexcept {
  return profile_ ? profile_->cpu_workers : 1;
}

std::uint32_t engine_core::window_for(std::uint64_t working_set) const {
  const std::uint64_t sharers = std::max<std::size_t>(runs_.size(), 1);
  const std::uint64_t fits = window_bytes() / sharers / working_set;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(fits, 1, options.max_inflight));
}

bool engine_core::try_reserve(std::uint64_t size, bool first) noexcept {
  if (reserved_ + size > window_bytes() && !first) return false;
  reserved_ += size;
  return true;
}

void engine_core::release(std::uint64_t size) {
  reserved_ -= size;
  budget_changed.notify_all();
}

std::uint64_t engine_core::window_bytes() const noexcept {
  return allowed_bytes() - std::min(allowed_bytes(), set_aside_);
}

void engine_core::give_back(std::uint64_t size) {
  set_aside_ -= size;
  budget_changed.notify_all();
}

void engine_core::add_run(run* added) {
  if (runs_.empty() && load_) allow(load_->resume(now_seconds()));
  runs_.push_back(added);
  for (run* active : runs_) active->adapt();
  beat.start();
  if (options.adapt) watch.start();
}

void engine_core::remove_run(run* removed) {
  std::erase(runs_, removed);
  // The shares of the others grow.
  for (run* active : runs_) active->adapt();
  budget_changed.notify_all();
  lanes_changed.notify_all();
  if (!runs_.empty()) return;
  beat.stop();
  watch.stop();
  lane_timer_.cancel();
  buffers.trim();
}

task<std::vector<telemetry>> engine_core::snapshot() const {
  std::vector<telemetry> now;
  for (const run* each : runs_) now.push_back(each->snapshot());
  co_return now;
}

void engine_core::arm_lane_timer() {
  const double now = now_seconds();
  const auto change = scheduler.next_change(now);
  if (!change) return;
  const std::chrono::duration<double> wait(std::max(*change - now, 0.001));
  lane_timer_.expires_after(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(wait));
  lane_timer_.async_wait([this](const boost::system::error_code& stopped) {
    if (!stopped) lanes_changed.notify_all();
  });
}

}  // namespace nexus
