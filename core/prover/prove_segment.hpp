// Proving on somebody else's threads, for those who have some to lend.
#pragma once

#include <nexus/prover.hpp>

#include "base/bytes.hpp"
#include "prover/prove.hpp"
#include "prover/task_team.hpp"

namespace nexus::prover {

// See nexus::prove_segment. options.threads is not looked at: the team does the
// work, and the proof is the same whoever is in it.
result<segment_proof> prove_segment(byte_view data,
                                    const segment_position& position,
                                    const proof_options& options,
                                    const prove_hooks& hooks, task_team& team);

}  // namespace nexus::prover
