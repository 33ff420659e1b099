// Hashes of many rows or pairs that lie anywhere, as the verifier has them.
#pragma once

#include <cstddef>
#include <span>

#include "prover/simd/isa.hpp"
#include "prover/sponge.hpp"

namespace nexus::prover {

// out[i]: hash_row() of row i of `out.size()` rows of one length, one after the
// other.
void hash_all(prover_isa isa, std::span<const fp> rows, std::span<digest> out);

// out[i]: compress() of pairs[2 i] and pairs[2 i + 1]. out may be the pairs'
// own first half.
void compress_all(prover_isa isa, std::span<const digest> pairs,
                  std::span<digest> out);

}  // namespace nexus::prover
