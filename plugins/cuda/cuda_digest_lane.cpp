#include "cuda_digest_lane.hpp"

#include "digest_kernel.hpp"
#include "enumeration.hpp"

namespace nexus::cuda {
namespace {

constexpr std::uint64_t digest_bytes = common::leaf_words * 4;

}  // namespace

// The longest segment has 4096 leaves: milliseconds.
std::uint32_t cuda_digest_lane::leaves_at_once() const {
  return 1u << 20;
}

std::int32_t cuda_digest_lane::begin(const common::job_memory& memory,
                                     std::uint32_t leaves) {
  bytes_ = memory.input_bytes;
  cudaError_t code = lane_.choose_device();
  if (code == cudaSuccess) {
    code = lane_.grow(lane_.output, leaves * digest_bytes);
  }
  if (code == cudaSuccess) code = lane_.take_input(memory);
  return status_of(code);
}

std::int32_t cuda_digest_lane::launch(std::uint32_t first,
                                      std::uint32_t count) {
  digest_arguments arguments{};
  arguments.input = lane_.input.memory;
  arguments.bytes = bytes_;
  arguments.digests = reinterpret_cast<std::uint32_t*>(lane_.output.memory);
  arguments.first_leaf = first;
  arguments.leaf_count = count;
  return status_of(start_leaves(arguments, lane_.stream()));
}

std::int32_t cuda_digest_lane::read_leaves(std::uint32_t count,
                                           std::uint32_t* to) {
  return status_of(lane_.read(lane_.output.memory, count * digest_bytes, to));
}

std::int32_t cuda_digest_lane::wait() {
  return status_of(lane_.finish());
}

}  // namespace nexus::cuda
