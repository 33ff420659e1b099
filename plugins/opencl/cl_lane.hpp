// One lane of an OpenCL device: a queue, and buffers that grow as jobs need.
// The lanes of the operations are made of it.
#pragma once

#include <cstdint>
#include <memory>

#include "cl_object.hpp"
#include "common/job_memory.hpp"

// The engine's memory as a buffer of a context: import_buffer() makes it.
struct nexus_buffer {
  nexus::opencl::cl_memory_owner memory;
  const std::uint8_t* base = nullptr;
};

namespace nexus::opencl {

class cl_lane {
 public:
  struct buffer {
    cl_memory_owner memory;
    std::uint64_t bytes = 0;
  };
  // Where kernels find the bytes of a job.
  struct place {
    cl_mem memory = nullptr;
    cl_ulong at = 0;
  };

  // The context must outlive the lane. NEXUS_OK, or a NEXUS_E_*.
  static std::int32_t create(cl_context context, cl_device_id device,
                             std::unique_ptr<cl_lane>& made);
  // Clears what the buffers hold.
  ~cl_lane();
  cl_lane(const cl_lane&) = delete;
  cl_lane& operator=(const cl_lane&) = delete;

  [[nodiscard]] cl_command_queue queue() const { return queue_.get(); }

  // Queues. The input lies in its import where it is imported and begins at a
  // multiple of `alignment` bytes, else in a copy.
  cl_int take_input(const common::job_memory& memory, std::uint64_t alignment,
                    place& input);
  // Likewise; what is not imported gets a buffer of the lane's own.
  cl_int take_output(const common::job_memory& memory, std::uint64_t alignment,
                     place& output);
  // Queues: has the first bytes of the output stand in the host's memory.
  cl_int give_output(const place& output, std::uint64_t bytes,
                     std::uint8_t* to);

  // At least so many bytes; what was there before is cleared first.
  cl_int grow(buffer& which, std::uint64_t bytes, cl_mem_flags use);
  // Queues.
  cl_int clear(const buffer& which);
  cl_int write(const buffer& to, std::uint64_t bytes, const void* from);
  cl_int read(const buffer& from, std::uint64_t at, std::uint64_t bytes,
              void* to);
  // Waits for all that was queued.
  cl_int finish();

  // What jobs leave here is overwritten by the next one, and cleared in the
  // end.
  buffer key, input, output, tags;

 private:
  explicit cl_lane(cl_context context) : context_(context) {}

  const cl_context context_;
  cl_queue_owner queue_;
};

// Passes arguments in their order, and starts a kernel.
template <typename... Arguments>
cl_int launch(cl_lane& lane, cl_kernel kernel, std::size_t items,
              std::size_t group, const Arguments&... arguments) {
  cl_uint index = 0;
  cl_int code = CL_SUCCESS;
  const auto pass = [&](std::size_t size, const void* argument) {
    if (code == CL_SUCCESS) {
      code = clSetKernelArg(kernel, index++, size, argument);
    }
  };
  (pass(sizeof arguments, &arguments), ...);
  if (code != CL_SUCCESS) return code;
  const std::size_t all = (items + group - 1) / group * group;
  return clEnqueueNDRangeKernel(lane.queue(), kernel, 1, nullptr, &all, &group,
                                0, nullptr, nullptr);
}

}  // namespace nexus::opencl
