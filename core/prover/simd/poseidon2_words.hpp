// Poseidon2's constants as vector code wants them.
#pragma once

#include <array>
#include <cstdint>

#include "prover/poseidon2.hpp"

namespace nexus::prover {

// Round constants less p, so that adding one to a word below p leaves the word
// between -p and p, which the S-box takes.
template <std::size_t Width>
struct lowered_constants {
  std::array<std::array<std::uint32_t, Width>, 2 * half_full_rounds> full{};
  std::array<std::uint32_t, poseidon2_table<Width>::partial_rounds> partial{};

  constexpr lowered_constants() noexcept {
    for (std::size_t r = 0; r < full.size(); ++r) {
      for (std::size_t i = 0; i < Width; ++i) {
        full[r][i] = poseidon2<Width>.full[r][i].word() - modulus;
      }
    }
    for (std::size_t r = 0; r < partial.size(); ++r) {
      partial[r] = poseidon2<Width>.partial[r].word() - modulus;
    }
  }
};

template <std::size_t Width>
inline constexpr lowered_constants<Width> lowered{};

// The elements of the internal diagonal from the ninth on are powers of two:
// 2^-k, negative ones as -k.
template <std::size_t Width>
struct diagonal_shifts;

template <>
struct diagonal_shifts<16> {
  static constexpr std::array<int, 7> value = {8, 3, 24, -8, -3, -4, -24};
};

template <>
struct diagonal_shifts<24> {
  static constexpr std::array<int, 15> value = {8,  2,  3,  4,  5,  6,  24, -8,
                                                -3, -4, -5, -6, -7, -9, -24};
};

// The first nine.
inline constexpr std::size_t small_diagonal = 9;

template <std::size_t Width>
constexpr bool shifts_are_the_diagonal() noexcept {
  for (std::size_t i = small_diagonal; i < Width; ++i) {
    const int shift = diagonal_shifts<Width>::value[i - small_diagonal];
    const fp magnitude =
        power(half, static_cast<std::uint64_t>(shift < 0 ? -shift : shift));
    if (poseidon2<Width>.diagonal[i] != (shift < 0 ? -magnitude : magnitude)) {
      return false;
    }
  }
  const std::array<fp, small_diagonal> first = {
      -fp::from(2), one,   fp::from(2),  half,         fp::from(3),
      fp::from(4),  -half, -fp::from(3), -fp::from(4),
  };
  for (std::size_t i = 0; i < small_diagonal; ++i) {
    if (poseidon2<Width>.diagonal[i] != first[i]) {
      return false;
    }
  }
  return true;
}
static_assert(shifts_are_the_diagonal<16>() && shifts_are_the_diagonal<24>());

}  // namespace nexus::prover
