// Why a job in the queue does not run yet. Text of facts.
#pragma once

#include <string>
#include <vector>

#include "gpus.hpp"
#include "store.hpp"

namespace nexus::queue {

struct queue_facts {
  bool service_runs = true;
  bool paused = false;
  bool has_screen = true;
  gpu_snapshot snapshot;
  std::int64_t cpu_slots = 0;
  dependency_map unmet;
};

struct reason {
  std::string text;
  // Of this job, and not of all that have to wait for their turn.
  bool own = false;
};

[[nodiscard]] reason reason_of(const job& which, const queue_facts& facts);

// Why no GPU of this machine will ever do for the job; empty: some will.
[[nodiscard]] std::string never_fits(const job_request& asked,
                                     const gpu_snapshot& machine);

}  // namespace nexus::queue
