// The prover over any backend, for any parameters.
#pragma once

#include <functional>
#include <nexus/status.hpp>
#include <stop_token>

#include "base/bytes.hpp"
#include "prover/backend.hpp"
#include "prover/proof.hpp"
#include "prover/segment.hpp"
#include "prover/transcript.hpp"

namespace nexus::prover {

// In the order in which they begin; each is a call or a few of the backend.
enum class phase {
  witness,
  extend_trace,
  commit_trace,
  quotient,
  commit_quotient,
  open,
  reduce,
  fold,
  grind,
  answer,
};

struct prove_hooks {
  std::stop_token stop;               // polled before every phase
  std::function<void(phase)> begins;  // may be empty
};

struct proved_segment {
  segment_stark proof;
  proof_shape shape;
  digest root;
  challenges drawn;
};

// Errors: the backend's; cancelled. data: as long as the statement says, and
// the statement checked.
result<proved_segment> prove_stark(backend& device, byte_view data,
                                   const segment_statement& statement,
                                   const proof_parameters& parameters,
                                   proof_wire wire,
                                   const prove_hooks& hooks = {});

}  // namespace nexus::prover
