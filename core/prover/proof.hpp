// A segment's proof as values, in the shape that its segment and its parameters
// give it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nexus/prover.hpp>
#include <vector>

#include "prover/air.hpp"
#include "prover/fri.hpp"
#include "prover/sponge.hpp"

namespace nexus::prover {

// What all sizes follow from.
struct proof_shape {
  unsigned log_rows = 0;
  proof_parameters parameters;
  proof_wire wire = proof_wire::p3_0_6;

  // log2 of the length of a codeword.
  [[nodiscard]] unsigned log_length() const noexcept {
    return log_rows + log_blowup;
  }
};

// Of one Merkle tree, what shows that opened leaves are its own: a path per
// query, one after the other (0.6), or the siblings that do not follow from
// other opened leaves, each once (0.7); see merkle.hpp.
using siblings = std::vector<digest>;

// The opened rows of one tree's matrices, query after query.
struct opened_rows {
  std::vector<fp> values;
  siblings proof;
};

// The rest of each opened group of a FRI round, query after query.
struct opened_groups {
  unsigned log_arity = 0;
  std::vector<ext> values;
  siblings proof;
};

struct fri_round {
  digest commitment;
  fp witness;  // of no work: zero
  opened_groups opened;
};

struct segment_stark {
  digest trace_commitment;
  digest quotient_commitment;
  std::vector<ext> trace_local;  // at zeta
  std::vector<ext> trace_next;   // at zeta times the rows' root of unity
  std::array<std::vector<ext>, quotient_chunks> chunks;  // at zeta
  opened_rows trace;
  opened_rows quotient;
  std::vector<fri_round> rounds;
  std::vector<ext> final_polynomial;
  fp query_witness;
};

// With every vector sized, except that the siblings of 0.7 are empty: their
// number depends on the queries.
segment_stark make_stark(const proof_shape& shape);

}  // namespace nexus::prover
