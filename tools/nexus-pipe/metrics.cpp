#include "metrics.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <nexus/engine.hpp>
#include <string_view>
#include <vector>

namespace nexus::tool {
namespace {

using label = std::pair<std::string_view, std::string_view>;
using labels = std::vector<label>;

std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c == '\n' ? ' ' : c;
  }
  return text;
}

// The shortest text that reads as the same number.
std::string number_text(double value) {
  std::array<char, 64> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}
std::string number_text(std::uint64_t value) {
  return std::to_string(value);
}

// One metric after the other; each with its help and type.
class page {
 public:
  void begin(std::string_view name, const char* type, const char* help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help);
    text_.append("\n# TYPE ").append(name).append(" ").append(type) += '\n';
  }
  template <class Number>
  void value(Number value, const labels& with = {}, const char* suffix = "") {
    text_.append(name_).append(suffix);
    const char* separator = "{";
    for (const auto& [key, text] : with) {
      text_.append(separator).append(key).append("=\"");
      text_.append(escaped(text)).append("\"");
      separator = ",";
    }
    if (!with.empty()) text_ += '}';
    text_.append(" ").append(number_text(value)) += '\n';
  }
  template <class Number>
  void one(std::string_view name, const char* type, const char* help,
           Number number) {
    begin(name, type, help);
    value(number);
  }
  std::string take() && { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

std::uint64_t u64(std::uint32_t number) noexcept {
  return number;
}

void add_stream(page& to, const telemetry& now) {
  to.one("nexus_elapsed_seconds", "gauge", "Since the run began.",
         now.elapsed_seconds);
  if (now.input_total_bytes) {
    to.one("nexus_input_size_bytes", "gauge", "Of the whole input.",
           *now.input_total_bytes);
  }
  to.one("nexus_input_bytes_total", "counter", "Read from the input.",
         now.input_bytes);
  to.one("nexus_output_bytes_total", "counter", "Taken by the output.",
         now.output_bytes);
  to.one("nexus_segments_total", "counter", "Segments written.", now.segments);
  to.one("nexus_retries_total", "counter", "Jobs handed out again.",
         now.retries);
  to.one("nexus_segment_bytes", "gauge", "Input bytes of a whole segment.",
         now.segment_bytes);
  to.begin("nexus_stall_seconds_total", "counter",
           "Time in which segments waited, summed over segments.");
  const stall_telemetry& stalls = now.stalls;
  const std::initializer_list<std::pair<const char*, double>> stages = {
      {"window", stalls.window},   {"read", stalls.read},
      {"device", stalls.device},   {"compute", stalls.compute},
      {"reorder", stalls.reorder}, {"write", stalls.write}};
  for (const auto& [stage, seconds] : stages) {
    to.value(seconds, {{"stage", stage}});
  }
  to.begin("nexus_io_requests_total", "counter",
           "Calls that moved bytes, by who made them.");
  const auto calls = [&to](const char* by, std::uint64_t reads,
                           std::uint64_t writes) {
    to.value(reads, {{"by", by}, {"direction", "read"}});
    to.value(writes, {{"by", by}, {"direction", "write"}});
  };
  const io_telemetry& io = now.io;
  calls("uring", io.uring_reads, io.uring_writes);
  calls("threads", io.thread_reads, io.thread_writes);
  calls("lanes", io.lane_reads, io.lane_writes);
  calls("callbacks", io.callback_reads, io.callback_writes);
}

void add_memory(page& to, const telemetry& now) {
  to.begin("nexus_window_segments", "gauge", "Segments in flight.");
  to.value(u64(now.window_used), {{"is", "used"}});
  to.value(u64(now.window), {{"is", "allowed"}});
  to.value(u64(now.window_peak), {{"is", "peak"}});
  to.one("nexus_memory_budget_bytes", "gauge",
         "Of memory that segments and workers may take.", now.budget_bytes);
  to.begin("nexus_buffer_bytes", "gauge", "Buffers of segments that exist.");
  to.value(now.buffer_bytes, {{"is", "now"}});
  to.value(now.buffer_peak_bytes, {{"is", "peak"}});
  to.begin("nexus_loop_stall_seconds", "gauge",
           "How late the engine's thread served a heartbeat.");
  to.value(now.loop_stall_p99_seconds, {{"is", "p99"}});
  to.value(now.loop_stall_max_seconds, {{"is", "max"}});
}

labels labels_of(const device_telemetry& device) {
  return {{"device", device.id},
          {"plugin", device.plugin},
          {"kind", device.gpu ? "gpu" : "cpu"}};
}

// One sample for each device.
template <class Get>
void each_device(page& to, const telemetry& now, std::string_view name,
                 const char* type, const char* help, Get get) {
  if (now.devices.empty()) return;
  to.begin(name, type, help);
  for (const device_telemetry& device : now.devices) {
    to.value(get(device), labels_of(device));
  }
}

void add_states(page& to, const telemetry& now) {
  using state = std::pair<const char*, device_state>;
  constexpr std::array states{state{"ready", device_state::ready},
                              state{"backing_off", device_state::backing_off},
                              state{"quarantined", device_state::quarantined},
                              state{"dead", device_state::dead}};
  if (now.devices.empty()) return;
  to.begin("nexus_device_state", "gauge", "1 for the state that it is in.");
  for (const device_telemetry& device : now.devices) {
    for (const auto& [name, value] : states) {
      labels with = labels_of(device);
      with.emplace_back("state", name);
      to.value(std::uint64_t{device.state == value}, with);
    }
  }
}

void add_devices(page& to, const telemetry& now) {
  using device = device_telemetry;
  each_device(to, now, "nexus_device_jobs_total", "counter",
              "Jobs that were done, well or not.",
              [](const device& d) { return d.jobs; });
  each_device(to, now, "nexus_device_failed_jobs_total", "counter",
              "Jobs that failed by the device's fault.",
              [](const device& d) { return d.failed_jobs; });
  each_device(to, now, "nexus_device_input_bytes_total", "counter",
              "Input of the jobs that were done.",
              [](const device& d) { return d.input_bytes; });
  each_device(to, now, "nexus_device_busy_seconds_total", "counter",
              "From handing out until done, summed over jobs.",
              [](const device& d) { return d.busy_seconds; });
  each_device(to, now, "nexus_device_lanes", "gauge",
              "Jobs that it can work on at once.",
              [](const device& d) { return u64(d.lanes); });
  each_device(to, now, "nexus_device_active_workers", "gauge",
              "Lanes that have a job.",
              [](const device& d) { return u64(d.active_workers); });
  each_device(to, now, "nexus_device_quarantines_total", "counter",
              "Times that it was left alone after failures.",
              [](const device& d) { return d.quarantines; });
  each_device(to, now, "nexus_device_restarts_total", "counter",
              "Restarts of its own process.",
              [](const device& d) { return d.restarts; });
  add_states(to, now);
}

void add_workers(page& to, const telemetry& now) {
  std::uint64_t active = 0;
  std::uint64_t restarts = 0;
  for (const device_telemetry& device : now.devices) {
    active += device.active_workers;
    restarts += device.restarts;
  }
  to.one("prover_active_workers", "gauge", "Workers that have a job.", active);
  to.one("prover_queued_tasks", "gauge", "Jobs that wait for a worker.",
         now.queued_jobs);
  to.one("prover_worker_restarts_total", "counter",
         "Restarts of worker processes.", restarts);
}

void add_jobs(page& to, const job_durations::table& jobs) {
  if (jobs.empty()) return;
  to.begin("nexus_job_duration_seconds", "histogram",
           "From handing a segment's job out until it was done.");
  for (const auto& [what, seen] : jobs) {
    const labels with{{"job", what.first},
                      {"kind", what.second ? "gpu" : "cpu"}};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < seen.counts.size(); ++i) {
      sum += seen.counts[i];
      const bool last = i == job_durations::bounds.size();
      const std::string bound =
          last ? "+Inf" : number_text(job_durations::bounds[i]);
      labels bucket = with;
      bucket.emplace_back("le", bound);
      to.value(sum, bucket, "_bucket");
    }
    to.value(seen.sum_seconds, with, "_sum");
    to.value(sum, with, "_count");
  }
}

}  // namespace

