// One lane of an OpenCL device: a queue, and buffers that grow as jobs need.
#pragma once

#include <cstdint>
#include <memory>

#include "age_program.hpp"
#include "cl_object.hpp"
#include "common/age_job.hpp"

namespace nexus::opencl {

class cl_age_lane final : public common::age_lane {
 public:
  // The program must outlive the lane. NEXUS_OK, or a NEXUS_E_*.
  static std::int32_t create(const age_program& program, cl_device_id device,
                             std::unique_ptr<cl_age_lane>& made);
  // Clears what the buffers hold.
  ~cl_age_lane() override;

  std::int32_t begin(const std::uint8_t* key, const std::uint8_t* input,
                     std::uint64_t input_bytes, std::uint64_t output_bytes,
                     std::uint32_t tag_count) override;
  std::int32_t launch(const common::age_launch& what) override;
  std::int32_t read_tags(std::uint32_t first, std::uint32_t count,
                         std::uint8_t* tags) override;
  std::int32_t read_output(std::uint64_t bytes, std::uint8_t* output) override;
  std::int32_t end() override;

 private:
  struct buffer {
    cl_memory_owner memory;
    std::uint64_t bytes = 0;
  };

  explicit cl_age_lane(const age_program& program) : program_(program) {}
  cl_int grow(buffer& which, std::uint64_t bytes, cl_mem_flags use);
  cl_int clear(const buffer& which);

  const age_program& program_;
  cl_queue_owner queue_;
  cl_kernel_owner kernel_;
  buffer key_, input_, output_, tags_;
};

}  // namespace nexus::opencl
