#include "prover/verify.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "prover/merkle.hpp"
#include "prover/simd/batch_hash.hpp"
#include "prover/wire.hpp"

namespace nexus::prover {
namespace {

status refuse(const char* why) {
  return {status_code::invalid_data, std::string("segment proof: ") + why};
}

// Sums emitted constraints times alpha's powers, highest first.
class constraint_fold {
 public:
  explicit constraint_fold(const ext& alpha)
      : powers_(powers(alpha, constraint::count)), next_(powers_.size()) {}

  // The sum over one group, which is the next one in order.
  template <class Group>
  ext group(Group&& constraints) {
    ext sum{fp{}};
    constraints([&](const ext& value) { sum += value * powers_[--next_]; });
    return sum;
  }

 private:
  std::vector<ext> powers_;
  std::size_t next_;
};

// The folded constraints divided by Z, at zeta.
ext quotient_of_rows(const segment_stark& proof, const public_values& publics,
                     const challenges& drawn, unsigned log_rows,
                     const ext& zerofier_inverse) {
  const ext* row = proof.trace_local.data();
  const ext* next = proof.trace_next.data();
  const ext& zeta = drawn.zeta;
  const ext from_last = zeta - inverse(root_of_unity(log_rows));
  const periodic_columns<ext> periodic(
      power(zeta, std::uint64_t{1} << (log_rows - log_leaf_rows)));
  constraint_fold fold(drawn.alpha);
  ext out = fold.group([&](auto&& emit) { every_row_constraints(row, emit); }) *
            zerofier_inverse;
  out += fold.group([&](auto&& emit) {
    first_row_constraints(row, publics, emit);
  }) * inverse(zeta - one);
  out += fold.group([&](auto&& emit) {
    transition_constraints(row, next, periodic.to_combine, periodic.to_leaf,
                           emit);
  }) * from_last *
         zerofier_inverse;
  out += fold.group([&](auto&& emit) {
    last_row_constraints(row, publics, emit);
  }) * inverse(from_last);
  return out;
}

// The quotient from its chunks at zeta. Chunk c interpolates it on the coset
// g w^c H, w of order 2n; its zerofier is Z_c(x) = (x / (g w^c))^n - 1, and
// w^n = -1. The quotient is the sum of chunk c times Z_d(zeta) / Z_d(g w^c)
// over c, where d is the other chunk and Z_d(g w^c) = -2.
ext quotient_of_chunks(const segment_stark& proof, const ext& zeta_power,
                       unsigned log_rows) {
  const fp shift = inverse(power(generator, std::uint64_t{1} << log_rows));
  const ext scaled = zeta_power * shift;
  const std::array<ext, 2> other = {ext{fp{}} - scaled - one, scaled - one};
  ext out{fp{}};
  for (std::size_t c = 0; c < quotient_chunks; ++c) {
    // Coefficients are extension elements themselves, of basis 1, X, X^2, X^3.
    ext value{fp{}};
    for (std::size_t d = 0; d < 4; ++d) {
      ext basis{fp{}};
      basis.c[d] = one;
      value += proof.chunks[c][d] * basis;
    }
    out += value * other[c];
  }
  return out * -half;
}

// Replays the transcript; false where the proof of work is missing.
bool replay(const segment_stark& proof, const proof_shape& shape,
            const public_values& publics, challenges& out) {
  transcript steps;
  out.alpha = steps.start(shape.log_rows, proof.trace_commitment, publics);
  out.zeta = steps.commit_quotient(proof.quotient_commitment);
  out.fri_alpha = steps.open(proof);
  for (const auto& round : proof.rounds) {
    // A commitment takes no work, so its witness has one value.
    if (round.witness != fp{}) {
      return false;
    }
    out.betas.push_back(steps.commit_round(round.commitment));
  }
  steps.finish_folding(proof);
  if (!steps.work(proof.query_witness, shape.parameters.pow_bits)) {
    return false;
  }
  out.queries = steps.draw_queries(shape);
  return true;
}

// Checks one tree's opened rows.
bool check_rows(const digest& root, const opened_rows& opened,
                std::span<const std::uint32_t> positions,
                const proof_shape& shape, prover_isa isa) {
  std::vector<digest> leaves(positions.size());
  hash_all(isa, opened.values, leaves);
  return check_leaves(root, shape.log_length(), positions, leaves, opened.proof,
                      shape.wire, isa);
}

// The first codeword's values at the queries, from the opened rows: see
// backend::reduce_openings.
class opening_sums {
 public:
  opening_sums(const segment_stark& proof, const challenges& drawn,
               const proof_shape& shape)
      : proof_(proof),
        powers_(powers(drawn.fri_alpha, 2 * column::count + 2 * 4)),
        zeta_(drawn.zeta),
        zeta_next_(drawn.zeta * root_of_unity(shape.log_rows)),
        log_length_(shape.log_length()) {
    std::vector<ext> claims = proof.trace_local;
    claims.insert(claims.end(), proof.trace_next.begin(),
                  proof.trace_next.end());
    for (const auto& chunk : proof.chunks) {
      claims.insert(claims.end(), chunk.begin(), chunk.end());
    }
    local_ = dot(claims, 0, column::count);
    next_ = dot(claims, column::count, column::count);
    chunks_ = dot(claims, 2 * column::count, quotient_chunks * 4);
  }

