#include "prover/transcript.hpp"

namespace nexus::prover {

ext transcript::start(unsigned log_rows, const digest& trace_commitment,
                      const public_values& publics) noexcept {
  // The degree twice, since nothing is hidden, and no preprocessed columns.
  challenger_.observe(fp::from(log_rows));
  challenger_.observe(fp::from(log_rows));
  challenger_.observe(fp{});
  challenger_.observe(trace_commitment);
  challenger_.observe(publics);
  return challenger_.sample_ext();
}

ext transcript::commit_quotient(const digest& commitment) noexcept {
  challenger_.observe(commitment);
  return challenger_.sample_ext();
}

ext transcript::open(const segment_stark& proof) noexcept {
  const auto observe = [this](std::span<const ext> values) {
    for (const ext& value : values) {
      challenger_.observe(value);
    }
  };
  observe(proof.trace_local);
  observe(proof.trace_next);
  for (const auto& chunk : proof.chunks) {
    observe(chunk);
  }
  return challenger_.sample_ext();
}

ext transcript::commit_round(const digest& commitment) noexcept {
  challenger_.observe(commitment);
  return challenger_.sample_ext();
}

void transcript::finish_folding(const segment_stark& proof) noexcept {
  for (const ext& coefficient : proof.final_polynomial) {
    challenger_.observe(coefficient);
  }
  for (const auto& round : proof.rounds) {
    challenger_.observe(fp::from(round.opened.log_arity));
  }
}

std::vector<std::uint32_t> transcript::draw_queries(const proof_shape& shape) {
  std::vector<std::uint32_t> out(shape.parameters.queries);
  for (auto& position : out) {
    position = challenger_.sample_bits(shape.log_length());
  }
  return out;
}

}  // namespace nexus::prover
