// The GPUs as NVIDIA's management library tells of them. It is loaded at run
// time: no header or library of NVIDIA's is needed to build this.
#pragma once

#include <nexus/status.hpp>

#include "gpus.hpp"

namespace nexus::queue {

// unsupported: there is no such library here, or it cannot be used. A driver
// may hang in it for ever: only a process that may be killed calls this.
[[nodiscard]] result<gpu_snapshot> look_by_nvml();

}  // namespace nexus::queue
