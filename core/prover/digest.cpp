#include <new>

#include "prover/segment.hpp"

namespace nexus {

result<segment_digest> digest_segment(std::span<const std::byte> data,
                                      const segment_position& position) {
  const prover::segment_statement statement{data.size(), position};
  if (status bad = statement.check(); !bad.ok()) {
    return bad;
  }
  const auto root = prover::absorb_segment(
      data, statement,
      [](std::uint64_t, prover::poseidon2_state<24>& state,
         const prover::capacity&) { prover::permute(state); });
  return prover::to_integers(root);
}

}  // namespace nexus
