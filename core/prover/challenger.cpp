#include "prover/challenger.hpp"

#include <algorithm>

namespace nexus::prover {

void challenger::observe(fp value) noexcept {
  available_ = 0;
  pending_[pending_count_++] = value;
  if (pending_count_ == rate) {
    duplex();
  }
}

void challenger::observe(std::span<const fp> values) noexcept {
  for (const fp value : values) {
    observe(value);
  }
}

// The number of inputs goes into the capacity, so that a short block differs
// from one that ends in zeros.
void challenger::duplex() noexcept {
  if (pending_count_ != 0) {
    const auto end =
        std::copy_n(pending_.begin(), pending_count_, state_.begin());
    std::fill(end, state_.begin() + rate, fp{});
    state_[rate] += fp::from(pending_count_);
    pending_count_ = 0;
  }
  permute(state_);
  available_ = rate;
}

fp challenger::sample() noexcept {
  if (pending_count_ != 0 || available_ == 0) {
    duplex();
  }
  return state_[--available_];
}

ext challenger::sample_ext() noexcept {
  ext out;
  for (auto& x : out.c) {
    x = sample();
  }
  return out;
}

std::uint32_t challenger::sample_bits(unsigned bits) noexcept {
  return sample().canonical() & ((std::uint32_t{1} << bits) - 1);
}

grinding_state challenger::grinding() const noexcept {
  grinding_state out{state_, pending_count_};
  const auto end =
      std::copy_n(pending_.begin(), pending_count_, out.state.begin());
  std::fill(end, out.state.begin() + rate, fp{});
  out.state[rate] += fp::from(pending_count_ + 1);
  return out;
}

bool challenger::check_witness(fp witness, unsigned bits) noexcept {
  if (bits == 0) {
    return witness == fp{};
  }
  observe(witness);
  return sample_bits(bits) == 0;
}

}  // namespace nexus::prover
