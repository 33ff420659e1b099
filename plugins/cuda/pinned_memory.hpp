// Host memory that cards copy from and to by themselves.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace nexus::cuda {

// Memory is pinned once for all devices of a process, so that the first one
// that lets it go does not take it from the others. From any thread that has
// chosen a device. May throw bad_alloc.
cudaError_t pin(void* memory, std::uint64_t bytes);
void unpin(void* memory) noexcept;

}  // namespace nexus::cuda
