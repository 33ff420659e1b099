// The kernel text of Poseidon2 and of leaves that graphics cards run, compiled
// for the host: against the prover's own, whose oracles are elsewhere, and
// against digests that Plonky3 made.
#include "kernels/poseidon2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/bytes.hpp"
#include "prover/poseidon2.hpp"
#include "prover/segment.hpp"

namespace nexus {
namespace {

using prover::fp;
using words = std::array<nexus_u32, 24>;

TEST(KoalabearKernel, MultipliesLikeTheField) {
  EXPECT_EQ(NEXUS_KB_P, prover::modulus);
  EXPECT_EQ(NEXUS_KB_INVERSE, prover::modulus_inverse);
  EXPECT_EQ(NEXUS_KB_SQUARE, prover::montgomery_square);
  std::mt19937 random(1);
  std::vector<nexus_u32> values = {
      0, 1, 2, prover::modulus - 1, prover::modulus - 2, 0x40000000};
  for (int i = 0; i < 300; ++i) values.push_back(random() % prover::modulus);
  for (const nexus_u32 a : values) {
    for (const nexus_u32 b : values) {
      const fp x = fp::from_word(a), y = fp::from_word(b);
      EXPECT_EQ(nexus_kb_multiply(a, b), (x * y).word());
      EXPECT_EQ(nexus_kb_add(a, b), (x + y).word());
    }
  }
}

TEST(Poseidon2Kernel, HasTheProversConstants) {
  const auto& table = prover::poseidon2<24>;
  for (std::size_t r = 0; r < 8; ++r) {
    for (std::size_t i = 0; i < 24; ++i) {
      EXPECT_EQ(nexus_poseidon2_full[24 * r + i], table.full[r][i].word());
    }
  }
  for (std::size_t r = 0; r < table.partial.size(); ++r) {
    EXPECT_EQ(nexus_poseidon2_partial[r], table.partial[r].word());
  }
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(nexus_poseidon2_diagonal[i], table.diagonal[i].word());
  }
}

TEST(Poseidon2Kernel, PermutesLikeTheProver) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 200; ++trial) {
    prover::poseidon2_state<24> expected;
    words state;
    for (std::size_t i = 0; i < 24; ++i) {
      state[i] = trial == 0   ? 0
                 : trial == 1 ? prover::modulus - 1
                              : random() % prover::modulus;
      expected[i] = fp::from_word(state[i]);
    }
    prover::permute(expected);
    nexus_poseidon2(state.data());
    for (std::size_t i = 0; i < 24; ++i) {
      ASSERT_EQ(state[i], expected[i].word()) << trial << ", " << i;
    }
  }
}

// A leaf of at most 15300 bytes.
words leaf_of(byte_view data) {
  words state;
  nexus_leaf_begin(state.data());
  std::array<nexus_u32, NEXUS_LEAF_ROWS * NEXUS_ROW_WORDS> text{};
  if (!data.empty()) std::memcpy(text.data(), data.data(), data.size());
  for (std::size_t row = 0; row < NEXUS_LEAF_ROWS; ++row) {
    nexus_leaf_absorb(state.data(), &text[row * NEXUS_ROW_WORDS]);
  }
  return state;
}

// The words of a xorshift64 generator with shifts 13, 7 and 17.
bytes golden_input(std::size_t length, std::uint64_t state) {
  bytes out(round_up(length, 8));
  for (std::size_t i = 0; i < out.size(); i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(&out[i], &state, 8);
  }
  out.resize(length);
  return out;
}

// Leaves by the kernel, the root sponge above them by the prover.
segment_digest digest_by_leaves(byte_view data, segment_position position) {
  const prover::segment_statement statement{data.size(), position};
  prover::capacity top = statement.top();
  prover::poseidon2_state<24> state;
  for (std::uint64_t leaf = 0; leaf < statement.rows() / 256; ++leaf) {
    const auto begin = std::min<std::size_t>(leaf * 15300, data.size());
    const auto length = std::min<std::size_t>(15300, data.size() - begin);
    const words digest = leaf_of(data.subspan(begin, length));
    state.fill(fp{});
    for (std::size_t i = 0; i < 8; ++i) state[i] = fp::from_word(digest[i]);
    std::copy(top.begin(), top.end(), state.begin() + 16);
    prover::permute(state);
    std::copy(state.begin() + 16, state.end(), top.begin());
  }
  segment_digest out;
  for (std::size_t i = 0; i < 8; ++i) out[i] = state[i].canonical();
  return out;
}

// The digests of the cases "mini_0", "mini_15301", "mini_40000" and
// "conjectured_979200_8" of tests/vectors/prove.
TEST(LeafKernel, MakesTheGoldenDigests) {
  EXPECT_EQ(digest_by_leaves({}, {0, true}),
            (segment_digest{32652489, 2025277051, 581417620, 990191056,
                            1575572232, 1908193053, 1859433443, 659815788}));
  EXPECT_EQ(digest_by_leaves(golden_input(15301, 4), {1, false}),
            (segment_digest{1527622825, 1137023166, 565685041, 814633467,
                            285639669, 564209079, 1385998484, 1146737376}));
  EXPECT_EQ(digest_by_leaves(golden_input(40000, 5), {7, true}),
            (segment_digest{2098736742, 31196770, 601970060, 121579955,
                            1280643579, 799798711, 1984537138, 1518021315}));
  EXPECT_EQ(digest_by_leaves(golden_input(979200, 8), {3, false}),
            (segment_digest{468800005, 66407902, 195105784, 1755338524,
                            327156005, 819085034, 1747916673, 1611668732}));
}

}  // namespace
}  // namespace nexus
