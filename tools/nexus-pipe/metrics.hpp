// A run's telemetry in the text format of Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <nexus/telemetry.hpp>
#include <nexus/trace.hpp>
#include <optional>
#include <string>
#include <utility>

namespace nexus::tool {

// How long jobs took, from handing them out until they were done. (any thread)
class job_durations {
 public:
  static constexpr std::array<double, 10> bounds{
      0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1, 10, 60};  // seconds

  struct histogram {
    std::array<std::uint64_t, bounds.size() + 1> counts{};  // not cumulated
    double sum_seconds = 0;
  };
  using table = std::map<std::pair<std::string, bool>, histogram>;  // job, gpu

  void add(const segment_event& event);
  [[nodiscard]] table copy() const;

 private:
  mutable std::mutex mutex_;
  table jobs_;
};

// now: none before the run has begun. finished: it is over.
[[nodiscard]] std::string metrics_text(const std::optional<telemetry>& now,
                                       const job_durations::table& jobs,
                                       bool finished);

// Whether some device can take jobs, or none was opened yet.
[[nodiscard]] bool is_healthy(const std::optional<telemetry>& now) noexcept;

}  // namespace nexus::tool
