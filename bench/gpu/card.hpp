// One device of one backend, as the benchmark drives it: with the plugin's own
// lanes and kernels, but without the engine and without a job.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nexus_bench {

// Which ways the host's pinned memory is copied at once.
struct ways {
  bool to_device = false;
  bool to_host = false;
};

class card {
 public:
  virtual ~card() = default;

  [[nodiscard]] virtual std::string id() const = 0;  // "cuda:0"
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual bool gpu() const = 0;

  // All answer the seconds that so many rounds took, each on `bytes`; nothing
  // where the device failed.
  virtual std::optional<double> copy(ways which, std::uint64_t bytes,
                                     unsigned rounds) = 0;
  // From its memory to its memory: every byte is read and written.
  virtual std::optional<double> copy_inside(std::uint64_t bytes,
                                            unsigned rounds) = 0;
  // The kernels alone, on input that is there.
  virtual std::optional<double> seal(std::uint64_t bytes, unsigned rounds) = 0;
  virtual std::optional<double> digest(std::uint64_t bytes,
                                       unsigned rounds) = 0;
};

// Those that can run here. Empty also where the backend was not built.
std::vector<std::unique_ptr<card>> cuda_cards();
std::vector<std::unique_ptr<card>> opencl_cards();

}  // namespace nexus_bench
