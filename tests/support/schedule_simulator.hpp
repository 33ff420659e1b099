// Drives the real scheduler in virtual time: devices that only compute how
// long a job takes, and an engine with a bounded window and ordered output.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/scheduler.hpp"

namespace nexus::test {

// Seconds and bytes throughout. A lane runs its jobs one after another.
struct virtual_device {
  scheduler_device spec;
  double overhead = 0;          // per job
  double bytes_per_second = 1;  // of one lane
  scheduler_support support;
  // From changes_at on, the rate is multiplied by change.
  double changes_at = std::numeric_limits<double>::infinity();
  double change = 1;
  // Does nothing at all from stalls_at on for stall seconds.
  double stalls_at = std::numeric_limits<double>::infinity();
  double stall = 0;
  // Jobs that run at dies_at or come later fail, until revives_at.
  double dies_at = std::numeric_limits<double>::infinity();
  double revives_at = std::numeric_limits<double>::infinity();
  job_end death = job_end::failed;
  // Durations vary by this part either way.
  double noise = 0;

  // When a job that begins at this time ends; dying not considered.
  [[nodiscard]] double end_of(std::uint64_t bytes, double begin) const;
};

struct workload {
  std::vector<std::uint64_t> segments;  // bytes of each
  std::uint32_t window = 16;
  bool length_known = true;    // the end of the stream is in sight
  bool window_known = true;    // the scheduler was told the window
  bool all_ask = true;         // all that wait ask in turn, not the first alone
  double arrival_seconds = 0;  // between segments; 0: as fast as they go
};

struct simulation {
  bool finished = false;
  std::string problem;  // why not, or which promise was broken
  double makespan = 0;
  std::uint64_t retries = 0;
  std::vector<std::uint64_t> jobs;  // that each device ended well
};

[[nodiscard]] workload equal_segments(std::size_t count, std::uint64_t bytes);

[[nodiscard]] simulation simulate(const scheduler_options& options,
                                  const std::vector<virtual_device>& devices,
                                  const workload& work);

// The makespan if each device gets this share of the bytes (any scale), spread
// evenly over the stream, in the same window. No device may die.
[[nodiscard]] double static_makespan(const std::vector<virtual_device>& devices,
                                     const workload& work,
                                     const std::vector<double>& shares);

// The least static_makespan() on a grid of shares, steps of 1/steps.
[[nodiscard]] double best_static_makespan(
    const std::vector<virtual_device>& devices, const workload& work,
    int steps = 50);

}  // namespace nexus::test
