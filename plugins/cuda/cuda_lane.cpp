#include "cuda_lane.hpp"

#include <string.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace nexus::cuda {
namespace {

constexpr std::uint64_t stage_bytes = std::uint64_t{2} << 20;
// Below that the driver's own way is as good.
constexpr std::uint64_t least_staged = std::uint64_t{256} << 10;

}  // namespace

cudaError_t cuda_lane::create(int device, std::unique_ptr<cuda_lane>& made) {
  std::unique_ptr<cuda_lane> lane(new (std::nothrow) cuda_lane(device));
  if (!lane) return cudaErrorMemoryAllocation;
  const cudaError_t code = lane->prepare();
  if (code == cudaSuccess) made = std::move(lane);
  return code;
}

cudaError_t cuda_lane::prepare() {
  cudaError_t code = choose_device();
  if (code == cudaSuccess) {
    code = cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
  }
  if (code == cudaSuccess) {
    code = cudaEventCreateWithFlags(
        &event_, cudaEventBlockingSync | cudaEventDisableTiming);
  }
  return code;
}

cuda_lane::~cuda_lane() {
  const bool chosen = choose_device() == cudaSuccess;
  release_stages();  // the host's own memory, which a lost device leaves
  if (!chosen) return;
  for (buffer* each : {&key, &input, &output, &tags}) release(*each);
  if (event_ != nullptr) cudaEventDestroy(event_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

cudaError_t cuda_lane::choose_device() {
  return cudaSetDevice(device_);
}

cudaError_t cuda_lane::clear(const buffer& which) {
  return cudaMemsetAsync(which.memory, 0, which.bytes, stream_);
}

void cuda_lane::release(buffer& which) {
  if (which.memory == nullptr) return;
  clear(which);
  cudaStreamSynchronize(stream_);
  cudaFree(which.memory);
  which = {};
}

cudaError_t cuda_lane::grow(buffer& which, std::uint64_t bytes) {
  if (which.memory != nullptr && which.bytes >= bytes) return cudaSuccess;
  release(which);
  const std::uint64_t wanted = common::rounded_up(bytes);
  void* memory = nullptr;
  const cudaError_t code = cudaMalloc(&memory, wanted);
  if (code != cudaSuccess) return code;
  which = {static_cast<std::uint8_t*>(memory), wanted};
  return cudaSuccess;
}

cudaError_t cuda_lane::make_stages() {
  for (stage& each : stages_) {
    cudaError_t code = cudaSuccess;
    if (each.left == nullptr) {
      code = cudaEventCreateWithFlags(
          &each.left, cudaEventBlockingSync | cudaEventDisableTiming);
    }
    if (code == cudaSuccess && each.memory == nullptr) {
      void* memory = nullptr;
      code = cudaHostAlloc(&memory, stage_bytes, cudaHostAllocPortable);
      if (code == cudaSuccess) {
        each.memory = static_cast<std::uint8_t*>(memory);
      }
    }
    if (code != cudaSuccess) return code;
  }
  return cudaSuccess;
}

void cuda_lane::release_stages() {
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  for (stage& each : stages_) {
    if (each.memory != nullptr) {
      ::explicit_bzero(each.memory, stage_bytes);
      cudaFreeHost(each.memory);
    }
    if (each.left != nullptr) cudaEventDestroy(each.left);
    each = {};
  }
}

cudaError_t cuda_lane::take_by_stages(const std::uint8_t* from,
                                      std::uint64_t bytes) {
  std::size_t next = 0;
  for (std::uint64_t at = 0; at < bytes; at += stage_bytes) {
    stage& by = stages_[next];
    next = (next + 1) % stages_.size();
    const std::uint64_t some = std::min(stage_bytes, bytes - at);
    cudaError_t code = cudaEventSynchronize(by.left);
    if (code != cudaSuccess) return code;
    std::memcpy(by.memory, from + at, some);
    code = cudaMemcpyAsync(input.memory + at, by.memory, some,
                           cudaMemcpyHostToDevice, stream_);
    if (code == cudaSuccess) code = cudaEventRecord(by.left, stream_);
    if (code != cudaSuccess) return code;
  }
  return cudaSuccess;
}

cudaError_t cuda_lane::take_input(const common::job_memory& memory) {
  const cudaError_t grown = grow(input, memory.input_bytes);
  if (grown != cudaSuccess || memory.input_bytes == 0) return grown;
  const bool pinned = memory.input_import != nullptr;
  // Without pinned memory of its own the lane leaves it to the driver.
  if (!pinned && memory.input_bytes >= least_staged &&
      make_stages() == cudaSuccess) {
    return take_by_stages(memory.input, memory.input_bytes);
  }
  return cudaMemcpyAsync(input.memory, memory.input, memory.input_bytes,
                         cudaMemcpyHostToDevice, stream_);
}

cudaError_t cuda_lane::read(const std::uint8_t* from, std::uint64_t bytes,
                            void* to) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_);
}

cudaError_t cuda_lane::finish() {
  // The host gets its memory back after this: whatever fails, it waits.
  const cudaError_t code = cudaEventRecord(event_, stream_);
  if (code == cudaSuccess) return cudaEventSynchronize(event_);
  cudaStreamSynchronize(stream_);
  return code;
}

bool cuda_lane::is_dead() {
  const cudaError_t code = cudaStreamQuery(stream_);
  return code != cudaSuccess && code != cudaErrorNotReady;
}

}  // namespace nexus::cuda
