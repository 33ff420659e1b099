// What a run tells those who watch it: how it will be done, and what happens.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

#include "engine/run_segment.hpp"

namespace nexus {

void run::tell_setup() const {
  if (!options_.planned) return;
  run_setup setup;
  setup.operation = work_.name();
  std::uint64_t worker = 0;
  for (const auto& stage : plan_.stages)
    worker = std::max(worker, stage.worker_bytes);
  setup.workers = core_.workers_for(operation_ids_);
  const auto profile = core_.profile_for(layout_.working_set, worker);
  const bool cards_alone =
      std::all_of(core_.devices.begin(), core_.devices.end(),
                  [](const auto& each) { return each->gpu(); });
  if (cards_alone) {
    setup.workers_reason = "as many as the cards have lanes";
  } else if (profile.ok()) {
    setup.workers = std::min(setup.workers, profile->cpu_workers);
    for (const auto& [number, reason] : profile->reasons)
      if (number == "cpu_workers") setup.workers_reason = reason;
  }
  setup.segment_bytes = layout_.segment_bytes;
  setup.window = core_.window_for(layout_.working_set);
  setup.budget_bytes = core_.budget_bytes();
  const hardware& machine = core_.machine();
  setup.processors = machine.logical_processors;
  setup.memory_total_bytes = machine.memory_total_bytes;
  setup.memory_available_bytes = machine.memory_available_bytes;
  options_.planned(setup);
}

void run::tell(segment_event event) const {
  tell(std::move(event), now_seconds());
}

// Both times are on the steady clock still.
void run::tell(segment_event event, double end) const {
  event.end_seconds = end - started_;
  event.begin_seconds -= started_;
  event.window_used = slots_;
  event.buffer_bytes = core_.buffers.bytes();
  options_.trace(event);
}

void run::tell_read(const segment& mine, double begin) const {
  if (!options_.trace) return;
  segment_event event;
  event.segment = mine.index;
  event.begin_seconds = begin;
  event.bytes = mine.data.size();
  tell(std::move(event));
}

void run::tell_job(segment_step step, const segment& mine, std::uint32_t stage,
                   const placement& where, double begin) const {
  if (!options_.trace) return;
  segment_event event;
  event.step = step;
  event.segment = mine.index;
  event.begin_seconds = begin;
  event.bytes = mine.data.size();
  event.job = plan_.stages[stage].job;
  event.worker = core_.worker_name(where.device, where.lane);
  event.lane = where.lane;
  event.ok = step == segment_step::submitted || mine.result.status == NEXUS_OK;
  tell(std::move(event));
}

// Has the device tell of the steps of the segment's job.
void run::watch_steps(segment& mine, std::uint32_t stage,
                      const placement& where, nexus_job& job) {
  if (!options_.trace) return;
  mine.working = {};
  mine.working.step = segment_step::working;
  mine.working.segment = mine.index;
  mine.working.bytes = mine.data.size();
  mine.working.job = plan_.stages[stage].job;
  mine.working.worker = core_.worker_name(where.device, where.lane);
  mine.working.lane = where.lane;
  job.step = &run::on_step;
  job.step_context = &mine;
}

// On a thread of the device's. What is posted here is told ahead of the job's
// end, which is posted later. A step that there is no memory for goes untold.
void run::on_step(void* context, std::uint32_t step, std::uint32_t steps,
                  const char* name) {
  const auto& mine = *static_cast<const segment*>(context);
  try {
    segment_event event = mine.working;
    event.begin_seconds = now_seconds();
    event.job_step = step;
    event.job_steps = steps;
    event.job_step_name = name != nullptr ? name : "";
    auto tell_it = [weak = mine.owner.weak_from_this(),
                    told = std::move(event)]() mutable {
      const auto alive = weak.lock();
      if (!alive || !alive->options_.trace) return;
      // It takes no time: what ends it is the next one.
      const double begin = told.begin_seconds;
      alive->tell(std::move(told), begin);
    };
    asio::post(mine.owner.core_.executor(), std::move(tell_it));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace nexus
