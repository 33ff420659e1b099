// The CUDA devices as the runtime shows them, which honours
// CUDA_VISIBLE_DEVICES. No context is made for this.
#pragma once

#include <cuda_runtime_api.h>
#include <nexus/plugin.h>

#include <cstdint>
#include <vector>

namespace nexus::cuda {

// Jobs per lane, the running one included.
inline constexpr std::uint32_t lane_depth = 2;

// One entry per device, asked for once per process. If there is none, one
// entry says why.
const std::vector<nexus_device_info>& all_devices();

// What the engine is to do about a CUDA code: a NEXUS_E_*.
std::int32_t status_of(cudaError_t code) noexcept;

}  // namespace nexus::cuda
