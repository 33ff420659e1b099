// The constraints that make a trace a computation of a segment's digest.
//
// A row has 247 columns: the state before a permutation of width 24, what
// poseidon2_record lists (these 239 are Plonky3's own Poseidon2 AIR), and the
// root sponge's capacity. The 271 constraints have degree 3 and come in four
// groups, in the order in which Plonky3 emits them: those of every row, of the
// first one, of every row but the last, and of the last one. Group selectors
// are applied by the caller, once per group.
//
// V is the field that rows are given over, fp or ext. Each function calls
// emit(value) once per constraint.
#pragma once

#include <array>
#include <cstddef>

#include "prover/poseidon2.hpp"
#include "prover/segment.hpp"

namespace nexus::prover {

namespace column {
inline constexpr std::size_t input = 0;
inline constexpr std::size_t record = 24;
inline constexpr std::size_t top = record + poseidon2_record;
// The state after the permutation.
inline constexpr std::size_t output = top - 24;
inline constexpr std::size_t count = top + 8;
}  // namespace column
static_assert(column::count == 247);

namespace constraint {
inline constexpr std::size_t every_row = poseidon2_record;
inline constexpr std::size_t first_row = 16;
inline constexpr std::size_t transition = 32;
inline constexpr std::size_t last_row = 8;
inline constexpr std::size_t count =
    every_row + first_row + transition + last_row;
}  // namespace constraint
static_assert(constraint::count == 271);

// A constraint of degree 3 has a quotient of degree below twice the rows.
inline constexpr std::size_t quotient_chunks = 2;
inline constexpr std::size_t log_quotient_chunks = 1;

inline void mix_external_state(fp* x) noexcept {
  std::array<std::uint64_t, 24> words;
  for (std::size_t i = 0; i < 24; ++i) {
    words[i] = x[i].word();
  }
  mix_external<24>(words.data());
  for (std::size_t i = 0; i < 24; ++i) {
    x[i] = reduce_word(words[i]);
  }
}

inline void mix_external_state(ext* x) noexcept {
  mix_external<24>(x);
}

// A full round's 24 equalities between what follows from `state` and what the
// row says, which becomes the state.
template <class V, class Emit>
void full_round_constraints(std::array<V, 24>& state,
                            const std::array<fp, 24>& constants,
                            const V* recorded, Emit& emit) {
  for (std::size_t i = 0; i < 24; ++i) {
    state[i] = cube(state[i] + constants[i]);
  }
  mix_external_state(state.data());
  for (std::size_t i = 0; i < 24; ++i) {
    emit(state[i] - recorded[i]);
    state[i] = recorded[i];
  }
}

// Every row is one permutation.
template <class V, class Emit>
void every_row_constraints(const V* row, Emit&& emit) {
  const auto& table = poseidon2<24>;
  std::array<V, 24> state;
  std::copy_n(row + column::input, 24, state.begin());
  const V* recorded = row + column::record;
  mix_external_state(state.data());
  for (std::size_t r = 0; r < half_full_rounds; ++r, recorded += 24) {
    full_round_constraints(state, table.full[r], recorded, emit);
  }
  for (const fp constant : table.partial) {
    emit(cube(state[0] + constant) - *recorded);
    state[0] = *recorded++;
    mix_internal<24>(state.data());
  }
  for (std::size_t r = half_full_rounds; r < table.full.size();
       ++r, recorded += 24) {
    full_round_constraints(state, table.full[r], recorded, emit);
  }
}

// The first row starts a leaf, and the root sponge from its public capacity.
template <class V, class Emit>
void first_row_constraints(const V* row, const public_values& publics,
                           Emit&& emit) {
  for (std::size_t j = 0; j < 8; ++j) {
    emit(row[column::input + 16 + j] - leaf_capacity[j]);
  }
  for (std::size_t j = 0; j < 8; ++j) {
    emit(row[column::top + j] - publics[8 + j]);
  }
}

// What a row says about the one after it. to_combine: 1 where the next row is a
// combine row, to_leaf: 1 where it starts a leaf; columns of period 256. Of
// `next`, only the input and top columns are read.
template <class V, class Emit>
void transition_constraints(const V* row, const V* next, const V& to_combine,
                            const V& to_leaf, Emit&& emit) {
  const V* in = next + column::input;
  const V* out = row + column::output;
  const V* top = row + column::top;
  for (std::size_t j = 0; j < 8; ++j) {
    const V& chained = out[16 + j];
    emit(in[16 + j] - chained - to_combine * (top[j] - chained) +
         to_leaf * (chained - leaf_capacity[j]));
  }
  for (std::size_t j = 0; j < 8; ++j) {
    emit(to_combine * (in[j] - out[j]));
  }
  for (std::size_t j = 8; j < 16; ++j) {
    emit(to_combine * in[j]);
  }
  for (std::size_t j = 0; j < 8; ++j) {
    emit(next[column::top + j] - top[j] - to_leaf * (out[16 + j] - top[j]));
  }
}

// The last row, a combine row, yields the digest.
template <class V, class Emit>
void last_row_constraints(const V* row, const public_values& publics,
                          Emit&& emit) {
  for (std::size_t j = 0; j < 8; ++j) {
    emit(row[column::output + j] - publics[j]);
  }
}

// The periodic columns as functions of y = x^(rows / 256), where x is where the
// row is evaluated: the interpolants over the 256th roots of unity of what is 1
// at position 254 (to_combine) or 255 (to_leaf) and 0 elsewhere. y must be no
// such root. L_k(y) = w^k (y^256 - 1) / (256 (y - w^k)).
template <class V>
struct periodic_columns {
  V to_combine;
  V to_leaf;

  explicit periodic_columns(const V& y) noexcept {
    const fp last = inverse(root_of_unity(log_leaf_rows));  // w^255
    const fp before = last * last;
    V shared = y;
    for (std::size_t i = 0; i < log_leaf_rows; ++i) {
      shared = shared * shared;
    }
    shared = (shared - one) * inverse(fp::from(leaf_rows));
    to_combine = shared * before * inverse(y - before);
    to_leaf = shared * last * inverse(y - last);
  }
};

}  // namespace nexus::prover
