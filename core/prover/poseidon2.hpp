// The Poseidon2 permutation over KoalaBear, widths 16 and 24: S-box x^3, four
// full rounds, 20 or 23 partial ones, four full rounds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "prover/field.hpp"
#include "prover/poseidon2_constants.hpp"

namespace nexus::prover {

inline constexpr std::size_t half_full_rounds = 4;

template <std::size_t Width>
using poseidon2_state = std::array<fp, Width>;

// The constants as field elements.
template <std::size_t Width>
struct poseidon2_table {
  static constexpr std::size_t partial_rounds =
      poseidon2_integers<Width>::partial_rounds;
  std::array<std::array<fp, Width>, 2 * half_full_rounds> full{};
  std::array<fp, partial_rounds> partial{};
  std::array<fp, Width> diagonal{};

  constexpr poseidon2_table() noexcept {
    using integers = poseidon2_integers<Width>;
    for (std::size_t r = 0; r < full.size(); ++r) {
      for (std::size_t i = 0; i < Width; ++i) {
        full[r][i] = fp::from(integers::full[r][i]);
      }
    }
    for (std::size_t r = 0; r < partial_rounds; ++r) {
      partial[r] = fp::from(integers::partial[r]);
    }
    for (std::size_t i = 0; i < Width; ++i) {
      diagonal[i] = fp::from(integers::diagonal[i]);
    }
  }
};

template <std::size_t Width>
inline constexpr poseidon2_table<Width> poseidon2{};

// What the AIR records of one permutation of width 24: the state after every
// full round and the S-box of every partial one, in order.
inline constexpr std::size_t poseidon2_record =
    2 * half_full_rounds * 24 + poseidon2_table<24>::partial_rounds;

void permute(poseidon2_state<16>& state) noexcept;
void permute(poseidon2_state<24>& state) noexcept;
// record: room for poseidon2_record elements.
void permute(poseidon2_state<24>& state, fp* record) noexcept;

template <class V>
V cube(const V& x) noexcept {
  return x * x * x;
}

// One group of four times [[2,3,1,1],[1,2,3,1],[1,1,2,3],[3,1,1,2]].
template <class V>
void mix_four(V* x) noexcept {
  const V ab = x[0] + x[1];
  const V cd = x[2] + x[3];
  const V all = ab + cd;
  const V all_b = all + x[1];
  const V all_d = all + x[3];
  const V a2 = x[0] + x[0];
  x[0] = all_b + ab;
  x[1] = all_b + x[2] + x[2];
  x[2] = all_d + cd;
  x[3] = all_d + a2;
}

// M_E: mix_four on each group, then to each element the sum of all elements of
// its place in a group. V: any type with +; elements must not overflow 49-fold.
template <std::size_t Width, class V>
void mix_external(V* x) noexcept {
  std::array<V, 4> sums;
  for (std::size_t g = 0; g < Width; g += 4) {
    mix_four(x + g);
    for (std::size_t i = 0; i < 4; ++i) {
      sums[i] = g == 0 ? x[i] : sums[i] + x[g + i];
    }
  }
  for (std::size_t i = 0; i < Width; ++i) {
    x[i] = x[i] + sums[i % 4];
  }
}

// M_I: y_i = d_i x_i + the sum of all x.
template <std::size_t Width, class V>
void mix_internal(V* x) noexcept {
  V sum = x[0];
  for (std::size_t i = 1; i < Width; ++i) {
    sum = sum + x[i];
  }
  for (std::size_t i = 0; i < Width; ++i) {
    x[i] = x[i] * poseidon2<Width>.diagonal[i] + sum;
  }
}

// x mod p up to one p too many: below 1.4 * 2^31 for x < 50 * p, so that its
// square is below p * 2^32. 2^31 = 2^24 - 1 mod p.
constexpr std::uint32_t fold_word(std::uint64_t x) noexcept {
  const auto high = static_cast<std::uint32_t>(x >> 31);
  return (static_cast<std::uint32_t>(x) & 0x7fffffff) + (high << 24) - high;
}

// x mod p, for x < 50 * p.
constexpr fp reduce_word(std::uint64_t x) noexcept {
  const std::uint32_t word = fold_word(x);
  return fp::from_word(word >= modulus ? word - modulus : word);
}

}  // namespace nexus::prover
