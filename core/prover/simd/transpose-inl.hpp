// Rows of memory as columns of vectors, one row a lane, and back.
#if defined(NEXUS_PROVER_SIMD_TRANSPOSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEXUS_PROVER_SIMD_TRANSPOSE_INL
#undef NEXUS_PROVER_SIMD_TRANSPOSE_INL
#else
#define NEXUS_PROVER_SIMD_TRANSPOSE_INL
#endif

#include "prover/simd/field-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {

// Within each block of 128 bits: four by four.
HWY_INLINE void transpose_blocks(vec* x) {
  const tag32 d;
  const vec a = hn::InterleaveLower(d, x[0], x[2]);
  const vec b = hn::InterleaveLower(d, x[1], x[3]);
  const vec c = hn::InterleaveUpper(d, x[0], x[2]);
  const vec e = hn::InterleaveUpper(d, x[1], x[3]);
  x[0] = hn::InterleaveLower(d, a, b);
  x[1] = hn::InterleaveUpper(d, a, b);
  x[2] = hn::InterleaveLower(d, c, e);
  x[3] = hn::InterleaveUpper(d, c, e);
}

// Vector i takes block i of each; x: as many vectors as a vector has blocks,
// `step` apart.
template <std::size_t Step>
HWY_INLINE void exchange_blocks(vec* x) {
#if HWY_TARGET == HWY_AVX3
  const __m512i a = _mm512_shuffle_i32x4(x[0].raw, x[Step].raw, 0x44);
  const __m512i b =
      _mm512_shuffle_i32x4(x[2 * Step].raw, x[3 * Step].raw, 0x44);
  const __m512i c = _mm512_shuffle_i32x4(x[0].raw, x[Step].raw, 0xee);
  const __m512i e =
      _mm512_shuffle_i32x4(x[2 * Step].raw, x[3 * Step].raw, 0xee);
  x[0] = vec{_mm512_shuffle_i32x4(a, b, 0x88)};
  x[Step] = vec{_mm512_shuffle_i32x4(a, b, 0xdd)};
  x[2 * Step] = vec{_mm512_shuffle_i32x4(c, e, 0x88)};
  x[3 * Step] = vec{_mm512_shuffle_i32x4(c, e, 0xdd)};
#elif HWY_TARGET == HWY_AVX2
  const tag32 d;
  const vec low = hn::ConcatLowerLower(d, x[Step], x[0]);
  x[Step] = hn::ConcatUpperUpper(d, x[Step], x[0]);
  x[0] = low;
#else
  static_cast<void>(x);
#endif
}

// x: `lanes` vectors.
HWY_INLINE void transpose_square(vec* x) {
  for (std::size_t i = 0; i < lanes; i += 4) {
    transpose_blocks(x + i);
  }
  if constexpr (lanes == 16) {
    // Vector 4 b + c must hold column 4 b + c.
    exchange_blocks<4>(x);
    exchange_blocks<4>(x + 1);
    exchange_blocks<4>(x + 2);
    exchange_blocks<4>(x + 3);
  } else if constexpr (lanes == 8) {
    exchange_blocks<4>(x);
    exchange_blocks<4>(x + 1);
    exchange_blocks<4>(x + 2);
    exchange_blocks<4>(x + 3);
  }
}

// Column c of 16 in out[c]. row(i): where the row of lane i is.
template <class Row>
HWY_INLINE void load_columns(const Row& row, vec* out) {
  for (std::size_t c = 0; c < 16; c += lanes) {
    for (std::size_t i = 0; i < lanes; ++i) {
      out[c + i] = load(row(i) + c);
    }
    transpose_square(out + c);
  }
}

// The other way round; changes the columns.
template <class Row>
HWY_INLINE void store_columns(vec* columns, const Row& row) {
  for (std::size_t c = 0; c < 16; c += lanes) {
    transpose_square(columns + c);
    for (std::size_t i = 0; i < lanes; ++i) {
      store(columns[c + i], row(i) + c);
    }
  }
}

// Rows that lie one after the other, `stride` words apart.
struct rows_at {
  const std::uint32_t* first;
  std::size_t stride;
  HWY_INLINE const std::uint32_t* operator()(std::size_t i) const {
    return first + i * stride;
  }
};

// Asks for the `lanes` rows behind these. Rows of a trace come from as many
// places as it has panels, more than processors foresee by themselves.
HWY_INLINE void prefetch_next(const rows_at& rows) {
  const char* from =
      reinterpret_cast<const char*>(rows.first + lanes * rows.stride);
  for (std::size_t at = 0; at < 4 * lanes * rows.stride; at += 64) {
    __builtin_prefetch(from + at);
  }
}

// Eight columns as `lanes` digests.
HWY_INLINE void store_digests(const vec* columns, digest* out) {
  std::uint32_t* const to = words(out->data());
  if constexpr (lanes == 16) {
    vec x[16];
    for (std::size_t i = 0; i < 16; ++i) {
      x[i] = columns[i % 8];
    }
    transpose_square(x);
    const hn::Half<tag32> half;
    for (std::size_t i = 0; i < 16; ++i) {
      hn::StoreU(hn::LowerHalf(half, x[i % lanes]), half, to + 8 * i);
    }
  } else {
    vec x[8];
    for (std::size_t i = 0; i < 8; ++i) {
      x[i] = columns[i];
    }
    for (std::size_t c = 0; c < 8; c += lanes) {
      transpose_square(x + c);
      for (std::size_t i = 0; i < lanes; ++i) {
        store(x[c + i], to + 8 * i + c);
      }
    }
  }
}

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
