// age-seal and age-open on a lane of a CUDA device.
#pragma once

#include <cstdint>

#include "common/age_job.hpp"
#include "cuda_lane.hpp"

namespace nexus::cuda {

class cuda_age_lane final : public common::age_lane {
 public:
  // The lane must outlive it.
  explicit cuda_age_lane(cuda_lane& lane) : lane_(lane) {}

  std::int32_t begin(const std::uint8_t* key, const common::job_memory& memory,
                     std::uint32_t tag_count) override;
  std::int32_t launch(const common::age_launch& what) override;
  std::int32_t read_tags(std::uint32_t first, std::uint32_t count,
                         std::uint8_t* tags) override;
  std::int32_t read_output(std::uint64_t bytes, std::uint8_t* output) override;
  std::int32_t wait() override;
  std::int32_t end() override;

 private:
  cuda_lane& lane_;
};

}  // namespace nexus::cuda
