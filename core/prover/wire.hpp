// Proofs as bytes: Plonky3's structs in postcard's encoding. Field elements are
// varints of their Montgomery words.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>

#include "base/bytes.hpp"
#include "prover/proof.hpp"

namespace nexus::prover {

bytes encode(const segment_stark& proof, const proof_shape& shape);

// Every value has one encoding, and any other is refused: lengths and tags that
// are not the shape's, words that are no element, over-long varints, bytes
// left over. invalid_data says at which byte. Takes memory in proportion to the
// shape, whatever the data.
result<segment_stark> decode(byte_view data, const proof_shape& shape);

// No encoding of such a proof is longer, in bytes.
std::uint64_t encoded_limit(const proof_shape& shape) noexcept;

}  // namespace nexus::prover
