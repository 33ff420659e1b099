#include "bench/session.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <set>
#include <utility>

#include "bench/data.hpp"
#include "bench/disk.hpp"
#include "bench/memory.hpp"
#include "bench/runs.hpp"
#include "files.hpp"
#include "progress.hpp"

namespace nexus::tool::bench {
namespace {

constexpr std::uint64_t mib = 1u << 20;

// What differs between a quick measurement and a whole one.
struct extent {
  std::uint32_t repeats;
  double run_seconds;
  double memory_seconds;  // of one sample of one kind
  std::uint64_t most_data;
  std::uint64_t least_buffer;
  std::uint64_t disk_bytes;
  std::uint32_t disk_repeats;
  double disk_seconds;
};
constexpr extent whole_extent{5,        0.25,      0.05, 1024 * mib,
                              64 * mib, 256 * mib, 3,    5};
constexpr extent quick_extent{3,        0.04,     0.02, 128 * mib,
                              32 * mib, 32 * mib, 2,    1};

std::uint64_t rounded_up(std::uint64_t bytes) {
  return (bytes + mib - 1) / mib * mib;
}

std::uint64_t headroom_of(const hardware& machine) {
  std::uint64_t room = machine.memory_available_bytes;
  for (const memory_limit& limit : machine.memory_limits) {
    room = std::min(room, limit.limit_bytes -
                              std::min(limit.used_bytes, limit.limit_bytes));
  }
  return room;
}

std::string now_as_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text;
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

std::string kernel_of_machine() {
  utsname facts{};
  if (::uname(&facts) != 0) return "unknown";
  return std::string(facts.sysname) + " " + facts.release + " " + facts.machine;
}

std::string temporary_directory() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

bool is_usable(const device_description& device) {
  return device.score != 0 && device.lanes != 0;
}

class session {
 public:
  session(const bench_arguments& arguments, const std::stop_token& stop,
          const progress_report& report)
      : arguments_(arguments),
        stop_(stop),
        report_(report),
        extent_(arguments.quick ? quick_extent : whole_extent) {}

  result<results> run() {
    const auto begin = std::chrono::steady_clock::now();
    status done = describe_machine();
    if (done.ok()) done = find_backends();
    if (done.ok()) done = plan();
    if (done.ok()) done = take_memory();
    if (done.ok()) done = sample_memory();
    if (done.ok()) done = sample_disk();
    if (done.ok()) done = run_all();
    while (done.ok() && to_.memory.front().copy.values().size() < 3) {
      done = sample_memory();
    }
    if (!done.ok()) return done;
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - begin;
    to_.elapsed_seconds = took.count();
    return std::move(to_);
  }

 private:
  status describe_machine();
  status find_backends();
  void add_backend(const plugin_description& plugin, std::uint32_t workers);
  status plan();
  void plan_op(bench_op op);
  status take_memory();
  status sample_memory();
  status sample_disk();
  status run_all();
  void step(std::string now) { report_(done_++, steps_, std::move(now)); }