void job_durations::add(const segment_event& event) {
  if (event.step != segment_step::computed) return;
  const double took = event.end_seconds - event.begin_seconds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), took);
  const std::lock_guard lock(mutex_);
  histogram& seen = jobs_[{event.job, event.worker.starts_with("GPU")}];
  ++seen.counts[static_cast<std::size_t>(bucket - bounds.begin())];
  seen.sum_seconds += took;
}

job_durations::table job_durations::copy() const {
  const std::lock_guard lock(mutex_);
  return jobs_;
}

std::string metrics_text(const std::optional<telemetry>& now,
                         const job_durations::table& jobs, bool finished) {
  page to;
  to.begin("nexus_build_info", "gauge", "Always 1; which release this is.");
  to.value(std::uint64_t{1}, {{"version", version()}});
  const telemetry none;
  const telemetry& run = now ? *now : none;
  to.begin("nexus_run_info", "gauge", "Always 1; what is being done.");
  to.value(std::uint64_t{1}, {{"operation", run.operation}});
  to.one("nexus_run_finished", "gauge", "1 once the run is over.",
         std::uint64_t{finished});
  add_stream(to, run);
  add_memory(to, run);
  add_devices(to, run);
  add_workers(to, run);
  add_jobs(to, jobs);
  return std::move(to).take();
}

bool is_healthy(const std::optional<telemetry>& now) noexcept {
  if (!now || now->devices.empty()) return true;
  return std::any_of(now->devices.begin(), now->devices.end(),
                     [](const device_telemetry& device) {
                       return device.state == device_state::ready ||
                              device.state == device_state::backing_off;
                     });
}

}  // namespace nexus::tool
