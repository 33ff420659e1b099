// What prover and verifier tell the challenger, and when: the steps of the
// protocol in their order. Each returns the challenge that follows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "prover/challenger.hpp"
#include "prover/proof.hpp"
#include "prover/segment.hpp"

namespace nexus::prover {

// All challenges of one proof.
struct challenges {
  ext alpha;      // folds the constraints
  ext zeta;       // where polynomials are opened
  ext fri_alpha;  // folds the opened columns
  std::vector<ext> betas;
  std::vector<std::uint32_t> queries;  // positions in the codewords
};

class transcript {
 public:
  ext start(unsigned log_rows, const digest& trace_commitment,
            const public_values& publics) noexcept;
  ext commit_quotient(const digest& commitment) noexcept;
  ext open(const segment_stark& proof) noexcept;
  ext commit_round(const digest& commitment) noexcept;
  // Before the proof of work.
  void finish_folding(const segment_stark& proof) noexcept;
  [[nodiscard]] grinding_state grinding() const noexcept {
    return challenger_.grinding();
  }
  // Whether the work was done.
  [[nodiscard]] bool work(fp witness, unsigned bits) noexcept {
    return challenger_.check_witness(witness, bits);
  }
  std::vector<std::uint32_t> draw_queries(const proof_shape& shape);

 private:
  challenger challenger_;
};

}  // namespace nexus::prover