  const bench_arguments& arguments_;
  const std::stop_token& stop_;
  const progress_report& report_;
  const extent& extent_;
  results to_;
  std::uint64_t headroom_ = 0;
  std::uint64_t most_data_ = 0;
  std::vector<shape> shapes_;
  std::optional<memory_meter> memory_;
  std::optional<test_data> data_;
  std::size_t done_ = 0;
  std::size_t steps_ = 0;
};

status session::describe_machine() {
  to_.version = version();
  to_.date = now_as_text();
  to_.command = arguments_.words;
  to_.kernel = kernel_of_machine();
  to_.machine = read_hardware();
  to_.quick = arguments_.quick;
  to_.repeats = arguments_.repeats.value_or(extent_.repeats);
  std::array<double, 1> load{};
  if (::getloadavg(load.data(), 1) == 1) to_.load_before = load[0];
  headroom_ = headroom_of(to_.machine);
  return {};
}

status session::find_backends() {
  engine probe(arguments_.engine);
  const std::vector<plugin_description> plugins = probe.plugins();
  const result<parallelism_profile> profile = probe.profile();
  if (!profile) return profile.error();
  for (const plugin_description& plugin : plugins) {
    if (plugin.loaded) add_backend(plugin, profile->cpu_workers);
  }
  if (!to_.backends.empty()) return {};
  const std::string& name = arguments_.engine.backend;
  return {status_code::no_device,
          name.empty() ? "no plugin has a usable device"
                       : "backend " + name + " has no usable device",
          "`nexus-pipe plugins --why` tells what was found"};
}

void session::add_backend(const plugin_description& plugin,
                          std::uint32_t workers) {
  for (const device_description& device : plugin.devices) {
    if (device.plugin == "cpu") to_.processor = device.name;
  }
  const std::string& asked = arguments_.engine.backend;
  if (!asked.empty() && plugin.name != asked) return;
  backend made;
  made.name = plugin.name;
  std::uint32_t lanes = 0;
  for (const device_description& device : plugin.devices) {
    if (!is_usable(device)) continue;
    made.gpu = made.gpu || device.gpu;
    lanes += device.lanes;
    made.devices.push_back(device);
  }
  if (made.devices.empty()) return;
  made.workers = made.gpu ? lanes : std::min(lanes, workers);
  to_.backends.push_back(std::move(made));
}

// What the runs need is known before the first one: memory for it is taken
// once, and is refused before anything was measured.
status session::plan() {
  const std::uint64_t buffer = std::max(
      extent_.least_buffer, (arguments_.quick ? 2 : 4) * to_.machine.l3_bytes);
  to_.memory_bytes = rounded_up(std::min(buffer, headroom_ / 8));
  most_data_ = rounded_up(
      arguments_.size.value_or(std::min(extent_.most_data, headroom_ / 8)));
  // The data, what is made of it, and the two buffers.
  const std::uint64_t needed = 2 * (most_data_ + to_.memory_bytes);
  if (needed > headroom_) {
    return {status_code::out_of_memory,
            "runs of " + format_bytes(most_data_) + " need " +
                format_bytes(needed) + " of memory, and " +
                format_bytes(headroom_) + " are free",
            "give --size less"};
  }
  for (const bench_op op : arguments_.ops) plan_op(op);
  if (shapes_.empty()) {
    return {status_code::no_device,
            "no backend here can run what was asked for",
            "`nexus-pipe devices` lists what each can"};
  }
  std::set<std::uint32_t> threads;
  for (const shape& how : shapes_) {
    threads.insert(how.on->gpu ? to_.machine.allowed_processors : how.workers);
  }
  for (const std::uint32_t count : threads) {
    to_.memory.push_back({std::max(count, 1u), {}, {}});
  }
  return {};
}

void session::plan_op(bench_op op) {
  for (const backend& on : to_.backends) {
    const bool able = std::any_of(
        on.devices.begin(), on.devices.end(), [op](const auto& device) {
          const auto& known = device.operations;
          return std::find(known.begin(), known.end(), job_of(op)) !=
                 known.end();
        });
    if (!able) {
      to_.notes.push_back(std::string(name_of(op)) + " was not measured on " +
                          on.name + ", which does not offer it");
      continue;
    }
    const auto more = shapes_of(op, on, arguments_.quick, most_data_);
    shapes_.insert(shapes_.end(), more.begin(), more.end());
    ++steps_;  // the latency
  }
  ++steps_;  // the memory after it
}

status session::take_memory() {
  steps_ += shapes_.size() + 2;
  step("memory");
  result<memory_meter> meter = memory_meter::create(to_.memory_bytes);
  if (!meter) return meter.error();
  memory_.emplace(*std::move(meter));
  result<test_data> data =
      test_data::create(most_data_, arguments_.engine, stop_);
  if (!data) return data.error();
  data_.emplace(*std::move(data));
  return {};
}

status session::sample_memory() {
  for (memory_point& point : to_.memory) {
    const status done = memory_->sample(point, extent_.memory_seconds, stop_);
    if (!done.ok()) return done;
  }
  return {};
}

status session::sample_disk() {
  step("disk");
  disk_request request;
  request.directory = arguments_.directory.value_or(temporary_directory());
  request.bytes = std::min(extent_.disk_bytes, 4 * most_data_);
  request.repeats = std::min(to_.repeats, extent_.disk_repeats);
  request.most_seconds = extent_.disk_seconds;
  const auto data = data_->plain(std::min(most_data_, 16 * mib));
  result<disk_result> measured = measure_disk(request, data, stop_);
  if (!measured) return measured.error();
  to_.disk = *std::move(measured);
  if (to_.disk.failure.empty()) return {};
  if (arguments_.directory) return {status_code::io_error, to_.disk.failure};
  to_.notes.push_back("the disk was not measured: " + to_.disk.failure);
  return {};
}

status session::run_all() {
  run_plan plan;
  plan.engine = arguments_.engine;
  plan.repeats = to_.repeats;
  plan.seconds = extent_.run_seconds;
  if (arguments_.quick) plan.verified_bytes = mib;
  plan.size = arguments_.size;
  run_meter meter(std::move(plan), *data_, stop_);
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    const shape& how = shapes_[i];
    const std::string what =
        std::string(name_of(how.op)) + " on " + how.on->name;
    if (i == 0 || shapes_[i - 1].on != how.on || shapes_[i - 1].op != how.op) {
      step(what + ", first byte");
      result<latency_point> point =
          meter.latency(usual_shape(how.op, *how.on, arguments_.quick));
      if (!point) return point.error();
      to_.latencies.push_back(*std::move(point));
    }
    step(what + ", " + std::to_string(how.workers) + " workers, segments of " +
         format_segment(how.segment_bytes));
    result<run_point> point = meter.measure(how);
    if (!point) return point.error();
    to_.runs.push_back(*std::move(point));
    if (i + 1 < shapes_.size() && shapes_[i + 1].op == how.op) continue;
    step("memory");
    if (status done = sample_memory(); !done.ok()) return done;
  }
  return {};
}

}  // namespace

result<results> measure(const bench_arguments& arguments,
                        const std::stop_token& stop,
                        const progress_report& report) {
  return session(arguments, stop, report).run();
}

}  // namespace nexus::tool::bench
