// The kernel that seals and opens chunks, as host code starts it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace nexus::cuda {

// Device memory, and what is to be done with it. Sealed chunks lie with their
// tags behind them; when opening, the computed tag of chunk n of the job goes
// to tags + 16 * n.
struct age_arguments {
  const std::uint8_t* input;   // 16-byte aligned
  std::uint8_t* output;        // 16-byte aligned
  std::uint8_t* tags;          // NULL when sealing
  const std::uint32_t* key;    // 8 words
  std::uint64_t first_number;  // in the stream, of chunk 0 of the job
  std::uint64_t plain_bytes;   // of the whole job
  std::uint32_t first_chunk;   // of the job, where this launch begins
  std::uint32_t final_chunk;   // the one with the final flag; none: UINT32_MAX
  bool seals;
};

// Whether the device at hand has the kernel, which this loads: translating it
// for a card newer than we know takes seconds.
cudaError_t find_age_kernel();

// Queues the work on chunk_count chunks, at least one.
cudaError_t start_age_chunks(const age_arguments& arguments,
                             std::uint32_t chunk_count, cudaStream_t stream);

}  // namespace nexus::cuda
