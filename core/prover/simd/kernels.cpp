#include "prover/simd/kernels.hpp"

#include <algorithm>

#include "prover/simd/targets.hpp"
// After the list of targets.
#include <hwy/detect_targets.h>

namespace nexus::prover {

#define NEXUS_DECLARE_KERNELS(target)        \
  namespace target {                         \
  extern const counted_target counted;       \
  extern const hash_kernels hashes;          \
  extern const transform_kernels transforms; \
  extern const row_kernels row_work;         \
  extern const quotient_kernel quotients;    \
  }                                          \
  static_assert(true)
#define NEXUS_KERNEL_SET(isa, target) \
  {isa,                               \
   target::counted,                   \
   target::hashes,                    \
   target::transforms,                \
   target::row_work,                  \
   target::quotients}

#if (HWY_TARGETS & HWY_AVX2) != 0
NEXUS_DECLARE_KERNELS(N_AVX2);
#endif
#if (HWY_TARGETS & HWY_AVX3) != 0
NEXUS_DECLARE_KERNELS(N_AVX3);
#endif
#if (HWY_TARGETS & HWY_NEON) != 0
NEXUS_DECLARE_KERNELS(N_NEON);
#endif

namespace {

#if HWY_ARCH_X86
bool has_avx2() noexcept {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c") && __builtin_cpu_supports("aes") &&
         __builtin_cpu_supports("pclmul");
}

bool has_avx512() noexcept {
  return has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw");
}
#endif

}  // namespace

const kernel_set* kernels_of(prover_isa isa) noexcept {
  switch (isa) {
#if (HWY_TARGETS & HWY_AVX2) != 0
    case prover_isa::avx2: {
      static const kernel_set set = NEXUS_KERNEL_SET(isa, N_AVX2);
      return has_avx2() ? &set : nullptr;
    }
#endif
#if (HWY_TARGETS & HWY_AVX3) != 0
    case prover_isa::avx512: {
      static const kernel_set set = NEXUS_KERNEL_SET(isa, N_AVX3);
      return has_avx512() ? &set : nullptr;
    }
#endif
#if (HWY_TARGETS & HWY_NEON) != 0
    case prover_isa::neon: {
      static const kernel_set set = NEXUS_KERNEL_SET(isa, N_NEON);
      return &set;
    }
#endif
    default:
      return nullptr;
  }
}

centred_ext centred(const ext& x) noexcept {
  centred_ext out;
  for (std::size_t k = 0; k < 4; ++k) {
    const std::uint32_t word = x.c[k].word();
    out[k] = static_cast<std::int32_t>(word > centring ? word - modulus : word);
  }
  return out;
}

reciprocal::reciprocal(const ext& z) noexcept {
  // The automorphism x^p takes X to X times a fourth root of unity.
  const fp root = power(fp::from(3), (modulus - 1) / 4);
  // Coefficients of products of X - y, lowest first, monic.
  std::array<ext, 5> product{};
  product[0] = ext_one;
  std::size_t degree = 0;
  const auto times = [&](const ext& y) {
    for (std::size_t k = ++degree; k > 0; --k) {
      product[k] = product[k - 1] - product[k] * y;
    }
    product[0] = ext{fp{}} - product[0] * y;
  };
  ext conjugate = z;
  for (int i = 0; i < 3; ++i) {
    fp factor = one;
    for (auto& c : conjugate.c) {
      c *= factor;
      factor *= root;
    }
    times(conjugate);
  }
  std::copy_n(product.begin(), q.size(), q.begin());
  times(z);
  for (std::size_t k = 0; k < m.size(); ++k) {
    m[k] = product[k].c[0];
  }
}

}  // namespace nexus::prover
