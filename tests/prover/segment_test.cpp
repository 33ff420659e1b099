#include "prover/segment.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"
#include "oracle.hpp"

namespace nexus::prover {
namespace {

TEST(segment_rows, grow_by_powers_of_two) {
  EXPECT_EQ(segment_rows(0), 256U);
  EXPECT_EQ(segment_rows(15300), 256U);
  EXPECT_EQ(segment_rows(15301), 512U);
  EXPECT_EQ(segment_rows(30601), 1024U);
  EXPECT_EQ(segment_rows(979200), std::uint64_t{1} << 14);
  EXPECT_EQ(segment_rows(3916800), std::uint64_t{1} << 16);
  EXPECT_EQ(segment_rows(15667200), std::uint64_t{1} << 18);
  EXPECT_EQ(segment_capacity(max_segment_rows), 62668800U);
  EXPECT_EQ(segment_rows(62668800), max_segment_rows);
}

TEST(segment_statement, is_refused_out_of_range) {
  EXPECT_TRUE((segment_statement{62668800, {}}).check().ok());
  EXPECT_EQ((segment_statement{62668801, {}}).check().code(),
            status_code::invalid_argument);
  const std::uint64_t high = std::uint64_t{1} << 60;
  EXPECT_TRUE((segment_statement{0, {high - 1, false}}).check().ok());
  EXPECT_EQ((segment_statement{0, {high, false}}).check().code(),
            status_code::invalid_argument);
}

TEST(segment_statement, top_splits_numbers_at_30_bits) {
  const std::uint64_t index = (std::uint64_t{0x2badcafe} << 30) + 0x12345678;
  const auto top = segment_statement{15301, {index, true}}.top();
  const std::array<std::uint32_t, 8> expected = {
      0x4e585001, 15301, 0, 0x12345678, 0x2badcafe, 1, 9, 0};
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(top[i].canonical(), expected[i]) << i;
  }
}

// Each single bit of a row is one bit of one lane.
TEST(load_row, packs_15_bytes_into_four_lanes) {
  for (std::size_t bit = 0; bit < 480; ++bit) {
    bytes row(row_bytes);
    row[bit / 8] = static_cast<std::byte>(1 << bit % 8);
    std::array<fp, 16> lanes;
    load_row(row, lanes.data());
    for (std::size_t i = 0; i < 16; ++i) {
      ASSERT_EQ(lanes[i].canonical(), i == bit / 30 ? 1U << bit % 30 : 0U)
          << bit;
    }
  }
}

TEST(load_row, takes_what_is_missing_as_zeros) {
  const bytes row(row_bytes, std::byte{0xff});
  for (std::size_t length = 0; length <= row_bytes; ++length) {
    bytes padded(row.begin(), row.begin() + static_cast<long>(length));
    const auto cut = padded;
    padded.resize(row_bytes);
    std::array<fp, 16> expected;
    std::array<fp, 16> lanes;
    load_row(padded, expected.data());
    load_row(cut, lanes.data());
    EXPECT_EQ(lanes, expected) << length;
  }
}

TEST(digest_integers, must_be_canonical) {
  digest out;
  EXPECT_TRUE(from_integers({modulus - 1, 0, 1, 2, 3, 4, 5, 6}, out));
  EXPECT_EQ(to_integers(out),
            (segment_digest{modulus - 1, 0, 1, 2, 3, 4, 5, 6}));
  EXPECT_FALSE(from_integers({0, 0, 0, 0, 0, 0, 0, modulus}, out));
  EXPECT_FALSE(from_integers({0xffffffff, 0, 0, 0, 0, 0, 0, 0}, out));
}

class digest_of_size : public testing::TestWithParam<std::size_t> {};

TEST_P(digest_of_size, is_that_of_the_specification) {
  const bytes data = make_input(GetParam(), 77);
  std::vector<unsigned char> plain;
  for (const std::byte x : data) {
    plain.push_back(std::to_integer<unsigned char>(x));
  }
  const segment_position position{(std::uint64_t{1} << 33) + 5, true};
  const auto ours = digest_segment(data, position);
  ASSERT_TRUE(ours.ok());
  const auto expected = oracle::digest(plain, position.index, true);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ((*ours)[i], expected[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(sizes, digest_of_size,
                         testing::Values(0, 1, 14, 15, 16, 59, 60, 61, 15299,
                                         15300, 15301));

TEST(digest_segment, binds_length_index_and_last) {
  const bytes data(100);
  const auto digest_at = [&](std::size_t length, std::uint64_t index,
                             bool last) {
    return *digest_segment(std::span(data).first(length), {index, last});
  };
  const auto plain = digest_at(50, 3, false);
  EXPECT_EQ(digest_at(50, 3, false), plain);
  EXPECT_NE(digest_at(51, 3, false), plain);  // all zeros, as is the padding
  EXPECT_NE(digest_at(50, 4, false), plain);
  EXPECT_NE(digest_at(50, 3, true), plain);
}

TEST(digest_segment, binds_every_byte) {
  bytes data = make_input(15301, 3);
  const auto plain = *digest_segment(data, {});
  for (const std::size_t at : {0, 14, 15, 59, 60, 15299, 15300}) {
    data[at] ^= std::byte{1};
    EXPECT_NE(*digest_segment(data, {}), plain) << at;
    data[at] ^= std::byte{1};
  }
}

}  // namespace
}  // namespace nexus::prover
