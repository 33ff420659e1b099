#include "prover/poseidon2.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "oracle.hpp"
#include "prover/sponge.hpp"

namespace nexus::prover {
namespace {

template <std::size_t Width>
std::vector<oracle::number> permuted(const std::vector<oracle::number>& input) {
  poseidon2_state<Width> state;
  for (std::size_t i = 0; i < Width; ++i) {
    state[i] = fp::from(input[i]);
  }
  permute(state);
  std::vector<oracle::number> out;
  for (const fp x : state) {
    EXPECT_LT(x.word(), modulus);
    out.push_back(x.canonical());
  }
  return out;
}

// Those of Plonky3's own tests of its default permutations.
TEST(poseidon2, known_answer_of_width_16) {
  EXPECT_EQ(
      permuted<16>({894848333, 1437655012, 1200606629, 1690012884, 71131202,
                    1749206695, 1717947831, 120589055, 19776022, 42382981,
                    1831865506, 724844064, 171220207, 1299207443, 227047920,
                    1783754913}),
      (std::vector<oracle::number>{
          1934285469, 604889435, 133449501, 1026180808, 1830659359, 176667110,
          1391183747, 351743874, 1238264085, 1292768839, 2023573270, 1201586780,
          1360691759, 1230682461, 748270449, 651545025}));
}

TEST(poseidon2, known_answer_of_width_24) {
  EXPECT_EQ(
      permuted<24>({886409618,  1327899896, 1902407911, 591953491,  648428576,
                    1844789031, 1198336108, 355597330,  1799586834, 59617783,
                    790334801,  1968791836, 559272107,  31054313,   1042221543,
                    474748436,  135686258,  263665994,  1962340735, 1741539604,
                    2026927696, 449439011,  1131357108, 50869465}),
      (std::vector<oracle::number>{
          382801106,  82839311,   1503190615, 1987418517, 854076995,
          1862291425, 262755189,  1050814217, 722724562,  741265943,
          1026879332, 754316749,  1966025564, 1518878196, 502200188,
          1368172258, 845459257,  1711434837, 724453836,  171032289,
          655223446,  1098636135, 407832555,  1707498914}));
}

// Words at both ends of the range, where sums are largest.
TEST(poseidon2, agrees_with_its_matrices) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 40; ++i) {
    std::vector<oracle::number> input(24);
    for (auto& x : input) {
      const auto extreme = fp::from_word(i % 2 == 0 ? modulus - 1 : 1);
      x = i < 2 ? extreme.canonical() : random() % modulus;
    }
    EXPECT_EQ(permuted<24>(input), oracle::permute(input));
    input.resize(16);
    EXPECT_EQ(permuted<16>(input), oracle::permute(input));
  }
}

template <std::size_t Width>
void expect_grain() {
  using integers = poseidon2_integers<Width>;
  std::vector<oracle::number> ours;
  const auto add = [&](const auto& values) {
    ours.insert(ours.end(), values.begin(), values.end());
  };
  for (std::size_t r = 0; r < 4; ++r) {
    add(integers::full[r]);
  }
  add(integers::partial);
  for (std::size_t r = 4; r < 8; ++r) {
    add(integers::full[r]);
  }
  EXPECT_EQ(ours,
            oracle::grain(Width, 8, integers::partial_rounds, ours.size()));
}

TEST(poseidon2, round_constants_come_from_the_grain_register) {
  expect_grain<16>();
  expect_grain<24>();
}

// A signed multiple of a power of two each.
TEST(poseidon2, diagonals_are_the_published_ones) {
  const auto fraction = [](int numerator, unsigned log_denominator) {
    const auto magnitude = static_cast<std::uint64_t>(std::abs(numerator));
    const fp value = fp::from(magnitude) * power(half, log_denominator);
    return numerator < 0 ? -value : value;
  };
  const std::vector<std::pair<int, unsigned>> wide = {
      {-2, 0}, {1, 0},  {2, 0},  {1, 1},  {3, 0},  {4, 0},  {-1, 1}, {-3, 0},
      {-4, 0}, {1, 8},  {1, 2},  {1, 3},  {1, 4},  {1, 5},  {1, 6},  {1, 24},
      {-1, 8}, {-1, 3}, {-1, 4}, {-1, 5}, {-1, 6}, {-1, 7}, {-1, 9}, {-1, 24}};
  const std::vector<std::pair<int, unsigned>> narrow = {
      {-2, 0}, {1, 0}, {2, 0}, {1, 1},  {3, 0},  {4, 0},  {-1, 1}, {-3, 0},
      {-4, 0}, {1, 8}, {1, 3}, {1, 24}, {-1, 8}, {-1, 3}, {-1, 4}, {-1, 24}};
  for (std::size_t i = 0; i < wide.size(); ++i) {
    EXPECT_EQ(poseidon2<24>.diagonal[i],
              fraction(wide[i].first, wide[i].second));
  }
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    EXPECT_EQ(poseidon2<16>.diagonal[i],
              fraction(narrow[i].first, narrow[i].second));
  }
}

TEST(poseidon2, the_record_ends_with_the_state) {
  poseidon2_state<24> state;
  for (std::size_t i = 0; i < 24; ++i) {
    state[i] = fp::from(1000 * i);
  }
  auto plain = state;
  permute(plain);
  std::array<fp, poseidon2_record> record;
  permute(state, record.data());
  EXPECT_EQ(state, plain);
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), record.end() - 24));
}

TEST(sponge, hashes_rows_of_every_length) {
  for (const std::size_t length : {1, 8, 15, 16, 17, 32, 33, 247}) {
    std::vector<oracle::number> row(length);
    std::iota(row.begin(), row.end(), 7);
    std::vector<fp> values;
    for (const auto x : row) {
      values.push_back(fp::from(x));
    }
    const auto expected = oracle::hash_row(row);
    const digest whole = hash_row(values);
    row_hasher pieces;
    pieces.absorb(std::span(values).first(length / 3));
    pieces.absorb(std::span(values).subspan(length / 3));
    EXPECT_EQ(pieces.finish(), whole);
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(whole[i].canonical(), expected[i]) << length;
    }
  }
}

TEST(sponge, compresses_pairs_in_their_order) {
  digest left;
  digest right;
  oracle::hash numbers(16);
  std::iota(numbers.begin(), numbers.end(), 100);
  for (std::size_t i = 0; i < 8; ++i) {
    left[i] = fp::from(numbers[i]);
    right[i] = fp::from(numbers[8 + i]);
  }
  const auto expected = oracle::compress({numbers.begin(), numbers.begin() + 8},
                                         {numbers.begin() + 8, numbers.end()});
  const digest ours = compress(left, right);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(ours[i].canonical(), expected[i]);
  }
  EXPECT_NE(compress(right, left), ours);
}

}  // namespace
}  // namespace nexus::prover
