// The kernel that hashes leaves, as host code starts it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace nexus::cuda {

// Device memory, and what is to be done with it. Input that a leaf lacks counts
// as zero. The digest of leaf n of the job goes to digests + 8 * n, as
// Montgomery words.
struct digest_arguments {
  const std::uint8_t* input;  // 4-byte aligned
  std::uint64_t bytes;        // of the whole job
  std::uint32_t* digests;
  std::uint32_t first_leaf;  // of the job, where this launch begins
  std::uint32_t leaf_count;  // at least one
};

// Whether the device at hand has the kernel, which this loads.
cudaError_t find_digest_kernel();

// Queues the work.
cudaError_t start_leaves(const digest_arguments& arguments,
                         cudaStream_t stream);

}  // namespace nexus::cuda
