// The two hashes of the Merkle trees: a sponge without padding over Poseidon2
// of width 24 for rows, and a truncated permutation of width 16 for pairs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "prover/poseidon2.hpp"

namespace nexus::prover {

inline constexpr std::size_t sponge_rate = 16;

using digest = std::array<fp, 8>;

inline digest first_eight(std::span<const fp> state) noexcept {
  digest out;
  std::copy_n(state.begin(), out.size(), out.begin());
  return out;
}

// Hashes a row that comes in pieces of any length. Each block overwrites the
// rate; a partial last block leaves the stale elements behind it, so only rows
// of one length may be hashed under one commitment.
class row_hasher {
 public:
  void absorb(std::span<const fp> values) noexcept {
    for (const fp value : values) {
      state_[filled_++] = value;
      if (filled_ == sponge_rate) {
        permute(state_);
        filled_ = 0;
      }
    }
  }

  // A whole block at once; nothing may be pending.
  void absorb_block(const fp* values) noexcept {
    std::copy_n(values, sponge_rate, state_.begin());
    permute(state_);
  }

  [[nodiscard]] digest finish() noexcept {
    if (filled_ != 0) {
      permute(state_);
      filled_ = 0;
    }
    return first_eight(state_);
  }

 private:
  poseidon2_state<24> state_{};
  std::size_t filled_ = 0;
};

inline digest hash_row(std::span<const fp> values) noexcept {
  row_hasher hasher;
  hasher.absorb(values);
  return hasher.finish();
}

inline digest compress(const digest& left, const digest& right) noexcept {
  poseidon2_state<16> state;
  std::copy(left.begin(), left.end(), state.begin());
  std::copy(right.begin(), right.end(), state.begin() + 8);
  permute(state);
  return first_eight(state);
}

}  // namespace nexus::prover
