// digest on a lane of a CUDA device.
#pragma once

#include <cstdint>

#include "common/digest_job.hpp"
#include "cuda_lane.hpp"

namespace nexus::cuda {

class cuda_digest_lane final : public common::digest_lane {
 public:
  // The lane must outlive it.
  explicit cuda_digest_lane(cuda_lane& lane) : lane_(lane) {}

  [[nodiscard]] std::uint32_t leaves_at_once() const override;
  std::int32_t begin(const common::job_memory& memory,
                     std::uint32_t leaves) override;
  std::int32_t launch(std::uint32_t first, std::uint32_t count) override;
  std::int32_t read_leaves(std::uint32_t count, std::uint32_t* to) override;
  std::int32_t wait() override;

 private:
  cuda_lane& lane_;
  std::uint64_t bytes_ = 0;  // of the job at work
};

}  // namespace nexus::cuda
