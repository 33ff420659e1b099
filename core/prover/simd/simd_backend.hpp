// The backend on vector instructions, and the choice of a backend.
#pragma once

#include <memory>

#include "prover/scalar_backend.hpp"
#include "prover/simd/kernels.hpp"
#include "prover/task_team.hpp"

namespace nexus::prover {

// The kernels of one instruction set, cut into tasks for a team. Where there is
// less to do than a vector holds, the scalar backend does it. One proof at a
// time.
class simd_backend final : public scalar_backend {
 public:
  // Both must outlive the backend.
  simd_backend(const kernel_set& kernels, task_team& team) noexcept
      : kernels_(kernels), team_(team) {}

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
  result<std::uint32_t> grind(const grinding_state& state,
                              unsigned bits) override;

 private:
  // Rows of a task.
  static constexpr std::size_t task_rows = 1024;

  // Calls body(first, count) on pieces of 0..count, `piece` long at most.
  template <class Body>
  void in_pieces(std::size_t count, std::size_t piece, Body&& body) {
    team_.run((count + piece - 1) / piece, [&](std::size_t task) {
      const std::size_t first = task * piece;
      body(first, std::min(piece, count - first));
    });
  }

  [[nodiscard]] std::size_t lanes() const noexcept {
    return kernels_.target.lanes;
  }
  // Has the system hand out a trace's memory. The rows of one task of the
  // witness lie all over it, so that the first of them would take seconds.
  void touch(host_matrix& trace);
  layer_ptr hash_pieces(std::span<const row_piece> pieces, unsigned log_count);

  const kernel_set& kernels_;
  task_team& team_;
};

// A backend of this instruction set, which must be available. team: must
// outlive it; a scalar backend works alone.
std::unique_ptr<backend> make_backend(prover_isa isa, task_team& team);

// The digests of a segment's leaves from leaf `first` on. isa: not scalar.
void digest_leaves(prover_isa isa, byte_view data, std::size_t first,
                   std::span<digest> digests);

// A segment's digest.
digest digest_with(prover_isa isa, byte_view data,
                   const segment_statement& statement);

// The most memory that a proof takes at any moment, in bytes, on `threads`
// threads, on any instruction set.
[[nodiscard]] std::uint64_t host_memory_of(std::uint64_t rows,
                                           unsigned threads) noexcept;

}  // namespace nexus::prover
