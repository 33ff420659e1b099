#include "prover/prove.hpp"

#include <array>
#include <utility>

#include "prover/merkle.hpp"

namespace nexus::prover {
namespace {

// Takes the value out of a result, or keeps its error.
template <class T>
status take(result<T> from, T& to) {
  if (!from.ok()) {
    return from.error();
  }
  to = std::move(from).value();
  return {};
}

class segment_prover {
 public:
  segment_prover(backend& device, byte_view data,
                 const segment_statement& statement,
                 const proof_parameters& parameters, proof_wire wire,
                 const prove_hooks& hooks)
      : device_(device), data_(data), statement_(statement), hooks_(hooks) {
    out_.shape = {statement.log_rows(), parameters, wire};
    out_.proof = make_stark(out_.shape);
  }

  status run() {
    using step = status (segment_prover::*)();
    using entry = std::pair<phase, step>;
    using self = segment_prover;
    constexpr std::array steps = {
        entry{phase::witness, &self::make_witness},
        entry{phase::extend_trace, &self::extend_trace},
        entry{phase::commit_trace, &self::commit_trace},
        entry{phase::quotient, &self::make_quotient},
        entry{phase::commit_quotient, &self::commit_quotient},
        entry{phase::open, &self::open},
        entry{phase::reduce, &self::reduce},
        entry{phase::fold, &self::fold},
        entry{phase::grind, &self::grind},
        entry{phase::answer, &self::answer},
    };
    for (const auto& [name, member] : steps) {
      if (hooks_.stopped()) {
        return cancelled();
      }
      if (hooks_.begins) {
        hooks_.begins(name);
      }
      status outcome = (this->*member)();
      // Whatever came of a phase of which a stop left something out.
      if (hooks_.stopped()) {
        return cancelled();
      }
      if (!outcome.ok()) {
        return outcome;
      }
    }
    return {};
  }

  proved_segment finish() && { return std::move(out_); }

 private:
  struct round {
    codeword_ptr values;
    merkle_tree tree;
  };

  static status cancelled() {
    return {status_code::cancelled, "the proof was cancelled"};
  }

  status make_witness() {
    segment_witness witness;
    status bad = take(device_.make_witness(data_, statement_), witness);
    trace_ = std::move(witness.trace);
    out_.root = witness.root;
    return bad;
  }

  status extend_trace() {
    return take(device_.extend(std::move(trace_), one), trace_);
  }

  // Hashes the matrices' rows and the tree above them.
  status commit(matrix_views matrices, merkle_tree& to) {
    layer_ptr leaves;
    if (status bad = take(device_.hash_rows(matrices), leaves); !bad.ok()) {
      return bad;
    }
    return take(merkle_tree::build(device_, std::move(leaves)), to);
  }

  status commit_trace() {
    if (status bad = commit(trace_view(), trace_tree_); !bad.ok()) {
      return bad;
    }
    out_.proof.trace_commitment = trace_tree_.root();
    out_.drawn.alpha = transcript_.start(log_rows(), trace_tree_.root(),
                                         statement_.publics(out_.root));
    return {};
  }

  status make_quotient() {
    return take(device_.make_quotient(*trace_, statement_.publics(out_.root),
                                      out_.drawn.alpha),
                chunks_);
  }

  status commit_quotient() {
    fp shift = generator;
    for (auto& chunk : chunks_) {
      if (status bad = take(device_.extend(std::move(chunk), shift), chunk);
          !bad.ok()) {
        return bad;
      }
      shift *= root_of_unity(log_rows() + log_quotient_chunks);
    }
    if (status bad = commit(chunk_views(), quotient_tree_); !bad.ok()) {
      return bad;
    }
    out_.proof.quotient_commitment = quotient_tree_.root();
    out_.drawn.zeta = transcript_.commit_quotient(quotient_tree_.root());
    return {};
  }

  status open() {
    const auto points = opened_points();
    std::vector<ext> values;
    if (status bad = take(device_.evaluate(*trace_, points), values);
        !bad.ok()) {
      return bad;
    }
    const auto middle =
        values.begin() + static_cast<std::ptrdiff_t>(column::count);
    out_.proof.trace_local.assign(values.begin(), middle);
    out_.proof.trace_next.assign(middle, values.end());
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      if (status bad =
              take(device_.evaluate(*chunks_[c], std::span(points).first(1)),
                   out_.proof.chunks[c]);
          !bad.ok()) {
        return bad;
      }
    }
    out_.drawn.fri_alpha = transcript_.open(out_.proof);
    return {};
  }

  status reduce() {
    const auto points = opened_points();
    const auto& proof = out_.proof;
    const std::array<opening, 4> openings = {{
        {trace_.get(), points[0], proof.trace_local},
        {trace_.get(), points[1], proof.trace_next},
        {chunks_[0].get(), points[0], proof.chunks[0]},
        {chunks_[1].get(), points[0], proof.chunks[1]},
    }};
    return take(device_.reduce_openings(openings, out_.drawn.fri_alpha),
                folded_);
  }

  status fold() {
    for (auto& each : out_.proof.rounds) {
      if (status bad = fold_round(each); !bad.ok()) {
        return bad;
      }
    }
    return interpolate_final();
  }

