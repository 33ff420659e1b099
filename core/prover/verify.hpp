// The verifier, for any parameters; profiles are the public API's.
#pragma once

#include <nexus/status.hpp>

#include "base/bytes.hpp"
#include "prover/proof.hpp"
#include "prover/segment.hpp"
#include "prover/simd/isa.hpp"
#include "prover/transcript.hpp"

namespace nexus::prover {

// See verify_segment. root: the digest that is expected.
status verify_stark(byte_view proof, const segment_statement& statement,
                    const digest& root, const proof_parameters& parameters,
                    proof_wire wire, prover_isa isa = isa_in_use());

// Where both sides of the constraints' equation are compared: the quotient at
// zeta as its chunks give it, and as the opened rows do. Zero is no zeta: it
// must not be a root of unity of the rows' order.
[[nodiscard]] bool check_constraints(const segment_stark& proof,
                                     const public_values& publics,
                                     const challenges& drawn,
                                     unsigned log_rows);

}  // namespace nexus::prover
