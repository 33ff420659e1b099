#include <algorithm>
#include <new>
#include <vector>

#include "prover/segment.hpp"
#include "prover/simd/simd_backend.hpp"

namespace nexus {
namespace prover {
namespace {

// The root sponge over the leaves' digests, which are made some at a time.
digest absorb_with(prover_isa isa, byte_view data,
                   const segment_statement& statement) {
  std::array<digest, 64> leaves;
  const std::size_t count = statement.rows() / leaf_rows;
  capacity top = statement.top();
  poseidon2_state<24> state;
  for (std::size_t leaf = 0; leaf < count; ++leaf) {
    const std::size_t at = leaf % leaves.size();
    if (at == 0) {
      digest_leaves(
          isa, data, leaf,
          std::span(leaves).first(std::min(leaves.size(), count - leaf)));
    }
    state.fill(fp{});
    std::copy(leaves[at].begin(), leaves[at].end(), state.begin());
    std::copy(top.begin(), top.end(), state.begin() + 16);
    permute(state);
    std::copy(state.begin() + 16, state.end(), top.begin());
  }
  return first_eight(state);
}

}  // namespace

digest digest_with(prover_isa isa, byte_view data,
                   const segment_statement& statement) {
  if (isa != prover_isa::scalar) {
    return absorb_with(isa, data, statement);
  }
  return absorb_segment(data, statement,
                        [](std::uint64_t, poseidon2_state<24>& state,
                           const capacity&) { permute(state); });
}

}  // namespace prover

result<segment_digest> digest_segment(std::span<const std::byte> data,
                                      const segment_position& position) {
  const prover::segment_statement statement{data.size(), position};
  if (status bad = statement.check(); !bad.ok()) {
    return bad;
  }
  return prover::to_integers(
      prover::digest_with(prover::isa_in_use(), data, statement));
}

}  // namespace nexus
