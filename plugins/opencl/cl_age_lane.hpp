// age-seal and age-open on a lane of an OpenCL device.
#pragma once

#include <cstdint>
#include <memory>

#include "cl_lane.hpp"
#include "common/age_job.hpp"
#include "program.hpp"

namespace nexus::opencl {

class cl_age_lane final : public common::age_lane {
 public:
  // Program and lane must outlive it. NEXUS_OK, or a NEXUS_E_*.
  static std::int32_t create(const age_program& program, cl_lane& lane,
                             std::unique_ptr<cl_age_lane>& made);

  std::int32_t begin(const std::uint8_t* key, const common::job_memory& memory,
                     std::uint32_t tag_count) override;
  std::int32_t launch(const common::age_launch& what) override;
  std::int32_t read_tags(std::uint32_t first, std::uint32_t count,
                         std::uint8_t* tags) override;
  std::int32_t read_output(std::uint64_t bytes, std::uint8_t* output) override;
  std::int32_t wait() override;
  std::int32_t end() override;

 private:
  cl_age_lane(const age_program& program, cl_lane& lane)
      : program_(program), lane_(lane) {}

  const age_program& program_;
  cl_lane& lane_;
  cl_kernel_owner kernel_;
  cl_lane::place input_, output_;  // of the job at work
};

}  // namespace nexus::opencl
