// age-seal and age-open: one block for a chunk, its threads are lanes that
// share the chunk's groups of 64 bytes.
#include "age_kernel.hpp"
#include "kernels/age_chunk.h"
#include "kernels/chacha20.h"
#include "kernels/poly1305.h"

namespace nexus::cuda {
namespace {

constexpr unsigned levels = 8;
constexpr unsigned lanes = 1u << levels;  // each takes 4 of 1024 groups

// What the lanes of a chunk share.
struct chunk_state {
  nexus_u32 r[5];
  nexus_u32 powers[levels + 1][5];  // r^4, r^8, ..., r^(4 * lanes)
  nexus_u32 pad[4];
  nexus_u32 sums[lanes][5];
};

__device__ void copy_limbs(nexus_u32* to, const nexus_u32* from) {
  for (int i = 0; i < 5; ++i) to[i] = from[i];
}

// The one-time key of the chunk and what follows from it.
__device__ void prepare(chunk_state& state, const nexus_u32 (&key)[8],
                        const nexus_u32 (&nonce)[3]) {
  nexus_u32 block[16], r[5];
  nexus_chacha20_block(block, key, nonce, 0);
  nexus_poly1305_clamp(r, block);
  copy_limbs(state.r, r);
  for (int i = 0; i < 4; ++i) state.pad[i] = block[4 + i];
  nexus_poly1305_multiply(r, r);
  nexus_poly1305_multiply(r, r);
  for (unsigned k = 0; k <= levels; ++k) {
    copy_limbs(state.powers[k], r);
    nexus_poly1305_multiply(r, r);
  }
}

// Takes 64 whole bytes from `in` to `out` and appends them to the sum.
__device__ void take_group(const uint4* in, uint4* out, bool seals,
                           const nexus_u32 (&stream)[16], nexus_u32 (&sum)[5],
                           const nexus_u32 (&r)[5],
                           const nexus_u32 (&skip)[5]) {
  nexus_u32 sealed[16];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const uint4 from = in[i];
    const uint4 to =
        make_uint4(from.x ^ stream[4 * i], from.y ^ stream[4 * i + 1],
                   from.z ^ stream[4 * i + 2], from.w ^ stream[4 * i + 3]);
    out[i] = to;
    sealed[4 * i] = seals ? to.x : from.x;
    sealed[4 * i + 1] = seals ? to.y : from.y;
    sealed[4 * i + 2] = seals ? to.z : from.z;
    sealed[4 * i + 3] = seals ? to.w : from.w;
  }
  nexus_poly1305_append_64(sum, r, skip, sealed);
}

// Takes what is left, fewer than 64 bytes; missing ones count as zero.
__device__ void take_rest(const std::uint8_t* in, std::uint8_t* out,
                          unsigned bytes, bool seals,
                          const nexus_u32 (&stream)[16], nexus_u32 (&sum)[5],
                          const nexus_u32 (&r)[5]) {
  nexus_u32 sealed[16] = {};
  for (unsigned i = 0; i < bytes; ++i) {
    const unsigned shift = 8 * (i & 3);
    const nexus_u32 from = in[i];
    const nexus_u32 to = (from ^ (stream[i >> 2] >> shift)) & 0xffu;
    out[i] = static_cast<std::uint8_t>(to);
    sealed[i >> 2] |= (seals ? to : from) << shift;
  }
  for (unsigned i = 0; 16 * i < bytes; ++i) {
    nexus_poly1305_append(sum, r, sealed[4 * i], sealed[4 * i + 1],
                          sealed[4 * i + 2], sealed[4 * i + 3]);
  }
}

// Joins the sums of all lanes into that of lane 0.
__device__ void join_sums(chunk_state& state, unsigned lane) {
  for (unsigned k = 0; k < levels; ++k) {
    const unsigned step = 1u << k;
    __syncthreads();
    if ((lane & (2 * step - 1)) == 0) {
      nexus_u32 left[5], right[5], power[5];
      copy_limbs(left, state.sums[lane]);
      copy_limbs(right, state.sums[lane + step]);
      copy_limbs(power, state.powers[k]);
      nexus_poly1305_multiply(left, power);
      nexus_poly1305_add(left, right);
      copy_limbs(state.sums[lane], left);
    }
  }
  __syncthreads();
}

// Shared memory may be read by whoever comes next.
__device__ void clear_state(chunk_state& state, unsigned lane) {
  volatile auto* words = reinterpret_cast<volatile nexus_u32*>(&state);
  __syncthreads();
  for (unsigned i = lane; i < sizeof state / sizeof *words; i += lanes) {
    words[i] = 0;
  }
}

// Lane 0: what is left of the text, the lengths, and the tag.
__device__ void finish(const chunk_state& state, const nexus_u32 (&key)[8],
                       const nexus_u32 (&nonce)[3], const nexus_u32 (&r)[5],
                       const std::uint8_t* in, std::uint8_t* out,
                       std::uint8_t* tag_at, unsigned bytes, bool seals) {
  const unsigned groups = bytes / 64, rest = bytes % 64;
  nexus_u32 sum[5], stream[16], tag[4];
  copy_limbs(sum, state.sums[0]);
  if (rest != 0) {
    nexus_chacha20_block(stream, key, nonce, NEXUS_AGE_FIRST_BLOCK + groups);
    take_rest(in + 64 * groups, out + 64 * groups, rest, seals, stream, sum, r);
  }
  // No associated data, then the text's length, 64 bits each.
  nexus_poly1305_append(sum, r, 0, 0, bytes, 0);
  nexus_poly1305_finish(tag, sum, r, state.pad);
  for (unsigned i = 0; i < 16; ++i) {
    tag_at[i] = static_cast<std::uint8_t>(tag[i >> 2] >> (8 * (i & 3)));
  }
}

__global__ void __launch_bounds__(lanes) age_chunks(age_arguments a) {
  __shared__ chunk_state state;
  const unsigned lane = threadIdx.x;
  const std::uint32_t chunk = a.first_chunk + blockIdx.x;
  const std::uint64_t plain_at = std::uint64_t{chunk} * NEXUS_AGE_CHUNK_BYTES;
  const std::uint64_t sealed_at = std::uint64_t{chunk} * NEXUS_AGE_SEALED_BYTES;
  const std::uint64_t left = a.plain_bytes - plain_at;
  const unsigned bytes = left < NEXUS_AGE_CHUNK_BYTES
                             ? static_cast<unsigned>(left)
                             : NEXUS_AGE_CHUNK_BYTES;
  const std::uint8_t* in = a.input + (a.seals ? plain_at : sealed_at);
  std::uint8_t* out = a.output + (a.seals ? sealed_at : plain_at);
  nexus_u32 key[8], nonce[3], r[5], skip[5], sum[5] = {};

#pragma unroll
  for (int i = 0; i < 8; ++i) key[i] = a.key[i];
  nexus_age_nonce(nonce, a.first_number + chunk, chunk == a.final_chunk);
  if (lane == 0) prepare(state, key, nonce);
  __syncthreads();
  copy_limbs(r, state.r);
  copy_limbs(skip, state.powers[levels]);

  // The groups are moved to the end of the last turn, so that the lanes that
  // have nothing to do are the first ones, where zero counts for nothing.
  const unsigned groups = bytes / 64;
  const unsigned turns = (groups + lanes - 1) / lanes;
  const unsigned idle = turns * lanes - groups;
  for (unsigned turn = 0; turn < turns; ++turn) {
    const unsigned at = turn * lanes + lane;
    if (at < idle) continue;
    const unsigned group = at - idle;
    nexus_u32 stream[16];
    nexus_chacha20_block(stream, key, nonce, NEXUS_AGE_FIRST_BLOCK + group);
    take_group(reinterpret_cast<const uint4*>(in) + 4 * group,
               reinterpret_cast<uint4*>(out) + 4 * group, a.seals, stream, sum,
               r, skip);
  }
  copy_limbs(state.sums[lane], sum);
  join_sums(state, lane);
  if (lane == 0) {
    std::uint8_t* tag_at =
        a.seals ? out + bytes : a.tags + 16 * std::uint64_t{chunk};
    finish(state, key, nonce, r, in, out, tag_at, bytes, a.seals);
  }
  clear_state(state, lane);
}

}  // namespace

cudaError_t find_age_kernel() {
  cudaFuncAttributes about{};
  const cudaError_t code = cudaFuncGetAttributes(&about, age_chunks);
  if (code != cudaSuccess) return code;
  return about.maxThreadsPerBlock < static_cast<int>(lanes)
             ? cudaErrorLaunchOutOfResources
             : cudaSuccess;
}

cudaError_t start_age_chunks(const age_arguments& arguments,
                             std::uint32_t chunk_count, cudaStream_t stream) {
  age_arguments copy = arguments;
  void* passed[] = {&copy};
  return cudaLaunchKernel(age_chunks, dim3(chunk_count), dim3(lanes), passed, 0,
                          stream);
}

}  // namespace nexus::cuda
