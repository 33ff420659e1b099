#include "prover/field.hpp"

#include <gtest/gtest.h>

#include <random>

#include "oracle.hpp"

namespace nexus::prover {
namespace {

std::vector<std::uint64_t> samples() {
  std::vector<std::uint64_t> out = {
      0, 1, 2, modulus - 1, modulus - 2, modulus / 2, 1U << 24, 1U << 30};
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    out.push_back(random() % modulus);
  }
  return out;
}

ext random_ext(std::mt19937_64& random) {
  return {fp::from(random()), fp::from(random()), fp::from(random()),
          fp::from(random())};
}

oracle::quartic plain(const ext& a) {
  return {a.c[0].canonical(), a.c[1].canonical(), a.c[2].canonical(),
          a.c[3].canonical()};
}

TEST(field, arithmetic_is_that_of_integers) {
  for (const auto a : samples()) {
    for (const auto b : samples()) {
      const fp x = fp::from(a);
      const fp y = fp::from(b);
      ASSERT_EQ((x + y).canonical(), (a + b) % oracle::p);
      ASSERT_EQ((x - y).canonical(), (a + oracle::p - b) % oracle::p);
      ASSERT_EQ((x * y).canonical(), a * b % oracle::p);
      ASSERT_LT((x + y).word(), modulus);
      ASSERT_LT((x - y).word(), modulus);
      ASSERT_LT((x * y).word(), modulus);
    }
  }
}

TEST(field, words_are_montgomerys) {
  for (const auto a : samples()) {
    EXPECT_EQ(fp::from(a).word(), (a << 32) % modulus);
    EXPECT_EQ(fp::from_word(fp::from(a).word()).canonical(), a);
  }
  EXPECT_EQ(fp::from(modulus), fp{});
  EXPECT_EQ(fp::from(~std::uint64_t{0}).canonical(),
            ~std::uint64_t{0} % oracle::p);
}

TEST(field, reduces_up_to_its_bound) {
  const std::uint64_t bound = std::uint64_t{modulus} << 32;
  for (const std::uint64_t x : {bound - 1, bound - modulus, bound / 2}) {
    const std::uint64_t reduced = montgomery_reduce(x);
    EXPECT_LT(reduced, modulus);
    EXPECT_EQ((reduced << 32) % modulus, x % modulus);
  }
}

TEST(field, inverses_and_halves) {
  for (const auto a : samples()) {
    const fp x = fp::from(a);
    EXPECT_EQ(x * inverse(x), a == 0 ? fp{} : one);
    EXPECT_EQ((x + x) * half, x);
    EXPECT_EQ(x + -x, fp{});
  }
}

TEST(field, roots_have_their_order) {
  for (unsigned bits = 1; bits <= two_adicity; ++bits) {
    const fp root = root_of_unity(bits);
    EXPECT_EQ(power(root, std::uint64_t{1} << (bits - 1)), -one);
    EXPECT_EQ(root * root, root_of_unity(bits - 1));
  }
  // 3^127, as 127 * 2^24 = p - 1.
  EXPECT_EQ(root_of_unity(24).canonical(), oracle::root(24));
}

TEST(field, extension_products_are_those_of_polynomials) {
  std::mt19937_64 random(2);
  const ext top(fp::from(modulus - 1), fp::from(modulus - 1),
                fp::from(modulus - 1), fp::from(modulus - 1));
  EXPECT_EQ(plain(top * top), oracle::multiply(plain(top), plain(top)));
  for (int i = 0; i < 200; ++i) {
    const ext a = random_ext(random);
    const ext b = random_ext(random);
    EXPECT_EQ(plain(a * b), oracle::multiply(plain(a), plain(b)));
    EXPECT_EQ(plain(a + b), oracle::add(plain(a), plain(b)));
    EXPECT_EQ(a - b + b, a);
    EXPECT_EQ(a * b.c[0], a * ext(b.c[0]));
  }
}

TEST(field, extension_inverses) {
  std::mt19937_64 random(3);
  EXPECT_EQ(inverse(ext{fp{}}), ext{fp{}});
  for (int i = 0; i < 100; ++i) {
    const ext a = random_ext(random);
    EXPECT_EQ(a * inverse(a), ext_one);
  }
  EXPECT_EQ(inverse(ext(fp{}, one, fp{}, fp{})),
            ext(fp{}, fp{}, fp{}, inverse(fp::from(3))));
}

TEST(field, inverts_many_at_once) {
  std::mt19937_64 random(4);
  for (const std::size_t count : {0, 1, 2, 100}) {
    std::vector<ext> values(count);
    std::vector<ext> scratch(count);
    for (auto& x : values) {
      x = random_ext(random);
    }
    const auto before = values;
    invert_all<ext>(values, scratch);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(values[i], inverse(before[i]));
    }
  }
}

// The largest products, many of them: the running total must not overflow.
TEST(field, long_sums_of_products_do_not_overflow) {
  const fp largest = fp::from_word(modulus - 1);
  fp_sum sum;
  ext_sum sums;
  fp slow{};
  const ext b(largest, largest, fp{}, one);
  ext slow_ext{fp{}};
  for (int i = 0; i < 1000; ++i) {
    sum.add(largest, largest);
    sums.add(largest, b);
    slow += largest * largest;
    slow_ext += b * largest;
    ASSERT_EQ(sum.value(), slow);
    ASSERT_EQ(sums.value(), slow_ext);
  }
}

TEST(field, bits_are_reversed) {
  EXPECT_EQ(reverse_bits(0, 0), 0U);
  for (unsigned bits = 1; bits < 12; ++bits) {
    for (std::uint32_t i = 0; i < std::uint32_t{1} << bits; ++i) {
      ASSERT_EQ(reverse_bits(i, bits), oracle::reversed(i, bits));
    }
  }
  EXPECT_EQ(reverse_bits(1, 32), 0x80000000U);
}

}  // namespace
}  // namespace nexus::prover
