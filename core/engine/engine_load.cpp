// How an engine follows the load of its machine; load_control decides.
#include <algorithm>
#include <boost/asio/post.hpp>

#include "engine/engine_core.hpp"
#include "engine/run.hpp"
#include "hwinfo/size.hpp"

namespace nexus {
namespace {

// Unmapped in one go: a fraction of a millisecond.
constexpr std::uint64_t unmapped_at_once = 8u << 20;

// The least that any limit leaves, as the profile counts it.
std::uint64_t headroom_of(const hardware& machine) {
  std::uint64_t least = UINT64_MAX;
  if (machine.memory_available_bytes != 0)
    least = machine.memory_available_bytes;
  for (const auto& m : machine.memory_limits)
    least =
        std::min(least, m.limit_bytes - std::min(m.limit_bytes, m.used_bytes));
  return least;
}

}  // namespace

std::uint64_t engine_core::allowed_bytes() const noexcept {
  return load_ ? load_->allowed().budget_bytes : budget_bytes();
}

void engine_core::follow(const hwinfo::pressure_reading& reading) {
  if (!profile_) return;
  if (!load_)
    load_.emplace(load_start{profile_->budget_bytes, profile_->cpu_workers,
                             options.max_threads, headroom_of(machine())});
  ++load_counts.readings;
  load_use use{buffers.bytes(), 0, 0};
  for (const run* active : runs_) {
    use.memory_bytes += active->job_bytes();
    use.least_bytes += active->least_bytes();
    use.job_bytes = std::max(use.job_bytes, active->most_job_bytes());
  }
  allow(load_->update(reading, use, now_seconds()));
}

void engine_core::allow(const load_allowance& allowed) {
  // Devices may have come since.
  for (std::uint32_t i = 0; i < devices.size(); ++i)
    if (!devices[i]->gpu()) scheduler.set_open_lanes(i, allowed.workers);
  if (!allowed.shrunk && !allowed.grown) return;
  ++(allowed.shrunk ? load_counts.shrinks : load_counts.growths);
  load_counts.least_budget_bytes =
      std::min(load_report().least_budget_bytes, allowed.budget_bytes);
  log(std::string(allowed.shrunk ? "shrinking" : "growing") + " to " +
      hwinfo::size_text(allowed.budget_bytes) + " of memory and " +
      std::to_string(allowed.workers) +
      (allowed.workers == 1 ? " worker: " : " workers: ") + allowed.reason);
  for (run* active : runs_) active->adapt();
  buffers.set_limit(allowed_bytes());
  give_back_buffers();
  budget_changed.notify_all();
  lanes_changed.notify_all();
}

void engine_core::give_back_buffers() {
  if (buffers.trim_to_limit(unmapped_at_once)) return;
  asio::post(loop, [this] { give_back_buffers(); });
}

std::uint32_t engine_core::jobs_now(std::uint64_t working_set,
                                    std::uint64_t worker) {
  profile_request request;
  request.worker_working_set_bytes = worker;
  request.segment_working_set_bytes = working_set;
  request.memory_bytes =
      allowed_bytes() / std::max<std::size_t>(runs_.size(), 1);
  request.max_inflight = options.max_inflight;
  request.max_threads = options.max_threads;
  const auto made = make_profile(machine(), request);
  return made.ok() ? made->cpu_workers : 1;
}

// A run that came later finds jobs of the others at work that had more then.
bool engine_core::has_room_for_job(std::uint64_t worker) const noexcept {
  std::uint64_t taken = 0;
  for (const run* each : runs_) taken += each->job_bytes();
  return taken == 0 || taken + worker <= allowed_bytes();
}

load_telemetry engine_core::load_report() const {
  load_telemetry report = load_counts;
  report.budget_bytes = allowed_bytes();
  report.workers = load_ ? load_->allowed().workers : cpu_workers();
  if (report.least_budget_bytes == 0)
    report.least_budget_bytes = report.budget_bytes;
  if (load_) report.reason = load_->allowed().reason;
  return report;
}

}  // namespace nexus
