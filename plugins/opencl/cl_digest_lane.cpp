#include "cl_digest_lane.hpp"

namespace nexus::opencl {
namespace {

constexpr std::uint64_t alignment = 4;  // the kernel reads words
constexpr std::uint64_t digest_bytes = common::leaf_words * 4;
// Small groups: a segment of the default size is 256 leaves, which are to be
// spread over the device.
constexpr std::size_t group = 32;
constexpr std::uint32_t leaves_on_processor = 512;
constexpr std::uint32_t leaves_on_card = 1u << 20;

}  // namespace

std::uint32_t cl_digest_lane::leaves_at_once() const {
  return processor_ ? leaves_on_processor : leaves_on_card;
}

std::int32_t cl_digest_lane::begin(const common::job_memory& memory,
                                   std::uint32_t leaves) {
  cl_int code = CL_SUCCESS;
  if (!kernel_) {
    cl_program program = nullptr;
    const std::int32_t built = program_(program);
    if (built != NEXUS_OK) return built;
    kernel_ = cl_kernel_owner(clCreateKernel(program, "leaves", &code));
    if (!kernel_) return status_of(code);
  }
  bytes_ = memory.input_bytes;
  code = lane_.grow(lane_.output, leaves * digest_bytes, CL_MEM_READ_WRITE);
  if (code == CL_SUCCESS) code = lane_.take_input(memory, alignment, input_);
  return status_of(code);
}

std::int32_t cl_digest_lane::launch(std::uint32_t first, std::uint32_t count) {
  const cl_ulong bytes = bytes_;
  const cl_mem digests = lane_.output.memory.get();
  const cl_uint from = first, some = count;
  return status_of(opencl::launch(lane_, kernel_.get(), count, group,
                                  input_.memory, input_.at, bytes, digests,
                                  from, some));
}

std::int32_t cl_digest_lane::read_leaves(std::uint32_t count,
                                         std::uint32_t* to) {
  return status_of(lane_.read(lane_.output, 0, count * digest_bytes, to));
}

std::int32_t cl_digest_lane::wait() {
  return status_of(lane_.finish());
}

}  // namespace nexus::opencl
