// The statement that a segment's proof is about: how bytes become rows of field
// elements, and the two-level sponge over them.
//
// A row absorbs 60 bytes. 255 data rows and a combine row make a leaf: a sponge
// of its own, whose digest the combine row absorbs into the root sponge. The
// root sponge's capacity ("top") starts from the segment's length and position.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <nexus/prover.hpp>
#include <nexus/status.hpp>

#include "base/bytes.hpp"
#include "prover/sponge.hpp"

namespace nexus::prover {

inline constexpr std::size_t row_bytes = 60;
inline constexpr std::size_t leaf_rows = segment_leaf_rows;
inline constexpr std::size_t log_leaf_rows = 8;

using capacity = std::array<fp, 8>;
// The digest, then the root sponge's first capacity.
using public_values = std::array<fp, 16>;

// "LEAF" in the first element.
inline constexpr capacity leaf_capacity = {
    fp::from(0x4c454146), fp{}, fp{}, fp{}, fp{}, fp{}, fp{}, fp{}};

struct segment_statement {
  std::uint64_t length = 0;  // bytes
  segment_position position;

  [[nodiscard]] std::uint64_t rows() const noexcept {
    return segment_rows(length);
  }
  [[nodiscard]] unsigned log_rows() const noexcept {
    return log2_exact(rows());
  }
  // "NXP" and the statement's version, the length and the index in halves of
  // 30 bits, flags, log2 of the rows, zero.
  [[nodiscard]] capacity top() const noexcept;
  [[nodiscard]] public_values publics(const digest& root) const noexcept;
  // invalid_argument where a value is out of range.
  [[nodiscard]] status check() const;
};

// The 16 lanes of a row, canonical integers below 2^30. data: the segment from
// the row's first byte on, which may end early: zeros then.
void unpack_row(byte_view data, std::uint32_t* lanes) noexcept;

// As elements.
void load_row(byte_view data, fp* lanes) noexcept;

// Runs the sponge over the segment and returns its digest. permute: called for
// every row in order as (row number, state, top); it permutes the state.
template <class Permute>
digest absorb_segment(byte_view data, const segment_statement& statement,
                      Permute&& permute_row) {
  const std::uint64_t rows = statement.rows();
  capacity top = statement.top();
  poseidon2_state<24> state;
  for (std::uint64_t first = 0; first < rows; first += leaf_rows) {
    state.fill(fp{});
    std::copy(leaf_capacity.begin(), leaf_capacity.end(), state.begin() + 16);
    for (std::uint64_t row = first; row < first + leaf_rows - 1; ++row) {
      load_row(data, state.data());
      data = data.subspan(std::min(row_bytes, data.size()));
      permute_row(row, state, top);
    }
    std::fill(state.begin() + 8, state.begin() + 16, fp{});
    std::copy(top.begin(), top.end(), state.begin() + 16);
    permute_row(first + leaf_rows - 1, state, top);
    std::copy(state.begin() + 16, state.end(), top.begin());
  }
  return first_eight(state);
}

// As integers, and back; false where one is no canonical integer.
segment_digest to_integers(const digest& value) noexcept;
[[nodiscard]] bool from_integers(const segment_digest& integers,
                                 digest& out) noexcept;

}  // namespace nexus::prover
