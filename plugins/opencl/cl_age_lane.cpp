#include "cl_age_lane.hpp"

#include <algorithm>
#include <new>

namespace nexus::opencl {
namespace {

constexpr std::uint64_t key_bytes = 32;
constexpr std::uint64_t alignment = 16;  // the kernel moves 16 bytes at a time

}  // namespace

std::int32_t cl_age_lane::create(const age_program& program, cl_lane& lane,
                                 std::unique_ptr<cl_age_lane>& made) {
  std::unique_ptr<cl_age_lane> mine(new cl_age_lane(program, lane));
  cl_int code = CL_SUCCESS;
  // A kernel holds its arguments, so that lanes cannot share one.
  mine->kernel_ = cl_kernel_owner(
      clCreateKernel(program.program.get(), "age_chunks", &code));
  if (!mine->kernel_) return status_of(code);
  code = lane.grow(lane.key, key_bytes, CL_MEM_READ_ONLY);
  if (code != CL_SUCCESS) return status_of(code);
  made = std::move(mine);
  return NEXUS_OK;
}

std::int32_t cl_age_lane::begin(const std::uint8_t* key,
                                const common::job_memory& memory,
                                std::uint32_t tag_count) {
  // All that may need memory comes first: a job that fails has queued nothing.
  cl_int code = lane_.take_output(memory, alignment, output_);
  if (code == CL_SUCCESS) {
    const std::uint64_t tag_bytes = std::uint64_t{tag_count} * common::age_tag;
    code = lane_.grow(lane_.tags, tag_bytes, CL_MEM_READ_WRITE);
  }
  if (code == CL_SUCCESS) code = lane_.take_input(memory, alignment, input_);
  if (code == CL_SUCCESS) code = lane_.write(lane_.key, key_bytes, key);
  return status_of(code);
}

std::int32_t cl_age_lane::launch(const common::age_launch& what) {
  const cl_mem tags = lane_.tags.memory.get(), key = lane_.key.memory.get();
  const cl_ulong first_number = what.first_number;
  const cl_ulong plain_bytes = what.plain_bytes;
  const cl_uint first_chunk = what.first_chunk;
  const cl_uint final_chunk = what.final_chunk;
  const cl_uint seals = what.seals ? 1 : 0;
  const std::size_t group = program_.group_size;
  return status_of(opencl::launch(
      lane_, kernel_.get(), group * what.chunk_count, group, input_.memory,
      input_.at, output_.memory, output_.at, tags, key, first_number,
      plain_bytes, first_chunk, final_chunk, seals));
}

std::int32_t cl_age_lane::read_tags(std::uint32_t first, std::uint32_t count,
                                    std::uint8_t* tags) {
  return status_of(lane_.read(lane_.tags, first * common::age_tag,
                              count * common::age_tag, tags));
}

std::int32_t cl_age_lane::read_output(std::uint64_t bytes,
                                      std::uint8_t* output) {
  return status_of(lane_.give_output(output_, bytes, output));
}

std::int32_t cl_age_lane::wait() {
  return status_of(lane_.finish());
}

std::int32_t cl_age_lane::end() {
  const cl_int cleared = lane_.clear(lane_.key);
  const cl_int finished = lane_.finish();
  return status_of(cleared != CL_SUCCESS ? cleared : finished);
}

}  // namespace nexus::opencl
