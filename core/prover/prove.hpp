// The prover over any backend, for any parameters.
#pragma once

#include <atomic>
#include <cstdint>
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

// What people are told: a phase or two make a step.
struct proof_step {
  std::uint32_t number = 0;  // from 1
  const char* name = "";
  phase first = phase::witness;  // that it begins with
};
inline constexpr std::uint32_t proof_steps = 6;

// The one that a phase belongs to.
constexpr proof_step step_of(phase of) noexcept {
  switch (of) {
    case phase::witness:
      return {1, "witness", phase::witness};
    case phase::extend_trace:
    case phase::commit_trace:
      return {2, "trace", phase::extend_trace};
    case phase::quotient:
    case phase::commit_quotient:
      return {3, "quotient", phase::quotient};
    case phase::open:
    case phase::reduce:
      return {4, "openings", phase::open};
    case phase::fold:
      return {5, "folding", phase::fold};
    case phase::grind:
    case phase::answer:
      break;
  }
  return {6, "queries", phase::grind};
}

// Stop requests are looked for ahead of and after every phase, and by
// prove_segment() ahead of every task of its team, so within milliseconds.
struct prove_hooks {
  std::stop_token stop;
  std::function<void(phase)> begins;  // may be empty
  // Asks to stop in the same way, for whoever has no token. May be nullptr.
  const std::atomic<bool>* cancelled = nullptr;

  [[nodiscard]] bool stopped() const noexcept {
    return stop.stop_requested() ||
           (cancelled != nullptr && cancelled->load(std::memory_order_relaxed));
  }
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
