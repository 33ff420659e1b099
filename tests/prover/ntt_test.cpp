#include "prover/ntt.hpp"

#include <gtest/gtest.h>

#include <random>

#include "oracle.hpp"
#include "prover/fri.hpp"

namespace nexus::prover {
namespace {

TEST(twiddles, are_powers_in_reversed_order) {
  for (unsigned bits = 1; bits <= 9; ++bits) {
    const auto& table = twiddles(bits);
    for (std::size_t k = 0; k < std::size_t{1} << (bits - 1); ++k) {
      const auto x =
          oracle::power(oracle::root(bits), oracle::reversed(k, bits - 1));
      ASSERT_EQ(table.forward[k].canonical(), x);
      ASSERT_EQ(table.backward[k].canonical(), oracle::inverse(x));
    }
  }
}

TEST(twiddles, name_the_points_of_a_coset) {
  constexpr unsigned bits = 7;
  for (std::size_t r = 0; r < 128; ++r) {
    EXPECT_EQ(coset_point(twiddles(bits), generator, r).canonical(),
              3 * oracle::power(oracle::root(bits), oracle::reversed(r, bits)) %
                  oracle::p);
  }
}

struct shape {
  unsigned log_rows;
  std::size_t width;
};

class ntt : public testing::TestWithParam<shape> {
 protected:
  std::vector<fp> random_values() const {
    std::mt19937_64 random(GetParam().log_rows);
    std::vector<fp> out(GetParam().width << GetParam().log_rows);
    for (auto& x : out) {
      x = fp::from(random());
    }
    return out;
  }
};

TEST_P(ntt, evaluates_each_column_on_the_coset) {
  const auto [log_rows, width] = GetParam();
  const std::size_t rows = std::size_t{1} << log_rows;
  const auto coefficients = random_values();
  auto values = coefficients;
  const fp shift = fp::from(12345);
  transform(values.data(), log_rows, width, shift, twiddles(log_rows + 1));
  for (const std::size_t c : {std::size_t{0}, width - 1}) {
    oracle::column column;
    for (std::size_t r = 0; r < rows; ++r) {
      column.push_back(coefficients[r * width + c].canonical());
    }
    // All rows of small transforms, some of large ones.
    for (std::size_t r = 0; r < rows; r += 1 + rows / 64) {
      const auto x =
          12345 *
          oracle::power(oracle::root(log_rows), oracle::reversed(r, log_rows)) %
          oracle::p;
      ASSERT_EQ(values[r * width + c].canonical(), oracle::evaluate(column, x))
          << r;
    }
  }
}

TEST_P(ntt, goes_back_to_the_coefficients) {
  const auto [log_rows, width] = GetParam();
  const auto coefficients = random_values();
  auto values = coefficients;
  const auto& table = twiddles(std::max(log_rows, 1U));
  transform(values.data(), log_rows, width, one, table);
  if (log_rows > 0) {
    EXPECT_NE(values, coefficients);
  }
  transform_back(values.data(), log_rows, width, table);
  const fp rows = fp::from(std::uint64_t{1} << log_rows);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], coefficients[i] * rows) << i;
  }
}

// The last ones are larger than what is transformed layer by layer.
INSTANTIATE_TEST_SUITE_P(sizes, ntt,
                         testing::Values(shape{0, 1}, shape{1, 3}, shape{2, 16},
                                         shape{5, 7}, shape{8, 4},
                                         shape{12, 16}, shape{13, 7}),
                         [](const auto& each) {
                           return std::to_string(each.param.log_rows) + "x" +
                                  std::to_string(each.param.width);
                         });

// Folding a codeword is folding its polynomial: even plus beta times odd
// coefficients.
class fri_fold : public testing::TestWithParam<unsigned> {};

TEST_P(fri_fold, folds_the_polynomial) {
  const unsigned log_arity = GetParam();
  constexpr unsigned log_length = 6;
  std::mt19937_64 random(6);
  std::vector<oracle::quartic> coefficients(32);
  for (auto& x : coefficients) {
    x = {random() % oracle::p, random() % oracle::p, random() % oracle::p,
         random() % oracle::p};
  }
  const oracle::quartic beta = {5, 6, 7, 8};
  const auto value_at = [](const std::vector<oracle::quartic>& of,
                           unsigned bits, std::size_t r) {
    const auto x = oracle::power(oracle::root(bits), oracle::reversed(r, bits));
    const auto y = oracle::evaluate(of, {x, 0, 0, 0});
    return ext(fp::from(y[0]), fp::from(y[1]), fp::from(y[2]), fp::from(y[3]));
  };
  std::vector<ext> codeword;
  for (std::size_t r = 0; r < std::size_t{1} << log_length; ++r) {
    codeword.push_back(value_at(coefficients, log_length, r));
  }
  auto folded = coefficients;
  auto factor = beta;
  for (unsigned k = 0; k < log_arity; ++k) {
    std::vector<oracle::quartic> next(folded.size() / 2);
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] = oracle::add(folded[2 * i],
                            oracle::multiply(folded[2 * i + 1], factor));
    }
    folded = next;
    factor = oracle::multiply(factor, factor);
  }
  const std::size_t arity = std::size_t{1} << log_arity;
  const ext ours(fp::from(5), fp::from(6), fp::from(7), fp::from(8));
  for (std::size_t g = 0; g < codeword.size() / arity; ++g) {
    EXPECT_EQ(fold_group(std::span(codeword).subspan(g * arity, arity), g,
                         log_length, ours),
              value_at(folded, log_length - log_arity, g));
  }
}

INSTANTIATE_TEST_SUITE_P(arities, fri_fold, testing::Values(1, 2, 3));

TEST(fri_rounds, end_at_64_values) {
  EXPECT_EQ(fri_arities(8), (std::vector<unsigned>{3}));
  EXPECT_EQ(fri_arities(9), (std::vector<unsigned>{3, 1}));
  EXPECT_EQ(fri_arities(10), (std::vector<unsigned>{3, 2}));
  EXPECT_EQ(fri_arities(16), (std::vector<unsigned>{3, 3, 3, 2}));
  EXPECT_EQ(fri_arities(20), (std::vector<unsigned>{3, 3, 3, 3, 3}));
}

}  // namespace
}  // namespace nexus::prover
