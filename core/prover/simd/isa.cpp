#include "prover/simd/isa.hpp"

#include <array>
#include <cstdlib>
#include <vector>

#include "prover/simd/kernels.hpp"

namespace nexus::prover {

std::string_view name_of(prover_isa isa) noexcept {
  switch (isa) {
    case prover_isa::neon:
      return "neon";
    case prover_isa::avx2:
      return "avx2";
    case prover_isa::avx512:
      return "avx512";
    case prover_isa::scalar:
      break;
  }
  return "scalar";
}

namespace {

struct isa_list {
  std::array<prover_isa, 4> all{};
  std::size_t count = 0;

  isa_list() noexcept {
    all[count++] = prover_isa::scalar;
    for (const auto isa :
         {prover_isa::neon, prover_isa::avx2, prover_isa::avx512}) {
      if (kernels_of(isa) != nullptr) {
        all[count++] = isa;
      }
    }
  }
};

}  // namespace

std::span<const prover_isa> available_isas() noexcept {
  static const isa_list list;
  return std::span(list.all).first(list.count);
}

prover_isa choose_isa(const char* wanted) noexcept {
  const auto available = available_isas();
  for (const auto isa : available) {
    if (wanted != nullptr && name_of(isa) == wanted) {
      return isa;
    }
  }
  return available.back();
}

prover_isa isa_in_use() noexcept {
  static const prover_isa chosen = choose_isa(
      std::getenv("NEXUS_PROVER_ISA"));  // NOLINT(concurrency-mt-unsafe)
  return chosen;
}

}  // namespace nexus::prover
