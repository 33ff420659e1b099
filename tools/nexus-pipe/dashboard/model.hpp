// What a dashboard shows, gathered from a run's telemetry, events and log. Pure
// bookkeeping: no clock, no thread, no terminal.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <nexus/telemetry.hpp>
#include <nexus/trace.hpp>
#include <optional>
#include <string>
#include <vector>

#include "log.hpp"
#include "progress.hpp"

namespace nexus::tool {

// Processor time since some moment, in seconds, summed over processors.
struct cpu_reading {
  double machine_busy = 0;
  double machine_total = 0;
  double process = 0;
};

// A job that a worker has now.
struct job_view {
  std::uint64_t segment = 0;
  std::string job;
  std::uint32_t step = 0;  // 0: it tells of none
  std::uint32_t steps = 0;
  std::string step_name;
};

// A lane of a CPU, or a card.
struct worker_view {
  std::string name;    // "W0", "GPU1"
  std::string device;  // "cpu:0"
  device_state state = device_state::ready;
  std::vector<job_view> jobs_now;  // the oldest first
  std::uint64_t jobs = 0;          // done, well or not
  std::uint64_t failures = 0;
  std::uint64_t restarts = 0;  // of the device's process
  std::uint64_t bytes = 0;     // of the input of jobs that were done well
  rate_estimator rate;
};

class dashboard_model {
 public:
  static constexpr double seconds_per_sample = 0.5;
  static constexpr std::size_t most_samples = 1200;
  static constexpr std::size_t most_events = 200;

  void add(const telemetry& now, const cpu_reading& cpu);
  void add(const segment_event& event);
  void add(const log_line& line);

  [[nodiscard]] const telemetry& now() const noexcept { return now_; }
  [[nodiscard]] const std::vector<worker_view>& workers() const noexcept {
    return workers_;
  }
  [[nodiscard]] const std::deque<log_line>& events() const noexcept {
    return events_;
  }
  // Bytes a second, one for each seconds_per_sample, the latest last.
  [[nodiscard]] const std::deque<double>& read_rates() const noexcept {
    return read_.rates;
  }
  [[nodiscard]] const std::deque<double>& write_rates() const noexcept {
    return written_.rates;
  }
  // Smoothed, as --progress tells it.
  [[nodiscard]] std::optional<double> read_rate() const noexcept {
    return read_.now.bytes_per_second();
  }
  [[nodiscard]] std::optional<double> write_rate() const noexcept {
    return written_.now.bytes_per_second();
  }
  // In processors; nothing before there were two readings.
  [[nodiscard]] std::optional<double> machine_part() const noexcept {
    return machine_part_;  // 0 to 1 instead: of all of them
  }
  [[nodiscard]] std::optional<double> process_cpus() const noexcept {
    return process_cpus_;
  }

 private:
  struct throughput {
    rate_estimator now;
    std::deque<double> rates;
    std::uint64_t bytes = 0;  // when the last sample was taken
  };
  void sample(double seconds);
  void measure_cpu(double seconds, const cpu_reading& cpu);
  void match_workers();
  worker_view& worker(const std::string& name);

  telemetry now_;
  throughput read_, written_;
  double sampled_at_ = 0;
  std::optional<cpu_reading> cpu_before_;
  double cpu_at_ = 0;
  std::optional<double> machine_part_, process_cpus_;
  std::vector<worker_view> workers_;  // CPUs first, each kind by number
  std::deque<log_line> events_;
};

}  // namespace nexus::tool
