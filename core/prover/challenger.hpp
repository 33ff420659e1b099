// The transcript's sponge: Plonky3's DuplexChallenger of width 24 and rate 16,
// as of its release 0.6.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "prover/poseidon2.hpp"

namespace nexus::prover {

// A challenger that has been told everything but a proof-of-work witness: with
// the witness in place of state[slot], the challenge is the last element of the
// rate after one permutation.
struct grinding_state {
  poseidon2_state<24> state;
  std::size_t slot = 0;
};

class challenger {
 public:
  void observe(fp value) noexcept;
  void observe(std::span<const fp> values) noexcept;
  void observe(const ext& value) noexcept { observe(std::span(value.c)); }

  [[nodiscard]] fp sample() noexcept;
  [[nodiscard]] ext sample_ext() noexcept;
  // The lowest bits (up to 30) of a sample's canonical integer.
  [[nodiscard]] std::uint32_t sample_bits(unsigned bits) noexcept;

  [[nodiscard]] grinding_state grinding() const noexcept;
  // Observes the witness; whether it earns `bits` zero bits. Without work to do
  // the witness must be zero, and is not observed.
  [[nodiscard]] bool check_witness(fp witness, unsigned bits) noexcept;

 private:
  static constexpr std::size_t rate = 16;
  void duplex() noexcept;

  poseidon2_state<24> state_{};
  std::array<fp, rate> pending_{};
  std::size_t pending_count_ = 0;
  // Outputs left to pop: state_[0..available_).
  std::size_t available_ = 0;
};

// Whether this witness earns `bits` zero bits. The smallest one does is the one
// that a serial build of Plonky3 finds.
[[nodiscard]] inline bool earns(const grinding_state& grinding,
                                std::uint32_t witness, unsigned bits) noexcept {
  auto state = grinding.state;
  state[grinding.slot] = fp::from_canonical(witness);
  permute(state);
  return (state[15].canonical() & ((std::uint32_t{1} << bits) - 1)) == 0;
}

}  // namespace nexus::prover