  status fold_round(fri_round& to) {
    const unsigned log_arity = to.opened.log_arity;
    layer_ptr leaves;
    if (status bad = take(device_.hash_groups(*folded_, log_arity), leaves);
        !bad.ok()) {
      return bad;
    }
    auto& made = rounds_.emplace_back();
    if (status bad =
            take(merkle_tree::build(device_, std::move(leaves)), made.tree);
        !bad.ok()) {
      return bad;
    }
    to.commitment = made.tree.root();
    to.witness = fp{};
    const ext beta = transcript_.commit_round(to.commitment);
    out_.drawn.betas.push_back(beta);
    made.values = std::move(folded_);
    return take(device_.fold(*made.values, beta, log_arity), folded_);
  }

  // The last codeword's even powers determine its polynomial.
  status interpolate_final() {
    std::array<std::uint32_t, final_length> positions;
    for (std::uint32_t i = 0; i < final_length; ++i) {
      positions[i] = i;
    }
    std::vector<ext> values;
    if (status bad =
            take(device_.gather_groups(*folded_, 0, positions), values);
        !bad.ok()) {
      return bad;
    }
    // Coefficient k is the mean of value_i x_i^-k.
    constexpr fp scale = inverse(fp::from(final_length));
    constexpr fp root = inverse(root_of_unity(log_final_length));
    for (std::size_t k = 0; k < final_length; ++k) {
      ext sum{fp{}};
      for (std::uint32_t i = 0; i < final_length; ++i) {
        sum += values[i] * power(root, k * reverse_bits(i, log_final_length));
      }
      out_.proof.final_polynomial[k] = sum * scale;
    }
    transcript_.finish_folding(out_.proof);
    return {};
  }

  status grind() {
    const unsigned bits = out_.shape.parameters.pow_bits;
    std::uint32_t witness = 0;
    if (bits != 0) {
      if (status bad =
              take(device_.grind(transcript_.grinding(), bits), witness);
          !bad.ok()) {
        return bad;
      }
    }
    out_.proof.query_witness = fp::from(witness);
    if (!transcript_.work(out_.proof.query_witness, bits)) {
      return {status_code::device_failed,
              "the device found a wrong proof-of-work witness"};
    }
    out_.drawn.queries = transcript_.draw_queries(out_.shape);
    return {};
  }

  status answer() {
    if (status bad = answer_rows(trace_view(), trace_tree_, out_.proof.trace);
        !bad.ok()) {
      return bad;
    }
    if (status bad =
            answer_rows(chunk_views(), quotient_tree_, out_.proof.quotient);
        !bad.ok()) {
      return bad;
    }
    std::vector<std::uint32_t> positions = out_.drawn.queries;
    for (std::size_t r = 0; r < rounds_.size(); ++r) {
      if (status bad =
              answer_round(rounds_[r], positions, out_.proof.rounds[r].opened);
          !bad.ok()) {
        return bad;
      }
    }
    return {};
  }

  status answer_rows(matrix_views matrices, const merkle_tree& tree,
                     opened_rows& to) {
    const auto& positions = out_.drawn.queries;
    if (status bad = take(device_.gather_rows(matrices, positions), to.values);
        !bad.ok()) {
      return bad;
    }
    return take(tree.open(device_, positions, out_.shape.wire), to.proof);
  }

  // Positions become those of the next round. The verifier knows each query's
  // own value of its group, so that one is left out.
  status answer_round(const round& from, std::vector<std::uint32_t>& positions,
                      opened_groups& to) {
    const std::uint32_t arity = std::uint32_t{1} << to.log_arity;
    std::vector<std::uint32_t> groups(positions.size());
    for (std::size_t q = 0; q < positions.size(); ++q) {
      groups[q] = positions[q] >> to.log_arity;
    }
    std::vector<ext> values;
    if (status bad = take(
            device_.gather_groups(*from.values, to.log_arity, groups), values);
        !bad.ok()) {
      return bad;
    }
    ext* next = to.values.data();
    for (std::size_t q = 0; q < positions.size(); ++q) {
      for (std::uint32_t i = 0; i < arity; ++i) {
        if (i != (positions[q] & (arity - 1))) {
          *next++ = values[q * arity + i];
        }
      }
    }
    positions = std::move(groups);
    return take(from.tree.open(device_, positions, out_.shape.wire), to.proof);
  }

  [[nodiscard]] unsigned log_rows() const noexcept {
    return out_.shape.log_rows;
  }
  [[nodiscard]] std::array<ext, 2> opened_points() const noexcept {
    return {out_.drawn.zeta, out_.drawn.zeta * root_of_unity(log_rows())};
  }
  [[nodiscard]] std::array<const matrix*, 1> trace_view() const noexcept {
    return {trace_.get()};
  }
  [[nodiscard]] std::array<const matrix*, 2> chunk_views() const noexcept {
    return {chunks_[0].get(), chunks_[1].get()};
  }

  backend& device_;
  byte_view data_;
  const segment_statement& statement_;
  const prove_hooks& hooks_;
  proved_segment out_{};
  transcript transcript_;
  matrix_ptr trace_;
  std::array<matrix_ptr, quotient_chunks> chunks_;
  merkle_tree trace_tree_;
  merkle_tree quotient_tree_;
  codeword_ptr folded_;
  std::vector<round> rounds_;
};

}  // namespace

result<proved_segment> prove_stark(backend& device, byte_view data,
                                   const segment_statement& statement,
                                   const proof_parameters& parameters,
                                   proof_wire wire, const prove_hooks& hooks) {
  segment_prover prover(device, data, statement, parameters, wire, hooks);
  if (status bad = prover.run(); !bad.ok()) {
    return bad;
  }
  return std::move(prover).finish();
}

}  // namespace nexus::prover
