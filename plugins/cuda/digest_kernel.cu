// digest: a thread for a leaf of 15300 bytes.
#include "digest_kernel.hpp"
#include "kernels/poseidon2.h"

namespace nexus::cuda {
namespace {

// Small blocks: a segment of the default size is 256 leaves, which are to be
// spread over as many multiprocessors as they can.
constexpr unsigned threads = 32;
constexpr std::uint64_t row_bytes = 4 * NEXUS_ROW_WORDS;
constexpr std::uint64_t leaf_bytes = NEXUS_LEAF_ROWS * row_bytes;

// A row of 60 bytes. Whole ones are read by words; of the last one, what lies
// past the end counts as zero.
__device__ void load_row(nexus_u32 (&row)[NEXUS_ROW_WORDS],
                         const std::uint8_t* input, std::uint64_t at,
                         std::uint64_t bytes) {
  if (at + row_bytes <= bytes) {
    const auto* words = reinterpret_cast<const nexus_u32*>(input + at);
#pragma unroll
    for (int i = 0; i < NEXUS_ROW_WORDS; ++i) row[i] = __ldg(words + i);
    return;
  }
#pragma unroll
  for (int i = 0; i < NEXUS_ROW_WORDS; ++i) {
    nexus_u32 word = 0;
    for (int k = 0; k < 4; ++k) {
      const std::uint64_t from = at + 4 * i + k;
      if (from < bytes) word |= nexus_u32{input[from]} << (8 * k);
    }
    row[i] = word;
  }
}

__global__ void __launch_bounds__(threads) leaves(digest_arguments a) {
  const unsigned mine = blockIdx.x * threads + threadIdx.x;
  if (mine >= a.leaf_count) return;
  const std::uint64_t leaf = a.first_leaf + mine;
  nexus_u32 x[24], row[NEXUS_ROW_WORDS];
  nexus_leaf_begin(x);
  for (unsigned r = 0; r < NEXUS_LEAF_ROWS; ++r) {
    load_row(row, a.input, leaf * leaf_bytes + r * row_bytes, a.bytes);
    nexus_leaf_absorb(x, row);
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) a.digests[8 * leaf + i] = x[i];
}

}  // namespace

cudaError_t find_digest_kernel() {
  cudaFuncAttributes about{};
  return cudaFuncGetAttributes(&about, leaves);
}

cudaError_t start_leaves(const digest_arguments& arguments,
                         cudaStream_t stream) {
  const unsigned blocks = (arguments.leaf_count + threads - 1) / threads;
  digest_arguments copy = arguments;
  void* passed[] = {&copy};
  return cudaLaunchKernel(leaves, dim3(blocks), dim3(threads), passed, 0,
                          stream);
}

}  // namespace nexus::cuda
