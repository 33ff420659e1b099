// Which job goes where: a function of what is known, without effects.
#pragma once

#include <string>
#include <vector>

#include "gpus.hpp"
#include "store.hpp"

namespace nexus::queue {

struct placement {
  job which;
  std::vector<unit> units;
};

// The units that are free now: seen, not blocked, not taken.
[[nodiscard]] std::vector<unit> free_gpus(
    const gpu_snapshot& snapshot, const std::vector<std::string>& taken);
[[nodiscard]] std::vector<unit> free_slots(
    std::int64_t slots, const std::vector<std::string>& taken);

// How many GPUs of the machine will do for the job, free now or later.
[[nodiscard]] std::size_t suitable_gpus(const job_request& asked,
                                        const gpu_snapshot& machine);

// Of jobs in the order of the queue. A job that needs more GPUs than are free
// keeps those that are for itself, so that smaller ones cannot starve it;
// unless the machine will never have enough of them. Jobs without a GPU do not
// wait behind those with one, nor on GPUs that are too small for those ahead.
[[nodiscard]] std::vector<placement> place(const std::vector<job>& queue,
                                           std::vector<unit> gpus,
                                           std::vector<unit> slots,
                                           const gpu_snapshot& machine);

}  // namespace nexus::queue
