#include "prover/poseidon2.hpp"

namespace nexus::prover {
namespace {

// Cubes a word below 1.4 * 2^31.
std::uint32_t cube_word(std::uint32_t x) noexcept {
  const std::uint32_t square = montgomery_reduce(std::uint64_t{x} * x);
  return montgomery_reduce(std::uint64_t{square} * x);
}

// Words on their way through a permutation. Between full rounds they are sums
// of 64 bits that are reduced once; between partial ones they are below 2p.
template <std::size_t Width>
class words {
 public:
  explicit words(const poseidon2_state<Width>& state) noexcept {
    for (std::size_t i = 0; i < Width; ++i) {
      x_[i] = state[i].word();
    }
  }

  void mix() noexcept { mix_external<Width>(x_.data()); }

  void full_round(const std::array<fp, Width>& constants) noexcept {
    for (std::size_t i = 0; i < Width; ++i) {
      x_[i] = cube_word(fold_word(x_[i] + constants[i].word()));
    }
    mix();
  }

  // Returns the S-box's result.
  fp partial_round(fp constant) noexcept {
    const auto& diagonal = poseidon2<Width>.diagonal;
    const fp first =
        cube(fp::from_word(static_cast<std::uint32_t>(x_[0])) + constant);
    std::uint64_t total = first.word();
    for (std::size_t i = 1; i < Width; ++i) {
      total += x_[i];
    }
    const fp sum = reduce_word(total);
    x_[0] = (first * diagonal[0] + sum).word();
    for (std::size_t i = 1; i < Width; ++i) {
      // 2 p^2 < p * 2^32, and the sum of two reduced words is below 2p.
      x_[i] = std::uint64_t{montgomery_reduce(x_[i] * diagonal[i].word())} +
              sum.word();
    }
    return first;
  }

  void reduce() noexcept {
    for (auto& x : x_) {
      x = reduce_word(x).word();
    }
  }

  void store(fp* out) const noexcept {
    for (std::size_t i = 0; i < Width; ++i) {
      out[i] = fp::from_word(static_cast<std::uint32_t>(x_[i]));
    }
  }

 private:
  std::array<std::uint64_t, Width> x_;
};

template <std::size_t Width, bool Record>
void run(poseidon2_state<Width>& state, fp* record) noexcept {
  const auto& table = poseidon2<Width>;
  words<Width> x(state);
  const auto full_rounds = [&](std::size_t first) {
    for (std::size_t r = first; r < first + half_full_rounds; ++r) {
      x.full_round(table.full[r]);
      if constexpr (Record) {
        x.reduce();
        x.store(record);
        record += Width;
      }
    }
  };
  x.mix();
  full_rounds(0);
  x.reduce();
  for (const fp constant : table.partial) {
    const fp sbox = x.partial_round(constant);
    if constexpr (Record) {
      *record++ = sbox;
    }
  }
  full_rounds(half_full_rounds);
  x.reduce();
  x.store(state.data());
}

}  // namespace

void permute(poseidon2_state<16>& state) noexcept {
  run<16, false>(state, nullptr);
}

void permute(poseidon2_state<24>& state) noexcept {
  run<24, false>(state, nullptr);
}

void permute(poseidon2_state<24>& state, fp* record) noexcept {
  run<24, true>(state, record);
}

}  // namespace nexus::prover
