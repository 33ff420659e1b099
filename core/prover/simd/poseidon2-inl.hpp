// Poseidon2 on one state a lane.
#include <utility>

#include "prover/simd/poseidon2_words.hpp"

#if defined(NEXUS_PROVER_SIMD_POSEIDON2_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEXUS_PROVER_SIMD_POSEIDON2_INL
#undef NEXUS_PROVER_SIMD_POSEIDON2_INL
#else
#define NEXUS_PROVER_SIMD_POSEIDON2_INL
#endif

#include "prover/simd/field-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {

// The odd part of a product's reduction: see reduce_products(). Between -p and
// p for |x| <= p * 2^31.
HWY_INLINE wide_s reduce_signed(wide_s x) {
  const vec_s quotient =
      hn::Set(tag32s(), static_cast<std::int32_t>(modulus_inverse));
  const vec_s p = hn::Set(tag32s(), static_cast<std::int32_t>(modulus));
  const wide_s q = keep(hn::MulEven(hn::BitCast(tag32s(), x), quotient));
  return hn::Sub(x, hn::MulEven(hn::BitCast(tag32s(), q), p));
}

HWY_INLINE vec_s high_as_even(wide_s x) {
  return hn::BitCast(tag32s(), hn::DupOdd(hn::BitCast(tag32(), x)));
}

// -p <= x < p, in two's complement. The result is between -p and p.
HWY_INLINE vec cube_signed(vec x) {
  const vec_s even = hn::BitCast(tag32s(), x);
  const vec_s odds = hn::BitCast(tag32s(), odd(x));
  const vec_s square_even =
      high_as_even(reduce_signed(hn::MulEven(even, even)));
  const vec_s square_odd = high_as_even(reduce_signed(hn::MulEven(odds, odds)));
  const wide_s cube_even = reduce_signed(hn::MulEven(square_even, even));
  const wide_s cube_odd = reduce_signed(hn::MulEven(square_odd, odds));
  return high_halves(hn::BitCast(tag32(), cube_even),
                     hn::BitCast(tag32(), cube_odd));
}

// constant: less p.
HWY_INLINE vec sbox(vec x, std::uint32_t constant) {
  return lift(cube_signed(hn::Add(x, fill(constant))));
}

HWY_INLINE void mix_four(vec* x) {
  const vec ab = add(x[0], x[1]);
  const vec cd = add(x[2], x[3]);
  const vec all = add(ab, cd);
  const vec all_b = add(all, x[1]);
  const vec all_d = add(all, x[3]);
  const vec a2 = twice(x[0]);
  const vec c2 = twice(x[2]);
  x[0] = add(all_b, ab);
  x[1] = add(all_b, c2);
  x[2] = add(all_d, cd);
  x[3] = add(all_d, a2);
}

// See prover::mix_external.
template <std::size_t Width>
HWY_INLINE void mix_external(vec* x) {
  vec sums[4];
  NEXUS_UNROLL
  for (std::size_t g = 0; g < Width; g += 4) {
    mix_four(x + g);
    NEXUS_UNROLL
    for (std::size_t i = 0; i < 4; ++i) {
      sums[i] = g == 0 ? x[i] : add(sums[i], x[g + i]);
    }
  }
  NEXUS_UNROLL
  for (std::size_t i = 0; i < Width; ++i) {
    x[i] = add(x[i], sums[i % 4]);
  }
}

// Adding a group up while the next one's S-boxes are under way was tried, and
// is slower: the order below leaves the processor more to choose from.
template <std::size_t Width>
HWY_INLINE void full_round(vec* x, const std::uint32_t* constants) {
  NEXUS_UNROLL
  for (std::size_t i = 0; i < Width; ++i) {
    x[i] = sbox(x[i], constants[i]);
  }
  mix_external<Width>(x);
}

