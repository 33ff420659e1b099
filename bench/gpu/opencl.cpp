// Cards through OpenCL.
#include "card.hpp"
#include "cl_age_lane.hpp"
#include "cl_digest_lane.hpp"
#include "cl_lane.hpp"
#include "cl_object.hpp"
#include "enumeration.hpp"
#include "lanes.hpp"
#include "program.hpp"

namespace nexus_bench {
namespace {

using namespace nexus::opencl;

// Memory of the device, and memory of the host that the driver made and, on
// cards, pins: the only such that OpenCL has.
class way {
 public:
  way(cl_context context, cl_device_id device, std::uint64_t bytes)
      : queue_(clCreateCommandQueue(context, device, 0, nullptr)),
        pinned_(clCreateBuffer(context,
                               CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes,
                               nullptr, nullptr)),
        device_(clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, nullptr,
                               nullptr)) {
    if (!queue_ || !pinned_ || !device_) return;
    const cl_uint pattern = 0x5a5a5a5a;
    if (clEnqueueFillBuffer(queue_.get(), device_.get(), &pattern,
                            sizeof pattern, 0, bytes, 0, nullptr,
                            nullptr) != CL_SUCCESS)
      return;
    host_ = clEnqueueMapBuffer(queue_.get(), pinned_.get(), CL_TRUE,
                               CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0, nullptr,
                               nullptr, nullptr);
  }
  ~way() {
    if (host_ == nullptr) return;
    clEnqueueUnmapMemObject(queue_.get(), pinned_.get(), host_, 0, nullptr,
                            nullptr);
    clFinish(queue_.get());
  }
  way(const way&) = delete;
  way& operator=(const way&) = delete;

  bool good() const { return host_ != nullptr; }
  bool to_device(std::uint64_t bytes) {
    return clEnqueueWriteBuffer(queue_.get(), device_.get(), CL_FALSE, 0, bytes,
                                host_, 0, nullptr, nullptr) == CL_SUCCESS;
  }
  bool to_host(std::uint64_t bytes) {
    return clEnqueueReadBuffer(queue_.get(), device_.get(), CL_FALSE, 0, bytes,
                               host_, 0, nullptr, nullptr) == CL_SUCCESS;
  }
  bool from(const way& other, std::uint64_t bytes) {
    return clEnqueueCopyBuffer(queue_.get(), other.device_.get(), device_.get(),
                               0, 0, bytes, 0, nullptr, nullptr) == CL_SUCCESS;
  }
  bool flush() { return clFlush(queue_.get()) == CL_SUCCESS; }
  bool wait() { return clFinish(queue_.get()) == CL_SUCCESS; }

 private:
  cl_queue_owner queue_;
  cl_memory_owner pinned_;
  cl_memory_owner device_;
  void* host_ = nullptr;
};

class opencl_card final : public card {
 public:
  opencl_card(std::size_t index, const device_entry& entry)
      : index_(index), entry_(entry), cache_(program_cache::users_folder()) {
    std::string why;
    make_context(entry_, context_, why);
  }

  std::string id() const override { return "opencl:" + std::to_string(index_); }
  std::string name() const override { return entry_.info.name; }
  bool gpu() const override { return entry_.info.kind == NEXUS_DEVICE_GPU; }

  std::optional<double> copy(ways which, std::uint64_t bytes,
                             unsigned rounds) override {
    way in(context_.get(), entry_.device, bytes),
        out(context_.get(), entry_.device, bytes);
    if (!in.good() || !out.good()) return {};
    const auto run = [&](unsigned count) {
      bool good = true;
      for (unsigned i = 0; i < count && good; ++i) {
        if (which.to_device) good = in.to_device(bytes) && in.flush();
        if (which.to_host) good = good && out.to_host(bytes) && out.flush();
      }
      const bool waited = in.wait() && out.wait();
      return good && waited;
    };
    return timed(run, rounds);
  }

  std::optional<double> copy_inside(std::uint64_t bytes,
                                    unsigned rounds) override {
    way from(context_.get(), entry_.device, bytes),
        to(context_.get(), entry_.device, bytes);
    if (!from.good() || !to.good()) return {};
    const auto run = [&](unsigned count) {
      bool good = true;
      for (unsigned i = 0; i < count && good; ++i) good = to.from(from, bytes);
      return to.wait() && good;
    };
    return timed(run, rounds);
  }

  std::optional<double> seal(std::uint64_t bytes, unsigned rounds) override {
    age_program program;
    std::string why;
    std::unique_ptr<cl_lane> lane;
    std::unique_ptr<cl_age_lane> age;
    if (!context_ ||
        build_age_program(entry_, context_.get(), cache_, program, why) !=
            NEXUS_OK ||
        cl_lane::create(context_.get(), entry_.device, lane) != NEXUS_OK ||
        cl_age_lane::create(program, *lane, age) != NEXUS_OK)
      return {};
    return time_seal(*age, bytes, rounds);
  }

  std::optional<double> digest(std::uint64_t bytes, unsigned rounds) override {
    cl_program_owner program;
    std::string why;
    std::unique_ptr<cl_lane> lane;
    if (!context_ ||
        build_digest_program(entry_, context_.get(), cache_, program, why) !=
            NEXUS_OK ||
        cl_lane::create(context_.get(), entry_.device, lane) != NEXUS_OK)
      return {};
    const auto built = [&program](cl_program& wanted) {
      wanted = program.get();
      return +NEXUS_OK;
    };
    cl_digest_lane digests(built, *lane, entry_.info.kind == NEXUS_DEVICE_CPU);
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

  const std::size_t index_;
  const device_entry& entry_;
  const program_cache cache_;
  cl_context_owner context_;
};

}  // namespace

std::vector<std::unique_ptr<card>> opencl_cards() {
  std::vector<std::unique_ptr<card>> cards;
  const auto& all = devices_for(nullptr);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].info.score > 0)
      cards.push_back(std::make_unique<opencl_card>(i, all[i]));
  }
  return cards;
}

}  // namespace nexus_bench
