// digest on a lane of an OpenCL device.
#pragma once

#include <cstdint>
#include <functional>

#include "cl_lane.hpp"
#include "common/digest_job.hpp"

namespace nexus::opencl {

class cl_digest_lane final : public common::digest_lane {
 public:
  // Answers the device's program; built by the first lane that asks, which can
  // take seconds. NEXUS_OK, or a NEXUS_E_*.
  using get_program = std::function<std::int32_t(cl_program&)>;

  // The lane must outlive it. `processor`: the device is one.
  cl_digest_lane(get_program program, cl_lane& lane, bool processor)
      : program_(std::move(program)), lane_(lane), processor_(processor) {}

  [[nodiscard]] std::uint32_t leaves_at_once() const override;
  std::int32_t begin(const common::job_memory& memory,
                     std::uint32_t leaves) override;
  std::int32_t launch(std::uint32_t first, std::uint32_t count) override;
  std::int32_t read_leaves(std::uint32_t count, std::uint32_t* to) override;
  std::int32_t wait() override;

 private:
  const get_program program_;
  cl_lane& lane_;
  const bool processor_;
  cl_kernel_owner kernel_;  // made for the first job
  cl_lane::place input_;    // of the job at work
  std::uint64_t bytes_ = 0;
};

}  // namespace nexus::opencl
