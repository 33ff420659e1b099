#include "cl_lane.hpp"

#include <new>

namespace nexus::opencl {
namespace {

// The place of the bytes in what was imported, if kernels can use it there.
bool find_place(const nexus_buffer* import, const std::uint8_t* bytes,
                std::uint64_t alignment, cl_lane::place& found) {
  if (import == nullptr) return false;
  const auto at = static_cast<cl_ulong>(bytes - import->base);
  const auto address = reinterpret_cast<std::uintptr_t>(bytes);
  if (at % alignment != 0 || address % alignment != 0) return false;
  found = {import->memory.get(), at};
  return true;
}

}  // namespace

std::int32_t cl_lane::create(cl_context context, cl_device_id device,
                             std::unique_ptr<cl_lane>& made) {
  std::unique_ptr<cl_lane> lane(new cl_lane(context));
  cl_int code = CL_SUCCESS;
  lane->queue_ =
      cl_queue_owner(clCreateCommandQueue(context, device, 0, &code));
  if (!lane->queue_) return status_of(code);
  made = std::move(lane);
  return NEXUS_OK;
}

cl_lane::~cl_lane() {
  if (!queue_) return;
  for (const buffer* each : {&key, &input, &output, &tags}) clear(*each);
  clFinish(queue_.get());
}

cl_int cl_lane::clear(const buffer& which) {
  if (!which.memory) return CL_SUCCESS;
  const cl_uint zero = 0;
  return clEnqueueFillBuffer(queue_.get(), which.memory.get(), &zero,
                             sizeof zero, 0, which.bytes, 0, nullptr, nullptr);
}

cl_int cl_lane::grow(buffer& which, std::uint64_t bytes, cl_mem_flags use) {
  if (which.bytes >= bytes && which.memory) return CL_SUCCESS;
  clear(which);
  clFinish(queue_.get());
  which = {};
  const std::uint64_t wanted = common::rounded_up(bytes);
  cl_int code = CL_SUCCESS;
  which.memory = cl_memory_owner(clCreateBuffer(
      context_, use, static_cast<std::size_t>(wanted), nullptr, &code));
  if (which.memory) which.bytes = wanted;
  return code;
}

cl_int cl_lane::write(const buffer& to, std::uint64_t bytes, const void* from) {
  if (bytes == 0) return CL_SUCCESS;
  return clEnqueueWriteBuffer(queue_.get(), to.memory.get(), CL_FALSE, 0,
                              static_cast<std::size_t>(bytes), from, 0, nullptr,
                              nullptr);
}

cl_int cl_lane::read(const buffer& from, std::uint64_t at, std::uint64_t bytes,
                     void* to) {
  return clEnqueueReadBuffer(
      queue_.get(), from.memory.get(), CL_FALSE, static_cast<std::size_t>(at),
      static_cast<std::size_t>(bytes), to, 0, nullptr, nullptr);
}

// The host has changed the memory behind an import. To map it as something
// that is all written, and unmap it, says so; on a device that works in the
// host's memory neither copies anything.
cl_int cl_lane::take_input(const common::job_memory& memory,
                           std::uint64_t alignment, place& found) {
  if (!find_place(memory.input_import, memory.input, alignment, found)) {
    const cl_int grown = grow(input, memory.input_bytes, CL_MEM_READ_ONLY);
    found = {input.memory.get(), 0};
    return grown == CL_SUCCESS ? write(input, memory.input_bytes, memory.input)
                               : grown;
  }
  if (memory.input_bytes == 0) return CL_SUCCESS;
  cl_int code = CL_SUCCESS;
  void* mapped = clEnqueueMapBuffer(
      queue_.get(), found.memory, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION,
      static_cast<std::size_t>(found.at),
      static_cast<std::size_t>(memory.input_bytes), 0, nullptr, nullptr, &code);
  return code == CL_SUCCESS
             ? clEnqueueUnmapMemObject(queue_.get(), found.memory, mapped, 0,
                                       nullptr, nullptr)
             : code;
}

cl_int cl_lane::take_output(const common::job_memory& memory,
                            std::uint64_t alignment, place& found) {
  if (find_place(memory.output_import, memory.output, alignment, found)) {
    return CL_SUCCESS;
  }
  const cl_int grown = grow(output, memory.output_bytes, CL_MEM_READ_WRITE);
  found = {output.memory.get(), 0};
  return grown;
}

cl_int cl_lane::give_output(const place& from, std::uint64_t bytes,
                            std::uint8_t* to) {
  if (from.memory == output.memory.get()) return read(output, 0, bytes, to);
  cl_int code = CL_SUCCESS;
  void* mapped = clEnqueueMapBuffer(
      queue_.get(), from.memory, CL_FALSE, CL_MAP_READ,
      static_cast<std::size_t>(from.at), static_cast<std::size_t>(bytes), 0,
      nullptr, nullptr, &code);
  return code == CL_SUCCESS
             ? clEnqueueUnmapMemObject(queue_.get(), from.memory, mapped, 0,
                                       nullptr, nullptr)
             : code;
}

cl_int cl_lane::finish() {
  return clFinish(queue_.get());
}

}  // namespace nexus::opencl
