#include "prover/air.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"
#include "oracle.hpp"
#include "prover/host_storage.hpp"
#include "prover/scalar_backend.hpp"

namespace nexus::prover {
namespace {

// A whole trace, row after row.
class trace_fixture : public testing::Test {
 protected:
  using row = std::array<fp, column::count>;
  static constexpr std::size_t rows = 512;

  trace_fixture() {
    scalar_backend device;
    const auto made = device.make_witness(make_input(15301, 1), statement_);
    publics_ = statement_.publics(made->root);
    trace_.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      own(*made->trace).load(oracle::reversed(i, 9), trace_[i].data());
    }
  }

  // Whether every constraint holds that row i has a part in.
  [[nodiscard]] bool holds(std::size_t i) const {
    return holds_at(i) && (i == 0 || holds_at(i - 1));
  }

  [[nodiscard]] bool holds_at(std::size_t i) const {
    bool all = true;
    const auto zero = [&](fp value) { all = all && value == fp{}; };
    every_row_constraints(trace_[i].data(), zero);
    if (i == 0) {
      first_row_constraints(trace_[i].data(), publics_, zero);
    }
    if (i + 1 < rows) {
      const fp to_combine = fp::from(i % 256 == 254 ? 1 : 0);
      const fp to_leaf = fp::from(i % 256 == 255 ? 1 : 0);
      transition_constraints(trace_[i].data(), trace_[i + 1].data(), to_combine,
                             to_leaf, zero);
    } else {
      last_row_constraints(trace_[i].data(), publics_, zero);
    }
    return all;
  }

  segment_statement statement_{15301, {1, false}};
  public_values publics_{};
  std::vector<row> trace_;
};

TEST_F(trace_fixture, satisfies_every_constraint) {
  for (std::size_t i = 0; i < rows; ++i) {
    ASSERT_TRUE(holds_at(i)) << i;
  }
}

// Rows of every kind: the first, a leaf's inner, a combine row and the rows
// around it, the last.
TEST_F(trace_fixture, every_column_is_constrained) {
  for (const std::size_t i : {0, 1, 100, 254, 255, 256, 510, 511}) {
    for (std::size_t c = 0; c < column::count; ++c) {
      trace_[i][c] += one;
      EXPECT_FALSE(holds(i)) << "row " << i << ", column " << c;
      trace_[i][c] -= one;
    }
    ASSERT_TRUE(holds(i));
  }
}

// Data lanes are what is proved: free, but for those of a combine row.
TEST_F(trace_fixture, a_combine_row_absorbs_the_leaf_and_nothing_more) {
  const auto& leaf_end = trace_[254];
  const auto& combine = trace_[255];
  for (std::size_t j = 0; j < 8; ++j) {
    EXPECT_EQ(combine[j], leaf_end[column::output + j]);
    EXPECT_EQ(combine[8 + j], fp{});
    EXPECT_EQ(combine[16 + j], combine[column::top + j]);
    EXPECT_EQ(trace_[256][column::top + j], combine[column::output + 16 + j]);
    EXPECT_EQ(trace_[256][16 + j], leaf_capacity[j]);
  }
}

TEST_F(trace_fixture, public_values_are_bound) {
  for (std::size_t k = 0; k < publics_.size(); ++k) {
    publics_[k] += one;
    EXPECT_FALSE(holds_at(0) && holds_at(rows - 1)) << k;
    publics_[k] -= one;
  }
}

TEST(constraints, are_as_many_as_said_and_in_this_order) {
  const std::array<fp, column::count> row{};
  std::size_t count = 0;
  const auto emit = [&](fp) { ++count; };
  every_row_constraints(row.data(), emit);
  EXPECT_EQ(count, 215U);
  first_row_constraints(row.data(), public_values{}, emit);
  EXPECT_EQ(count, 215U + 16);
  transition_constraints(row.data(), row.data(), one, one, emit);
  EXPECT_EQ(count, 215U + 16 + 32);
  last_row_constraints(row.data(), public_values{}, emit);
  EXPECT_EQ(count, constraint::count);
}

// By interpolation of the 256 values.
TEST(periodic_columns, interpolate_their_values) {
  oracle::column combine(256, 0);
  oracle::column leaf(256, 0);
  combine[254] = 1;
  leaf[255] = 1;
  combine = oracle::interpolate(combine, 1);
  leaf = oracle::interpolate(leaf, 1);
  for (const std::uint64_t y : {3, 12345, 987654321}) {
    const periodic_columns<fp> at(fp::from(y));
    EXPECT_EQ(at.to_combine.canonical(), oracle::evaluate(combine, y));
    EXPECT_EQ(at.to_leaf.canonical(), oracle::evaluate(leaf, y));
    const periodic_columns<ext> in_extension{ext(fp::from(y))};
    EXPECT_EQ(in_extension.to_leaf, ext(at.to_leaf));
    EXPECT_EQ(in_extension.to_combine, ext(at.to_combine));
  }
}

}  // namespace
}  // namespace nexus::prover
