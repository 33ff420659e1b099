// One lane of a CUDA device: a stream, and buffers that grow as jobs need. The
// lanes of the operations are made of it.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <memory>

#include "common/job_memory.hpp"

namespace nexus::cuda {

// Everything here makes the device the calling thread's current one, and leaves
// it so: only for threads of the plugin's own.
class cuda_lane {
 public:
  struct buffer {
    std::uint8_t* memory = nullptr;
    std::uint64_t bytes = 0;
  };

  static cudaError_t create(int device, std::unique_ptr<cuda_lane>& made);
  // Clears what the buffers hold.
  ~cuda_lane();
  cuda_lane(const cuda_lane&) = delete;
  cuda_lane& operator=(const cuda_lane&) = delete;

  [[nodiscard]] cudaStream_t stream() const { return stream_; }

  // To be called before anything else of a job.
  cudaError_t choose_device();
  // Queues a copy of the input to `input`, by the card itself where the memory
  // is pinned. Else the thread copies it to pinned memory, piece by piece,
  // while the card takes the piece before.
  cudaError_t take_input(const common::job_memory& memory);
  // At least so many bytes; what was there before is cleared first.
  cudaError_t grow(buffer& which, std::uint64_t bytes);
  // Queues.
  cudaError_t clear(const buffer& which);
  cudaError_t read(const std::uint8_t* from, std::uint64_t bytes, void* to);
  // Sleeps until the stream is empty, without keeping a processor busy.
  cudaError_t finish();
  // Whether an error has ended the context: every later call answers it.
  bool is_dead();

  // What jobs leave here is overwritten by the next one, and cleared in the
  // end.
  buffer key, input, output, tags;

 private:
  // Pinned memory on its way to the card.
  struct stage {
    std::uint8_t* memory = nullptr;
    cudaEvent_t left = nullptr;  // the card has taken what was there
  };

  explicit cuda_lane(int device) : device_(device) {}
  cudaError_t prepare();
  void release(buffer& which);
  cudaError_t make_stages();
  cudaError_t take_by_stages(const std::uint8_t* from, std::uint64_t bytes);
  void release_stages();

  const int device_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
  std::array<stage, 2> stages_;
};

}  // namespace nexus::cuda
