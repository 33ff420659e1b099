#include "cuda_age_lane.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "age_kernel.hpp"
#include "enumeration.hpp"

namespace nexus::cuda {
namespace {

constexpr std::uint64_t key_bytes = 32;
constexpr std::uint64_t least_bytes = 4096;
constexpr std::uint64_t step_bytes = std::uint64_t{4} << 20;

// Small sizes by powers of two, large ones by steps: few growths, little waste.
std::uint64_t rounded_up(std::uint64_t bytes) {
  if (bytes <= least_bytes) return least_bytes;
  if (bytes <= step_bytes) return std::bit_ceil(bytes);
  return (bytes + step_bytes - 1) / step_bytes * step_bytes;
}

}  // namespace

std::int32_t cuda_age_lane::create(int device,
                                   std::unique_ptr<cuda_age_lane>& made) {
  std::unique_ptr<cuda_age_lane> lane(new (std::nothrow) cuda_age_lane(device));
  if (!lane) return NEXUS_E_NO_MEMORY;
  const cudaError_t code = lane->prepare();
  if (code != cudaSuccess) return status_of(code);
  made = std::move(lane);
  return NEXUS_OK;
}

cudaError_t cuda_age_lane::prepare() {
  cudaError_t code = cudaSetDevice(device_);
  if (code == cudaSuccess) {
    code = cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
  }
  if (code == cudaSuccess) {
    code = cudaEventCreateWithFlags(
        &event_, cudaEventBlockingSync | cudaEventDisableTiming);
  }
  return code == cudaSuccess ? grow(key_, key_bytes) : code;
}

cuda_age_lane::~cuda_age_lane() {
  if (cudaSetDevice(device_) != cudaSuccess) return;
  for (buffer* each : {&key_, &input_, &output_, &tags_}) release(*each);
  if (event_ != nullptr) cudaEventDestroy(event_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

cudaError_t cuda_age_lane::clear(const buffer& which) {
  return cudaMemsetAsync(which.memory, 0, which.bytes, stream_);
}

void cuda_age_lane::release(buffer& which) {
  if (which.memory == nullptr) return;
  clear(which);
  cudaStreamSynchronize(stream_);
  cudaFree(which.memory);
  which = {};
}

cudaError_t cuda_age_lane::grow(buffer& which, std::uint64_t bytes) {
  if (which.memory != nullptr && which.bytes >= bytes) return cudaSuccess;
  release(which);
  const std::uint64_t wanted = rounded_up(bytes);
  void* memory = nullptr;
  const cudaError_t code = cudaMalloc(&memory, wanted);
  if (code != cudaSuccess) {
    cudaGetLastError();  // or the next launch would find it
    return code;
  }
  which = {static_cast<std::uint8_t*>(memory), wanted};
  return cudaSuccess;
}

std::int32_t cuda_age_lane::begin(const std::uint8_t* key,
                                  const std::uint8_t* input,
                                  std::uint64_t input_bytes,
                                  std::uint64_t output_bytes,
                                  std::uint32_t tag_count) {
  cudaError_t code = cudaSetDevice(device_);
  if (code == cudaSuccess) code = grow(input_, input_bytes);
  if (code == cudaSuccess) code = grow(output_, output_bytes);
  if (code == cudaSuccess) {
    code = grow(tags_, std::uint64_t{tag_count} * common::age_tag);
  }
  if (code == cudaSuccess) {
    code = cudaMemcpyAsync(key_.memory, key, key_bytes, cudaMemcpyHostToDevice,
                           stream_);
  }
  if (code == cudaSuccess && input_bytes > 0) {
    code = cudaMemcpyAsync(input_.memory, input, input_bytes,
                           cudaMemcpyHostToDevice, stream_);
  }
  return status_of(code);
}

std::int32_t cuda_age_lane::launch(const common::age_launch& what) {
  age_arguments arguments{};
  arguments.input = input_.memory;
  arguments.output = output_.memory;
  arguments.tags = tags_.memory;
  arguments.key = reinterpret_cast<const std::uint32_t*>(key_.memory);
  arguments.first_number = what.first_number;
  arguments.plain_bytes = what.plain_bytes;
  arguments.first_chunk = what.first_chunk;
  arguments.final_chunk = what.final_chunk;
  arguments.seals = what.seals;
  return status_of(start_age_chunks(arguments, what.chunk_count, stream_));
}

cudaError_t cuda_age_lane::wait() {
  const cudaError_t code = cudaEventRecord(event_, stream_);
  return code == cudaSuccess ? cudaEventSynchronize(event_) : code;
}

cudaError_t cuda_age_lane::read(const std::uint8_t* from, std::uint64_t bytes,
                                std::uint8_t* to) {
  const cudaError_t code =
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_);
  return code == cudaSuccess ? wait() : code;
}

std::int32_t cuda_age_lane::read_tags(std::uint32_t first, std::uint32_t count,
                                      std::uint8_t* tags) {
  return status_of(read(tags_.memory + first * common::age_tag,
                        count * common::age_tag, tags));
}

std::int32_t cuda_age_lane::read_output(std::uint64_t bytes,
                                        std::uint8_t* output) {
  return status_of(read(output_.memory, bytes, output));
}

std::int32_t cuda_age_lane::end() {
  const cudaError_t cleared = clear(key_);
  const cudaError_t waited = wait();
  return status_of(cleared != cudaSuccess ? cleared : waited);
}

}  // namespace nexus::cuda
