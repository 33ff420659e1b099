// Every backend that this machine can run, for tests that must hold on each.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "prover/simd/simd_backend.hpp"

struct device_kind {
  nexus::prover::prover_isa isa;
  unsigned threads;

  [[nodiscard]] std::string name() const {
    return std::string(nexus::prover::name_of(isa)) + "_" +
           std::to_string(threads);
  }
};

inline std::ostream& operator<<(std::ostream& out, const device_kind& kind) {
  return out << kind.name();
}

// The scalar backend works alone.
inline std::vector<device_kind> device_kinds(
    const std::vector<unsigned>& threads) {
  std::vector<device_kind> out;
  for (const auto isa : nexus::prover::available_isas()) {
    for (const unsigned count : threads) {
      if (isa != nexus::prover::prover_isa::scalar || count == 1) {
        out.push_back({isa, count});
      }
    }
  }
  return out;
}

inline std::vector<device_kind> simd_kinds(
    const std::vector<unsigned>& threads) {
  auto out = device_kinds(threads);
  std::erase_if(out, [](const device_kind& each) {
    return each.isa == nexus::prover::prover_isa::scalar;
  });
  return out;
}

struct device_name {
  std::string operator()(const testing::TestParamInfo<device_kind>& of) const {
    return of.param.name();
  }
};

// A backend, its team, and how many kernels of its set have run since.
class test_device {
 public:
  explicit test_device(const device_kind& kind)
      : kernels_(nexus::prover::kernels_of(kind.isa)),
        team_(nexus::prover::make_thread_team(kind.threads)),
        backend_(nexus::prover::make_backend(kind.isa, *team_)),
        before_(count()) {}

  [[nodiscard]] nexus::prover::backend& operator*() const { return *backend_; }
  [[nodiscard]] nexus::prover::backend* operator->() const {
    return backend_.get();
  }
  [[nodiscard]] std::uint64_t kernels_run() const { return count() - before_; }

 private:
  [[nodiscard]] std::uint64_t count() const {
    return kernels_ == nullptr ? 0 : kernels_->target.runs();
  }

  const nexus::prover::kernel_set* kernels_;
  std::unique_ptr<nexus::prover::task_team> team_;
  std::unique_ptr<nexus::prover::backend> backend_;
  std::uint64_t before_;
};
