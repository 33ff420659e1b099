// One look at the GPUs of this machine, whoever tells of them.
#pragma once

#include <stop_token>

#include "gpus.hpp"

namespace nexus::queue {

// Asks, by the configuration, NVML in a process of its own, or nvidia-smi;
// waits for an answer for 10 s at most.
[[nodiscard]] gpu_snapshot look_at_gpus(const config& rules,
                                        const std::stop_token& stop = {});

// What that process does: prints a packed snapshot. Returns its exit status.
int print_nvml_snapshot();

}  // namespace nexus::queue
