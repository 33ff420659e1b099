#include "cl_age_lane.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace nexus::opencl {
namespace {

constexpr std::uint64_t key_bytes = 32;
constexpr std::uint64_t least_bytes = 4096;
constexpr std::uint64_t step_bytes = std::uint64_t{4} << 20;

// Small sizes by powers of two, large ones by steps: few growths, little waste.
std::uint64_t rounded_up(std::uint64_t bytes) {
  if (bytes <= least_bytes) return least_bytes;
  if (bytes <= step_bytes) return std::bit_ceil(bytes);
  return (bytes + step_bytes - 1) / step_bytes * step_bytes;
}

}  // namespace

std::int32_t cl_age_lane::create(const age_program& program,
                                 cl_device_id device,
                                 std::unique_ptr<cl_age_lane>& made) {
  std::unique_ptr<cl_age_lane> lane(new cl_age_lane(program));
  cl_int code = CL_SUCCESS;
  lane->queue_ = cl_queue_owner(
      clCreateCommandQueue(program.context.get(), device, 0, &code));
  if (!lane->queue_) return status_of(code);
  // A kernel holds its arguments, so that lanes cannot share one.
  lane->kernel_ = cl_kernel_owner(
      clCreateKernel(program.program.get(), "age_chunks", &code));
  if (!lane->kernel_) return status_of(code);
  code = lane->grow(lane->key_, key_bytes, CL_MEM_READ_ONLY);
  if (code != CL_SUCCESS) return status_of(code);
  made = std::move(lane);
  return NEXUS_OK;
}

cl_age_lane::~cl_age_lane() {
  if (!queue_) return;
  for (const buffer* each : {&key_, &input_, &output_, &tags_}) clear(*each);
  clFinish(queue_.get());
}

cl_int cl_age_lane::clear(const buffer& which) {
  if (!which.memory) return CL_SUCCESS;
  const cl_uint zero = 0;
  return clEnqueueFillBuffer(queue_.get(), which.memory.get(), &zero,
                             sizeof zero, 0, which.bytes, 0, nullptr, nullptr);
}

cl_int cl_age_lane::grow(buffer& which, std::uint64_t bytes, cl_mem_flags use) {
  if (which.bytes >= bytes && which.memory) return CL_SUCCESS;
  clear(which);
  clFinish(queue_.get());
  which = {};
  const std::uint64_t wanted = rounded_up(bytes);
  cl_int code = CL_SUCCESS;
  which.memory = cl_memory_owner(
      clCreateBuffer(program_.context.get(), use,
                     static_cast<std::size_t>(wanted), nullptr, &code));
  if (which.memory) which.bytes = wanted;
  return code;
}

std::int32_t cl_age_lane::begin(const std::uint8_t* key,
                                const std::uint8_t* input,
                                std::uint64_t input_bytes,
                                std::uint64_t output_bytes,
                                std::uint32_t tag_count) {
  cl_int code = grow(input_, input_bytes, CL_MEM_READ_ONLY);
  if (code == CL_SUCCESS) code = grow(output_, output_bytes, CL_MEM_READ_WRITE);
  if (code == CL_SUCCESS) {
    code = grow(tags_, std::uint64_t{tag_count} * common::age_tag,
                CL_MEM_READ_WRITE);
  }
  if (code == CL_SUCCESS) {
    code = clEnqueueWriteBuffer(queue_.get(), key_.memory.get(), CL_FALSE, 0,
                                key_bytes, key, 0, nullptr, nullptr);
  }
  if (code == CL_SUCCESS && input_bytes > 0) {
    code = clEnqueueWriteBuffer(queue_.get(), input_.memory.get(), CL_FALSE, 0,
                                static_cast<std::size_t>(input_bytes), input, 0,
                                nullptr, nullptr);
  }
  return status_of(code);
}

std::int32_t cl_age_lane::launch(const common::age_launch& what) {
  const cl_mem buffers[] = {input_.memory.get(), output_.memory.get(),
                            tags_.memory.get(), key_.memory.get()};
  const cl_ulong wide[] = {what.first_number, what.plain_bytes};
  const cl_uint narrow[] = {what.first_chunk, what.final_chunk,
                            what.seals ? 1u : 0u};
  cl_uint index = 0;
  cl_int code = CL_SUCCESS;
  const auto pass = [&](const auto& argument) {
    if (code == CL_SUCCESS) {
      code = clSetKernelArg(kernel_.get(), index, sizeof argument, &argument);
    }
    ++index;
  };
  for (const cl_mem& memory : buffers) pass(memory);
  for (const cl_ulong& number : wide) pass(number);
  for (const cl_uint& number : narrow) pass(number);
  const std::size_t group = program_.group_size;
  const std::size_t all = group * what.chunk_count;
  if (code == CL_SUCCESS) {
    code = clEnqueueNDRangeKernel(queue_.get(), kernel_.get(), 1, nullptr, &all,
                                  &group, 0, nullptr, nullptr);
  }
  return status_of(code);
}

std::int32_t cl_age_lane::read_tags(std::uint32_t first, std::uint32_t count,
                                    std::uint8_t* tags) {
  return status_of(clEnqueueReadBuffer(
      queue_.get(), tags_.memory.get(), CL_TRUE, first * common::age_tag,
      count * common::age_tag, tags, 0, nullptr, nullptr));
}

std::int32_t cl_age_lane::read_output(std::uint64_t bytes,
                                      std::uint8_t* output) {
  return status_of(clEnqueueReadBuffer(
      queue_.get(), output_.memory.get(), CL_TRUE, 0,
      static_cast<std::size_t>(bytes), output, 0, nullptr, nullptr));
}

std::int32_t cl_age_lane::end() {
  const cl_int cleared = clear(key_);
  const cl_int finished = clFinish(queue_.get());
  return status_of(cleared != CL_SUCCESS ? cleared : finished);
}

}  // namespace nexus::opencl
