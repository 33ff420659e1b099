// The bulk work of proving a segment: what a backend supplies. The protocol
// calls these in one order on one thread and never looks inside what they
// return, so that it may lie on another device.
//
// Codewords lie on the coset g * K, with g the field's generator and K the
// subgroup of twice as many elements as the trace has rows. Everywhere, entry r
// of a domain of 2^k elements belongs to the power reverse_bits(r, k) of the
// domain's generator; the order within the storage is the backend's own.
//
// Every result must be the very values that the formulas give: they are exact,
// and proofs are compared byte for byte. Errors are device_failed,
// out_of_memory and the like; they end the proof.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nexus/status.hpp>
#include <span>
#include <vector>

#include "prover/challenger.hpp"
#include "prover/segment.hpp"
#include "prover/sponge.hpp"

namespace nexus::prover {

// Base field values in columns, one column a polynomial.
class matrix {
 public:
  matrix(unsigned log_height, std::size_t width) noexcept
      : log_height_(log_height), width_(width) {}
  virtual ~matrix() = default;
  matrix(const matrix&) = delete;
  matrix& operator=(const matrix&) = delete;

  [[nodiscard]] unsigned log_height() const noexcept { return log_height_; }
  [[nodiscard]] std::size_t width() const noexcept { return width_; }

 protected:
  unsigned log_height_;
  std::size_t width_;
};

// One codeword of extension field values.
class codeword {
 public:
  explicit codeword(unsigned log_length) noexcept : log_length_(log_length) {}
  virtual ~codeword() = default;
  codeword(const codeword&) = delete;
  codeword& operator=(const codeword&) = delete;

  [[nodiscard]] unsigned log_length() const noexcept { return log_length_; }

 private:
  unsigned log_length_;
};

// One layer of a Merkle tree.
class layer {
 public:
  explicit layer(unsigned log_length) noexcept : log_length_(log_length) {}
  virtual ~layer() = default;
  layer(const layer&) = delete;
  layer& operator=(const layer&) = delete;

  [[nodiscard]] unsigned log_length() const noexcept { return log_length_; }

 private:
  unsigned log_length_;
};

using matrix_ptr = std::unique_ptr<matrix>;
using codeword_ptr = std::unique_ptr<codeword>;
using layer_ptr = std::unique_ptr<layer>;
using matrix_views = std::span<const matrix* const>;

struct segment_witness {
  matrix_ptr trace;  // 2^log_rows x 247, on the subgroup of its size
  digest root;       // the segment's digest
};

// That the columns of `codewords` take `values` at `point`; one value a column.
struct opening {
  const matrix* codewords = nullptr;
  ext point;
  std::span<const ext> values;
};

class backend {
 public:
  virtual ~backend() = default;

  // The trace, see air.hpp. data: as many bytes as the statement says.
  virtual result<segment_witness> make_witness(
      byte_view data, const segment_statement& statement) = 0;

  // Low-degree extension: from n values a column on shift * H to 2n on g * K.
  virtual result<matrix_ptr> extend(matrix_ptr values, fp shift) = 0;

  // Hash r is that of row r of all matrices, one after the other (row_hasher).
  // All have one height.
  virtual result<layer_ptr> hash_rows(matrix_views matrices) = 0;

  // Hash g is that of the 4 * 2^log_arity base elements of group g of the
  // codeword's consecutive values.
  virtual result<layer_ptr> hash_groups(const codeword& values,
                                        unsigned log_arity) = 0;

  // Hash i is that of hashes 2i and 2i + 1.
  virtual result<layer_ptr> compress_pairs(const layer& hashes) = 0;

  // The quotient of sum over k of alpha^(270 - k) times constraint k by
  // Z = x^n - 1, on g * K: selectors are Z / (x - 1) for the first row,
  // Z / (x - 1/w) for the last one and x - 1/w for transitions, with w the
  // root of unity of order n. trace: extended. Returns its values at the
  // domain's even and at its odd powers: two matrices of n x 4, on g * H and
  // on g * w_2n * H.
  virtual result<std::array<matrix_ptr, 2>> make_quotient(
      const matrix& trace, const public_values& publics, const ext& alpha) = 0;

  // The value of every column at every point, all of the first point first.
  // codewords: extended. No point lies on g * K.
  virtual result<std::vector<ext>> evaluate(const matrix& codewords,
                                            std::span<const ext> points) = 0;

  // At every x of g * K, the sum over the openings, and over k below the width
  // of each, of alpha^(offset + k) (value_k - codeword_k(x)) / (point - x);
  // the offset counts the columns of the openings before.
  virtual result<codeword_ptr> reduce_openings(
      std::span<const opening> openings, const ext& alpha) = 0;

  // Folds log_arity (1..3) times, see fold_pair: with beta, beta^2 and beta^4.
  // As if on the subgroup K, without g.
  virtual result<codeword_ptr> fold(const codeword& values, const ext& beta,
                                    unsigned log_arity) = 0;

  // Row by row, those of all matrices, one after the other.
  virtual result<std::vector<fp>> gather_rows(
      matrix_views matrices, std::span<const std::uint32_t> rows) = 0;
  // Whole groups of 2^log_arity values.
  virtual result<std::vector<ext>> gather_groups(
      const codeword& values, unsigned log_arity,
      std::span<const std::uint32_t> groups) = 0;
  virtual result<std::vector<digest>> gather_hashes(
      const layer& hashes, std::span<const std::uint32_t> positions) = 0;

  // The smallest canonical witness that earns() `bits` bits.
  virtual result<std::uint32_t> grind(const grinding_state& state,
                                      unsigned bits) = 0;
};

}  // namespace nexus::prover
