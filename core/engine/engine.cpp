#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <nexus/engine.hpp>
#include <optional>

#include "async/exception.hpp"
#include "backend/plugin_operation.hpp"
#include "engine/engine_core.hpp"
#include "engine/run.hpp"

namespace nexus {

const char* version() noexcept {
  return NEXUS_VERSION;
}

class engine::impl {
 public:
  explicit impl(engine_options options) {
    try {
      core_.emplace(std::move(options));
    } catch (...) {
      failure_ = status_of_current_exception();
    }
  }
  ~impl() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
  }

  // Not ok: the system lacks what an engine needs, such as a thread.
  status ready() {
    if (!failure_.ok()) return failure_;
    try {
      core_->start_thread();
    } catch (...) {
      return status_of_current_exception();
    }
    return {};
  }
  engine_core& core() { return *core_; }

  void start(operation& work, source from, sink to, run_options options,
             std::function<void(run_report)> done) {
    if (status usable = ready(); !usable.ok()) {
      run_report report;
      report.outcome = std::move(usable);
      return done(std::move(report));
    }
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    auto finished = [this, done = std::move(done)](run_report report) {
      done(std::move(report));
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) idle_.notify_all();
    };
    auto started = std::make_shared<nexus::run>(
        *core_, work, std::move(from), std::move(to), std::move(options),
        std::move(finished));
    // Nothing is lost by not waiting here: the destructor does.
    asio::co_spawn(core_->executor(), hold(std::move(started)), asio::detached);
  }

  // Runs a coroutine on the engine's thread and waits for it. Only if ready().
  template <class T>
  T wait_for(task<T> work) {
    return asio::co_spawn(core_->executor(), std::move(work), asio::use_future)
        .get();
  }

  task<void> load_everything() {
    (void)core_->profile_for(1);
    co_await core_->open_devices(true);
  }

  task<std::vector<plugin_description>> describe_plugins();
  plugin_description describe(const plugin_candidate& candidate);
  device_description describe(const probed_device& probed);

 private:
  static task<void> hold(std::shared_ptr<nexus::run> started) {
    co_await started->main();
  }

  status failure_;
  std::optional<engine_core> core_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
};

device_description engine::impl::describe(const probed_device& probed) {
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
  for (const char* job : {NEXUS_JOB_AGE_SEAL, NEXUS_JOB_AGE_OPEN,
                          NEXUS_JOB_ARMOR_ENCODE, NEXUS_JOB_ARMOR_DECODE}) {
    nexus_caps caps{};
    caps.size = sizeof caps;
    if (probed.plugin->backend.caps(probed.index, job, &caps) == NEXUS_OK)
      text.operations.emplace_back(job);
  }
  text.note = core_->reason_unused(probed);
  if (text.note.empty()) text.note = info.note;
  for (const auto& open : core_->devices)
    if (open->id() == text.id) text.lanes = open->lanes();
  return text;
}

plugin_description engine::impl::describe(const plugin_candidate& candidate) {
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
    text.operations.emplace_back(operation.name);
  for (const auto& probed :
       probe_devices(candidate.plugin, core_->loader.host()))
    text.devices.push_back(describe(probed));
  return text;
}

task<std::vector<plugin_description>> engine::impl::describe_plugins() {
  core_->listing = true;
  co_await load_everything();
  std::vector<plugin_description> all;
  for (const auto& candidate : core_->loader.candidates())
    all.push_back(describe(candidate));
  co_return all;
}

engine::engine(engine_options options)
    : impl_(std::make_shared<impl>(std::move(options))) {}

engine::~engine() = default;

run_report engine::run(operation& work, source from, sink to,
                       run_options options) {
  std::promise<run_report> promise;
  auto future = promise.get_future();
  start(
      work, std::move(from), std::move(to), std::move(options),
      [&promise](run_report report) { promise.set_value(std::move(report)); });
  return future.get();
}

void engine::start(operation& work, source from, sink to, run_options options,
                   std::function<void(run_report)> done) {
  impl_->start(work, std::move(from), std::move(to), std::move(options),
               std::move(done));
}

result<std::unique_ptr<operation>> engine::make_operation(
    const std::string& name,
    const std::vector<std::pair<std::string, std::string>>& options) {
  if (status usable = impl_->ready(); !usable.ok()) return usable;
  impl_->wait_for(impl_->load_everything());
  std::string known;
  for (const auto& candidate : impl_->core().loader.candidates()) {
    if (!candidate.plugin) continue;
    for (std::size_t i = 0; i < candidate.plugin->operations.size(); ++i) {
      const std::string has = candidate.plugin->operations[i].name;
      if (has == name)
        return make_plugin_operation(candidate.plugin, i, options);
      known += (known.empty() ? "" : ", ") + has;
    }
  }
  return status(status_code::unsupported,
                "no plugin brings an operation \"" + name + "\"",
                known.empty() ? "no plugin that was found brings any"
                              : "there is: " + known);
}

std::vector<plugin_description> engine::plugins() {
  if (!impl_->ready().ok()) return {};
  return impl_->wait_for(impl_->describe_plugins());
}

result<parallelism_profile> engine::profile(std::uint64_t segment_bytes) {
  if (status usable = impl_->ready(); !usable.ok()) return usable;
  profile_request request;
  request.segment_working_set_bytes = 2 * segment_bytes;
  request.memory_bytes = impl_->core().options.memory_bytes;
  request.memory_fraction = impl_->core().options.memory_fraction;
  request.max_inflight = impl_->core().options.max_inflight;
  request.max_threads = impl_->core().options.max_threads;
  return make_profile(impl_->core().machine(), request);
}

hardware engine::machine() const {
  return impl_->core().machine();
}

}  // namespace nexus
