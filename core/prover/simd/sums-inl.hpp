// Sums of products of elements and extension elements that are reduced once.
#if defined(NEXUS_PROVER_SIMD_SUMS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEXUS_PROVER_SIMD_SUMS_INL
#undef NEXUS_PROVER_SIMD_SUMS_INL
#else
#define NEXUS_PROVER_SIMD_SUMS_INL
#endif

#include "prover/simd/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {

// Vectors that are inverted together.
inline constexpr std::size_t batch = 16;

// Sums of centred values times centred extension elements.
struct ext_products {
  product_sum c[4];
};

HWY_INLINE ext_products no_ext_products() {
  return {{no_products(), no_products(), no_products(), no_products()}};
}

HWY_INLINE void add_products(ext_products& sum, vec_s x,
                             const centred_ext& factor) {
  const vec_s x_odd = odd(x);
  NEXUS_UNROLL
  for (std::size_t k = 0; k < 4; ++k) {
    const vec_s y = hn::Set(tag32s(), factor[k]);
    add_product(sum.c[k], x, x_odd, y, y);
  }
}

HWY_INLINE void shrink(ext_products& sum) {
  NEXUS_UNROLL
  for (std::size_t k = 0; k < 4; ++k) {
    shrink(sum.c[k]);
  }
}

HWY_INLINE vec_ext reduce(const ext_products& sum) {
  return {reduce(sum.c[0]), reduce(sum.c[1]), reduce(sum.c[2]),
          reduce(sum.c[3])};
}

// values: `count` vectors in memory.
HWY_INLINE vec_ext dot(const std::uint32_t* values, std::size_t count,
                       const centred_ext* factors) {
  ext_products sum = no_ext_products();
  const std::size_t whole = count / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    NEXUS_UNROLL
    for (std::size_t k = 0; k < 8; ++k) {
      add_products(sum, centre(load(values + (i + k) * lanes)), factors[i + k]);
    }
    shrink(sum);
  }
  for (std::size_t i = whole; i < count; ++i) {
    add_products(sum, centre(load(values + i * lanes)), factors[i]);
  }
  return reduce(sum);
}

HWY_INLINE row_piece piece_of(const host_matrix& columns, std::size_t panel,
                              std::size_t r) {
  return {columns.row(panel, r), columns.stride_of(panel),
          columns.width_of(panel)};
}

HWY_INLINE void add_eight(ext_products& sum, const vec* x,
                          const centred_ext* factors) {
  static_assert(products_between_shrinks == 8);
  NEXUS_UNROLL
  for (std::size_t k = 0; k < 8; ++k) {
    add_products(sum, centre(x[k]), factors[k]);
  }
  shrink(sum);
}

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