  [[nodiscard]] ext at(std::size_t query, std::uint32_t position) const {
    const fp x = generator * power(root_of_unity(log_length_),
                                   reverse_bits(position, log_length_));
    const fp* row = &proof_.trace.values[query * column::count];
    const fp* chunk = &proof_.quotient.values[query * quotient_chunks * 4];
    const ext trace = dot(std::span(row, column::count), 0, column::count);
    const ext quotient =
        dot(std::span(chunk, quotient_chunks * 4), 0, quotient_chunks * 4);
    const ext local = local_ - trace;
    const ext next = next_ - trace * powers_[column::count];
    const ext chunks = chunks_ - quotient * powers_[2 * column::count];
    return (local + chunks) * inverse(zeta_ - x) +
           next * inverse(zeta_next_ - x);
  }

 private:
  // The values from `first` on, times alpha to the power of their place.
  template <class Values>
  [[nodiscard]] ext dot(const Values& values, std::size_t first,
                        std::size_t count) const {
    ext_sum sum;
    for (std::size_t k = first; k < first + count; ++k) {
      sum.add(values[k], powers_[k]);
    }
    return sum.value();
  }

  const segment_stark& proof_;
  std::vector<ext> powers_;
  ext zeta_;
  ext zeta_next_;
  ext local_;
  ext next_;
  ext chunks_;
  unsigned log_length_;
};

// Puts each query's value into its group, checks the groups, and folds them:
// values and positions become those of the next round.
bool check_round(const fri_round& round, const ext& beta, unsigned log_length,
                 const proof_shape& shape, prover_isa isa,
                 std::vector<std::uint32_t>& positions,
                 std::vector<ext>& values) {
  const unsigned log_arity = round.opened.log_arity;
  const std::size_t arity = std::size_t{1} << log_arity;
  std::vector<fp> groups(positions.size() * arity * 4);
  std::array<ext, std::size_t{1} << max_log_arity> group;
  const ext* rest = round.opened.values.data();
  for (std::size_t q = 0; q < positions.size(); ++q) {
    fp* to = &groups[q * arity * 4];
    for (std::size_t i = 0; i < arity; ++i) {
      group[i] = i == (positions[q] & (arity - 1)) ? values[q] : *rest++;
      to = std::copy(group[i].c.begin(), group[i].c.end(), to);
    }
    positions[q] >>= log_arity;
    values[q] = fold_group(std::span(group).first(arity), positions[q],
                           log_length, beta);
  }
  std::vector<digest> leaves(positions.size());
  hash_all(isa, groups, leaves);
  return check_leaves(round.commitment, log_length - log_arity, positions,
                      leaves, round.opened.proof, shape.wire, isa);
}

// Whether the folded values are those of the final polynomial.
bool check_final(const segment_stark& proof,
                 std::span<const std::uint32_t> positions,
                 std::span<const ext> values) {
  constexpr unsigned log_length = log_blowup + log_final_length;
  for (std::size_t q = 0; q < positions.size(); ++q) {
    const ext x{power(root_of_unity(log_length),
                      reverse_bits(positions[q], log_length))};
    if (evaluate(std::span<const ext>(proof.final_polynomial), x) !=
        values[q]) {
      return false;
    }
  }
  return true;
}

status check_queries(const segment_stark& proof, const proof_shape& shape,
                     const challenges& drawn, prover_isa isa) {
  std::vector<std::uint32_t> positions = drawn.queries;
  if (!check_rows(proof.trace_commitment, proof.trace, positions, shape, isa)) {
    return refuse("an opened row is not of the committed trace");
  }
  if (!check_rows(proof.quotient_commitment, proof.quotient, positions, shape,
                  isa)) {
    return refuse("an opened row is not of the committed quotient");
  }
  const opening_sums sums(proof, drawn, shape);
  std::vector<ext> values(positions.size());
  for (std::size_t q = 0; q < positions.size(); ++q) {
    values[q] = sums.at(q, positions[q]);
  }
  unsigned log_length = shape.log_length();
  for (std::size_t r = 0; r < proof.rounds.size(); ++r) {
    const auto& round = proof.rounds[r];
    if (!check_round(round, drawn.betas[r], log_length, shape, isa, positions,
                     values)) {
      return refuse("a folded value is not the committed one");
    }
    log_length -= round.opened.log_arity;
  }
  return check_final(proof, positions, values)
             ? status{}
             : refuse("a folded value is not of the final polynomial");
}

}  // namespace

bool check_constraints(const segment_stark& proof, const public_values& publics,
                       const challenges& drawn, unsigned log_rows) {
  const ext zeta_power = power(drawn.zeta, std::uint64_t{1} << log_rows);
  const ext zerofier = zeta_power - one;
  if (zerofier == ext{fp{}}) {
    return false;
  }
  return quotient_of_rows(proof, publics, drawn, log_rows, inverse(zerofier)) ==
         quotient_of_chunks(proof, zeta_power, log_rows);
}

status verify_stark(byte_view proof, const segment_statement& statement,
                    const digest& root, const proof_parameters& parameters,
                    proof_wire wire, prover_isa isa) {
  const proof_shape shape{statement.log_rows(), parameters, wire};
  const auto decoded = decode(proof, shape);
  if (!decoded.ok()) {
    return decoded.error();
  }
  const public_values publics = statement.publics(root);
  challenges drawn;
  if (!replay(*decoded, shape, publics, drawn)) {
    return refuse("the work before the queries was not done");
  }
  if (!check_constraints(*decoded, publics, drawn, shape.log_rows)) {
    return refuse("its values do not satisfy the constraints");
  }
  return check_queries(*decoded, shape, drawn, isa);
}

}  // namespace nexus::prover
