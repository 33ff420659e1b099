// What an engine says of its devices: numbers, names of workers, log lines.
#include <string>
#include <utility>

#include "engine/engine_core.hpp"

namespace nexus {

std::vector<device_telemetry> engine_core::device_report() const {
  auto report = device_counts;
  const double now = now_seconds();
  for (std::uint32_t i = 0; i < report.size(); ++i) {
    report[i].state = scheduler.state(i, now);
    report[i].restarts = devices[i]->restarts();
    report[i].active_workers = scheduler.busy_lanes(i);
    report[i].queued_jobs = scheduler.queued(i) - report[i].active_workers;
  }
  return report;
}

std::string engine_core::worker_name(std::uint32_t number,
                                     std::uint32_t lane) const {
  const bool gpu = devices[number]->gpu();
  std::uint32_t before = 0;
  for (std::uint32_t i = 0; i < number; ++i)
    if (devices[i]->gpu() == gpu) before += gpu ? 1 : devices[i]->lanes();
  return gpu ? "GPU" + std::to_string(before)
             : "W" + std::to_string(before + lane);
}

void engine_core::note_state(std::uint32_t number) {
  auto& counts = device_counts[number];
  const device_state now = scheduler.state(number, now_seconds());
  const device_state before = std::exchange(counts.state, now);
  if (now == before) return;
  const std::string who = "[" + worker_name(number, 0) + "] " + counts.id;
  if (now == device_state::ready && before == device_state::quarantined)
    log(who + " is well again");
  if (now != device_state::quarantined) return;
  ++counts.quarantines;
  log(who + " is left alone for a while: " + counts.last_error);
}

void engine_core::log_opened(std::uint32_t number) const {
  const device& opened = *devices[number];
  const std::uint32_t lanes = opened.lanes();
  std::string workers = worker_name(number, 0);
  if (!opened.gpu() && lanes > 1)
    workers += " to " + worker_name(number, lanes - 1);
  log(workers + (opened.gpu() || lanes == 1 ? " is " : " are ") +
      std::to_string(lanes) + (lanes == 1 ? " lane of " : " lanes of ") +
      opened.id() + ", " + opened.probed().info.name);
}

}  // namespace nexus