// sum + x / 2^K, or for negative K, sum - x / 2^-K.
template <int K>
HWY_INLINE vec add_shifted(vec x, vec sum, vec sum_plus, vec sum_minus) {
  if constexpr (K > 0) {
    const vec low = shifted_low<K>(x);
    const vec rest = hn::Min(hn::Sub(sum, low), hn::Sub(sum_plus, low));
    return reduce_once(hn::Add(rest, shifted_high<K>(x)));
  } else {
    const vec low = shifted_low<-K>(x);
    const vec rest = hn::Min(hn::Add(sum, low), hn::Add(sum_minus, low));
    return lift(hn::Sub(rest, shifted_high<-K>(x)));
  }
}

template <std::size_t Width, std::size_t... I>
HWY_INLINE void add_all_shifted(vec* x, vec sum, vec sum_plus, vec sum_minus,
                                std::index_sequence<I...>) {
  ((x[small_diagonal + I] = add_shifted<diagonal_shifts<Width>::value[I]>(
        x[small_diagonal + I], sum, sum_plus, sum_minus)),
   ...);
}

// The sum of all but the first, pairwise so that it is ready early.
template <std::size_t Width>
HWY_INLINE vec sum_of_rest(const vec* x) {
  vec sums[8];
  NEXUS_UNROLL
  for (std::size_t i = 0; i < 8; ++i) {
    sums[i] = x[Width - 8 + i];
  }
  NEXUS_UNROLL
  for (std::size_t i = 1; i < Width - 8; ++i) {
    sums[i % 8] = add(sums[i % 8], x[i]);
  }
  return add(add(add(sums[0], sums[1]), add(sums[2], sums[3])),
             add(add(sums[4], sums[5]), add(sums[6], sums[7])));
}

// One partial round; first: the S-box's result.
template <std::size_t Width>
HWY_INLINE void mix_internal(vec* x, vec first) {
  const vec sum = add(sum_of_rest<Width>(x), first);
  const vec sum_plus = hn::Add(sum, fill(modulus));
  const vec sum_minus = hn::Sub(sum, fill(modulus));
  x[0] = sub(sum, twice(first));
  x[1] = add(x[1], sum);
  x[2] = add(twice(x[2]), sum);
  x[3] = add_shifted<1>(x[3], sum, sum_plus, sum_minus);
  x[4] = add(add(twice(x[4]), x[4]), sum);
  x[5] = add(twice(twice(x[5])), sum);
  x[6] = add_shifted<-1>(x[6], sum, sum_plus, sum_minus);
  x[7] = sub(sum, add(twice(x[7]), x[7]));
  x[8] = sub(sum, twice(twice(x[8])));
  add_all_shifted<Width>(x, sum, sum_plus, sum_minus,
                         std::make_index_sequence<Width - small_diagonal>());
}

// record: where what poseidon2_record lists goes, a vector each; or nullptr.
template <std::size_t Width, bool Record>
HWY_INLINE void run_permutation(vec* HWY_RESTRICT state,
                                std::uint32_t* HWY_RESTRICT record) {
  vec x[Width];
  NEXUS_UNROLL
  for (std::size_t i = 0; i < Width; ++i) {
    x[i] = state[i];
  }
  mix_external<Width>(x);
  for (std::size_t r = 0; r < 2 * half_full_rounds; ++r) {
    if (r == half_full_rounds) {
      for (const std::uint32_t constant : lowered<Width>.partial) {
        const vec first = sbox(x[0], constant);
        if constexpr (Record) {
          store(first, record);
          record += lanes;
        }
        mix_internal<Width>(x, first);
      }
    }
    full_round<Width>(x, lowered<Width>.full[r].data());
    if constexpr (Record) {
      NEXUS_UNROLL
      for (std::size_t i = 0; i < Width; ++i) {
        store(x[i], record + i * lanes);
      }
      record += Width * lanes;
    }
  }
  NEXUS_UNROLL
  for (std::size_t i = 0; i < Width; ++i) {
    state[i] = x[i];
  }
}

[[maybe_unused]] static HWY_NOINLINE void permute_24(vec* state) {
  run_permutation<24, false>(state, nullptr);
}
[[maybe_unused]] static HWY_NOINLINE void permute_16(vec* state) {
  run_permutation<16, false>(state, nullptr);
}
[[maybe_unused]] static HWY_NOINLINE void permute_24(vec* state,
                                                     std::uint32_t* record) {
  run_permutation<24, true>(state, record);
}

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
