// Cards through the CUDA runtime.
#include <cuda_runtime_api.h>

#include "card.hpp"
#include "cuda_age_lane.hpp"
#include "cuda_digest_lane.hpp"
#include "cuda_lane.hpp"
#include "enumeration.hpp"
#include "lanes.hpp"

namespace nexus_bench {
namespace {

// Pinned memory of the host, memory of the device, and a stream.
class way {
 public:
  explicit way(std::uint64_t bytes) {
    good_ = cudaHostAlloc(&host_, bytes, cudaHostAllocDefault) == cudaSuccess &&
            cudaMalloc(&device_, bytes) == cudaSuccess &&
            cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) ==
                cudaSuccess &&
            cudaMemset(device_, 1, bytes) == cudaSuccess;
  }
  ~way() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
    cudaFree(device_);
    cudaFreeHost(host_);
  }
  way(const way&) = delete;
  way& operator=(const way&) = delete;

  bool good() const { return good_; }
  void* device() const { return device_; }
  cudaStream_t stream() const { return stream_; }
  bool copy(std::uint64_t bytes, cudaMemcpyKind kind) {
    const bool in = kind == cudaMemcpyHostToDevice;
    return cudaMemcpyAsync(in ? device_ : host_, in ? host_ : device_, bytes,
                           kind, stream_) == cudaSuccess;
  }
  bool wait() { return cudaStreamSynchronize(stream_) == cudaSuccess; }

 private:
  void* host_ = nullptr;
  void* device_ = nullptr;
  cudaStream_t stream_ = nullptr;
  bool good_ = false;
};

class cuda_card final : public card {
 public:
  cuda_card(int index, const nexus_device_info& info)
      : index_(index), info_(info) {}

  std::string id() const override { return "cuda:" + std::to_string(index_); }
  std::string name() const override { return info_.name; }
  bool gpu() const override { return true; }

  std::optional<double> copy(ways which, std::uint64_t bytes,
                             unsigned rounds) override {
    if (cudaSetDevice(index_) != cudaSuccess) return {};
    way in(bytes), out(bytes);
    const auto run = [&](unsigned count) {
      bool good = in.good() && out.good();
      for (unsigned i = 0; i < count; ++i) {
        if (which.to_device)
          good = good && in.copy(bytes, cudaMemcpyHostToDevice);
        if (which.to_host)
          good = good && out.copy(bytes, cudaMemcpyDeviceToHost);
      }
      const bool waited = in.wait() && out.wait();
      return good && waited;
    };
    return timed(run, rounds);
  }

  std::optional<double> copy_inside(std::uint64_t bytes,
                                    unsigned rounds) override {
    if (cudaSetDevice(index_) != cudaSuccess) return {};
    way from(bytes), to(bytes);
    const auto run = [&](unsigned count) {
      bool good = from.good() && to.good();
      for (unsigned i = 0; i < count && good; ++i)
        good = cudaMemcpyAsync(to.device(), from.device(), bytes,
                               cudaMemcpyDeviceToDevice,
                               to.stream()) == cudaSuccess;
      return to.wait() && good;
    };
    return timed(run, rounds);
  }

  std::optional<double> seal(std::uint64_t bytes, unsigned rounds) override {
    std::unique_ptr<nexus::cuda::cuda_lane> lane;
    if (nexus::cuda::cuda_lane::create(index_, lane) != cudaSuccess) return {};
    nexus::cuda::cuda_age_lane age(*lane);
    return time_seal(age, bytes, rounds);
  }

  std::optional<double> digest(std::uint64_t bytes, unsigned rounds) override {
    std::unique_ptr<nexus::cuda::cuda_lane> lane;
    if (nexus::cuda::cuda_lane::create(index_, lane) != cudaSuccess) return {};
    nexus::cuda::cuda_digest_lane digests(*lane);
    return time_digest(digests, bytes, rounds);
  }

 private:
  template <typename Run>
  static std::optional<double> timed(const Run& run, unsigned rounds) {
    if (!run(1)) return {};  // and warms up
    const auto began = std::chrono::steady_clock::now();
    if (!run(rounds)) return {};
    return seconds_since(began);
  }

  const int index_;
  const nexus_device_info info_;
};

}  // namespace

std::vector<std::unique_ptr<card>> cuda_cards() {
  std::vector<std::unique_ptr<card>> cards;
  const auto& all = nexus::cuda::all_devices();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].score > 0)
      cards.push_back(std::make_unique<cuda_card>(static_cast<int>(i), all[i]));
  }
  return cards;
}

}  // namespace nexus_bench
