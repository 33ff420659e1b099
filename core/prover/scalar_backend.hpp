// The plain backend: one thread, portable C++, no vector instructions. It keeps
// no state, so that one object may serve any number of proofs and threads.
#pragma once

#include "prover/backend.hpp"

namespace nexus::prover {

class scalar_backend : public backend {
 public:
  result<segment_witness> make_witness(
      byte_view data, const segment_statement& statement) override;
  result<matrix_ptr> extend(matrix_ptr values, fp shift) override;
  result<layer_ptr> hash_rows(matrix_views matrices) override;
  result<layer_ptr> hash_groups(const codeword& values,
                                unsigned log_arity) override;
  result<layer_ptr> compress_pairs(const layer& hashes) override;
  result<std::array<matrix_ptr, 2>> make_quotient(const matrix& trace,
                                                  const public_values& publics,
                                                  const ext& alpha) override;
  result<std::vector<ext>> evaluate(const matrix& codewords,
                                    std::span<const ext> points) override;
  result<codeword_ptr> reduce_openings(std::span<const opening> openings,
                                       const ext& alpha) override;
  result<codeword_ptr> fold(const codeword& values, const ext& beta,
                            unsigned log_arity) override;
  result<std::vector<fp>> gather_rows(
      matrix_views matrices, std::span<const std::uint32_t> rows) override;
  result<std::vector<ext>> gather_groups(
      const codeword& values, unsigned log_arity,
      std::span<const std::uint32_t> groups) override;
  result<std::vector<digest>> gather_hashes(
      const layer& hashes, std::span<const std::uint32_t> positions) override;
  result<std::uint32_t> grind(const grinding_state& state,
                              unsigned bits) override;
};

}  // namespace nexus::prover
