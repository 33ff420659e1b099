// What a run may take of its engine's memory.
#include <algorithm>
#include <utility>

#include "engine/run_segment.hpp"

namespace nexus {

// Whether a job of each stage fits beside a segment.
status run::check_jobs() {
  limits_.resize(plan_.stages.size());
  for (const auto& stage : plan_.stages) {
    if (stage.worker_bytes == 0) continue;
    auto profile = core_.profile_for(layout_.working_set, stage.worker_bytes);
    if (!profile.ok()) return profile.error();
  }
  return {};
}

// What running jobs take beside their buffers is set aside from the budget for
// as long as the run lasts; the window shares the rest.
void run::adapt() {
  if (limits_.empty()) return;  // not as far as that
  core_.give_back(std::exchange(held_bytes_, 0));
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    const std::uint64_t each = plan_.stages[i].worker_bytes;
    if (each == 0) continue;
    limits_[i].most = core_.jobs_now(layout_.working_set, each);
    held_bytes_ += each * limits_[i].most;
  }
  core_.set_aside(held_bytes_);
  for (const auto id : operation_ids_)
    core_.scheduler.set_window(id, core_.window_for(layout_.working_set));
  slot_freed_.notify_all();
}

std::uint64_t run::job_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < limits_.size(); ++i)
    sum += limits_[i].running * plan_.stages[i].worker_bytes;
  return sum;
}

std::uint64_t run::most_job_bytes() const noexcept {
  std::uint64_t most = 0;
  for (const auto& stage : plan_.stages)
    most = std::max(most, stage.worker_bytes);
  return most;
}

std::uint64_t run::least_bytes() const noexcept {
  return layout_.working_set + most_job_bytes();
}

}  // namespace nexus
