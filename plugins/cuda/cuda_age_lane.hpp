// One lane of a CUDA device: a stream, and buffers that grow as jobs need.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>

#include "common/age_job.hpp"

namespace nexus::cuda {

// Everything here makes the device the calling thread's current one, and leaves
// it so: only for threads of the plugin's own.
class cuda_age_lane final : public common::age_lane {
 public:
  // NEXUS_OK, or a NEXUS_E_*.
  static std::int32_t create(int device, std::unique_ptr<cuda_age_lane>& made);
  // Clears what the buffers hold.
  ~cuda_age_lane() override;

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
    std::uint8_t* memory = nullptr;
    std::uint64_t bytes = 0;
  };

  explicit cuda_age_lane(int device) : device_(device) {}
  cudaError_t prepare();
  cudaError_t grow(buffer& which, std::uint64_t bytes);
  cudaError_t clear(const buffer& which);
  void release(buffer& which);
  cudaError_t read(const std::uint8_t* from, std::uint64_t bytes,
                   std::uint8_t* to);
  // Sleeps until the stream is empty, without keeping a processor busy.
  cudaError_t wait();

  const int device_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
  buffer key_, input_, output_, tags_;
};

}  // namespace nexus::cuda
