// FRI as the prover and the verifier share it: parameters, rounds and folds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "prover/field.hpp"

namespace nexus::prover {

// What a proof may be made with. The named profiles differ in these alone.
struct proof_parameters {
  unsigned queries = 0;
  unsigned pow_bits = 0;  // of the work before the queries, up to 30
};

// Codewords are twice as long as what they encode.
inline constexpr unsigned log_blowup = 1;
// A round folds by up to 8.
inline constexpr unsigned max_log_arity = 3;
// Folding ends at a polynomial of 32 coefficients.
inline constexpr unsigned log_final_length = 5;
inline constexpr std::size_t final_length = std::size_t{1} << log_final_length;

// log2 of how much each round folds by, for a trace of 2^log_rows rows.
std::vector<unsigned> fri_arities(unsigned log_rows);

// (low + high) / 2 + beta (low - high) / (2 x): the even part plus beta times
// the odd part of a polynomial that is `low` at x and `high` at -x. x_inverse
// is 1 / x.
inline ext fold_pair(const ext& low, const ext& high, const ext& beta,
                     fp x_inverse) noexcept {
  return ((low + high) + (low - high) * beta * x_inverse) * half;
}

// Folds group number `group` of a codeword of 2^log_length values in
// bit-reversed order to one value. values: the whole group, 2, 4 or 8 values.
ext fold_group(std::span<const ext> values, std::uint64_t group,
               unsigned log_length, ext beta) noexcept;

}  // namespace nexus::prover
