#include "cuda_age_lane.hpp"

#include "age_kernel.hpp"
#include "enumeration.hpp"

namespace nexus::cuda {
namespace {

constexpr std::uint64_t key_bytes = 32;

}  // namespace

std::int32_t cuda_age_lane::begin(const std::uint8_t* key,
                                  const common::job_memory& memory,
                                  std::uint32_t tag_count) {
  // All that may need memory comes first: a job that fails has queued nothing.
  cudaError_t code = lane_.choose_device();
  if (code == cudaSuccess) code = lane_.grow(lane_.key, key_bytes);
  if (code == cudaSuccess) code = lane_.grow(lane_.output, memory.output_bytes);
  if (code == cudaSuccess) {
    code = lane_.grow(lane_.tags, std::uint64_t{tag_count} * common::age_tag);
  }
  if (code == cudaSuccess) code = lane_.take_input(memory);
  if (code == cudaSuccess) {
    code = cudaMemcpyAsync(lane_.key.memory, key, key_bytes,
                           cudaMemcpyHostToDevice, lane_.stream());
  }
  return status_of(code);
}

std::int32_t cuda_age_lane::launch(const common::age_launch& what) {
  age_arguments arguments{};
  arguments.input = lane_.input.memory;
  arguments.output = lane_.output.memory;
  arguments.tags = lane_.tags.memory;
  arguments.key = reinterpret_cast<const std::uint32_t*>(lane_.key.memory);
  arguments.first_number = what.first_number;
  arguments.plain_bytes = what.plain_bytes;
  arguments.first_chunk = what.first_chunk;
  arguments.final_chunk = what.final_chunk;
  arguments.seals = what.seals;
  return status_of(
      start_age_chunks(arguments, what.chunk_count, lane_.stream()));
}

std::int32_t cuda_age_lane::read_tags(std::uint32_t first, std::uint32_t count,
                                      std::uint8_t* tags) {
  return status_of(lane_.read(lane_.tags.memory + first * common::age_tag,
                              count * common::age_tag, tags));
}

std::int32_t cuda_age_lane::read_output(std::uint64_t bytes,
                                        std::uint8_t* output) {
  return status_of(lane_.read(lane_.output.memory, bytes, output));
}

std::int32_t cuda_age_lane::wait() {
  return status_of(lane_.finish());
}

std::int32_t cuda_age_lane::end() {
  const cudaError_t cleared =
      lane_.key.memory != nullptr ? lane_.clear(lane_.key) : cudaSuccess;
  const cudaError_t waited = lane_.finish();
  return status_of(cleared != cudaSuccess ? cleared : waited);
}

}  // namespace nexus::cuda
