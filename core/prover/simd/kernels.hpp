// What is compiled once per instruction set. A kernel works on a range of
// plain memory on the calling thread, takes its counts in whole vectors
// (multiples of `lanes`, unless it says otherwise), and keeps nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "prover/challenger.hpp"
#include "prover/host_storage.hpp"
#include "prover/segment.hpp"
#include "prover/simd/isa.hpp"

namespace nexus::prover {

// Consecutive values of each row: `width` (up to 16) at first + row * stride.
// A whole block of 16 may be read.
struct row_piece {
  const fp* first;
  std::size_t stride;
  std::size_t width;
};

struct hash_kernels {
  // Up to `lanes` leaves of a segment from leaf `first` on: their digests, and
  // with a trace, the rows of their data up to the columns of the root
  // sponge's capacity, each at its bit-reversed place.
  void (*absorb_leaves)(byte_view data, std::size_t first, std::size_t count,
                        digest* out, host_matrix* trace);
  // Row r is that of all pieces.
  void (*hash_rows)(std::span<const row_piece> pieces, std::size_t first,
                    std::size_t count, digest* out);
  // out[i] from pairs[2 i] and pairs[2 i + 1].
  void (*compress)(const digest* pairs, std::size_t count, digest* out);
  // The smallest of the witnesses from `first` on that earns the bits, below
  // first + count; otherwise first + count. count: up to the next one that is
  // no field element.
  std::uint32_t (*grind)(const grinding_state& state, unsigned bits,
                         std::uint32_t first, std::uint32_t count);
  // Permutes `lanes` states `times` over. states: element i of all of them,
  // then element i + 1.
  void (*permute_24)(fp* states, std::size_t times);
  void (*permute_16)(fp* states, std::size_t times);
};

// Transforms of 16 columns side by side, see ntt.hpp; narrower panels are taken
// as `1 << log_side` rows side by side.
struct transform_plan {
  unsigned log_rows;
  unsigned log_side;
  // Twiddles of all layers, and each times p^-1 mod 2^32; the layer of blocks
  // of 2^m rows begins at entry 2^(log_rows - m).
  struct table {
    const std::uint32_t* factor;
    const std::uint32_t* quotient;
  };
  table back;
  table even;
  table odd;
  // 1 / rows.
  fp scale;
};

struct transform_kernels {
  // Fills the tables of `shift`: 2^log_rows entries each, the first one unused.
  // twiddles: of 2^log_rows at least, forward or backward.
  void (*make_table)(const fp* twiddles, unsigned log_rows, fp shift,
                     std::uint32_t* factor, std::uint32_t* quotient);
  // One panel, from values on a coset to values on two (see backend::extend).
  // scratch: extend_scratch(plan) words.
  void (*extend)(const transform_plan& plan, fp* panel, std::uint32_t* scratch);
};

// Words.
[[nodiscard]] std::size_t extend_scratch(unsigned log_rows) noexcept;

// Sums of products are made of centred factors: one of elements whose words are
// less this, and one of elements within (p - 1) / 2 of zero.
inline constexpr std::uint32_t centring = (modulus - 1) / 2;

using centred_ext = std::array<std::int32_t, 4>;

[[nodiscard]] centred_ext centred(const ext& x) noexcept;

// 1 / (z - x) for many x of the base field is -q(x) / m(x), with m the product
// of X - y over the four conjugates y of z, and q that over the other three.
struct reciprocal {
  explicit reciprocal(const ext& z) noexcept;
  std::array<ext, 3> q;  // of 1, x and x^2; that of x^3 is one
  std::array<fp, 4> m;   // of 1 to x^3; that of x^4 is one
};

struct quotient_job {
  const host_matrix* trace;
  const fp* points;  // of the extended domain
  // Powers of alpha in the order of the constraints.
  const centred_ext* alphas;
  // By group of constraints, what the centring of their values takes away.
  std::array<ext, 4> corrections;
  const fp* to_combine;  // by exponent mod 512
  const fp* to_leaf;
  public_values publics;
  std::array<fp, 2> zerofier_inverse;
  fp last_point;
  std::array<host_matrix*, 2> chunks;
};

// See backend::reduce_openings.
struct opening_term {
  std::size_t matrix;  // their places in the job's lists
  std::size_t point;
  ext value;   // the sum of alpha^k value_k
  ext factor;  // alpha^offset
};

inline constexpr std::size_t most_reduced = 4;

struct reduce_job {
  std::span<const host_matrix* const> matrices;  // up to most_reduced
  std::span<const reciprocal> points;            // up to most_reduced
  std::span<const opening_term> terms;
  const fp* domain;
  const centred_ext* alphas;
  // By matrix, what the centring of its columns takes away.
  const ext* corrections;
  ext* out;
};

struct quotient_kernel {
  void (*evaluate)(const quotient_job& job, std::size_t first,
                   std::size_t count);
};

struct row_kernels {
  // shift times the twiddles, each with its negative; count: of twiddles.
  void (*make_points)(const fp* twiddles, std::size_t count, fp shift, fp* out);
  // x / (z - x) for `count` points x, a multiple of `lanes`.
  void (*weigh)(const reciprocal& z, const fp* points, std::size_t count,
                centred_ext* out);
  // Adds to each of 16 sums the products of a column of a panel, less
  // `centring`, and the rows' weights.
  void (*sum_columns)(const row_piece& panel, std::size_t rows,
                      const centred_ext* weights, ext* sums);
  void (*reduce)(const reduce_job& job, std::size_t first, std::size_t count);
  // Folds groups of 2^log_arity values, see fold_pair. halves: of beta, beta^2
  // and beta^4. twiddles: backward.
  void (*fold)(const ext* values, unsigned log_arity, const fp* twiddles,
               const ext* halves, std::size_t first, std::size_t count,
               ext* out);
};

struct counted_target {
  std::size_t lanes;
  const char* name;  // Highway's
  // How many of the hash kernels have run in this process.
  std::uint64_t (*runs)();
};

struct kernel_set {
  prover_isa isa;
  const counted_target& target;
  const hash_kernels& hash;
  const transform_kernels& transforms;
  const row_kernels& rows;
  const quotient_kernel& quotients;
};

// nullptr for scalar, and where the build or the machine has it not.
[[nodiscard]] const kernel_set* kernels_of(prover_isa isa) noexcept;

}  // namespace nexus::prover
