// Vector code against naive arithmetic and the scalar backend, on every
// instruction set of this machine, in teams of several sizes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "devices.hpp"
#include "golden.hpp"
#include "oracle.hpp"
#include "prover/air.hpp"
#include "prover/prove.hpp"
#include "prover/simd/batch_hash.hpp"
#include "prover/wire.hpp"

namespace nexus::prover {
namespace {

class kernels : public testing::TestWithParam<device_kind> {
 protected:
  const kernel_set& set = *kernels_of(GetParam().isa);
  const std::size_t lanes = set.target.lanes;
  std::mt19937_64 random{99};

  fp random_element() { return fp::from(random()); }
  digest random_digest() {
    digest out;
    std::generate(out.begin(), out.end(), [&] { return random_element(); });
    return out;
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(kernels);
INSTANTIATE_TEST_SUITE_P(machine, kernels, testing::ValuesIn(simd_kinds({1})),
                         device_name());

std::vector<oracle::number> plain(std::span<const fp> values) {
  std::vector<oracle::number> out;
  for (const fp x : values) {
    out.push_back(x.canonical());
  }
  return out;
}

// Lanes of words at both ends of the range, and of random ones.
TEST_P(kernels, permute_every_lane_as_the_matrices_do) {
  for (const std::size_t width : {16, 24}) {
    std::vector<fp> states(width * lanes);
    for (std::size_t i = 0; i < width; ++i) {
      for (std::size_t k = 0; k < lanes; ++k) {
        fp& x = states[i * lanes + k];
        x = random_element();
        if (k < 3) {
          x = fp::from_word(k == 0   ? modulus - 1
                            : k == 1 ? 0
                                     : (i % 2) * (modulus - 1));
        }
      }
    }
    auto permuted = states;
    (width == 24 ? set.hash.permute_24 : set.hash.permute_16)(permuted.data(),
                                                              2);
    for (std::size_t k = 0; k < lanes; ++k) {
      std::vector<oracle::number> state;
      for (std::size_t i = 0; i < width; ++i) {
        state.push_back(states[i * lanes + k].canonical());
      }
      state = oracle::permute(oracle::permute(state));
      for (std::size_t i = 0; i < width; ++i) {
        const fp x = permuted[i * lanes + k];
        ASSERT_LT(x.word(), modulus);
        ASSERT_EQ(x.canonical(), state[i]) << "lane " << k << " of " << width;
      }
    }
  }
}

TEST_P(kernels, permutation_agrees_with_the_scalar_one_on_many_states) {
  for (int round = 0; round < 200; ++round) {
    std::vector<fp> states(24 * lanes);
    std::generate(states.begin(), states.end(),
                  [&] { return random_element(); });
    auto permuted = states;
    set.hash.permute_24(permuted.data(), 1);
    for (std::size_t k = 0; k < lanes; ++k) {
      poseidon2_state<24> state;
      for (std::size_t i = 0; i < 24; ++i) {
        state[i] = states[i * lanes + k];
      }
      permute(state);
      for (std::size_t i = 0; i < 24; ++i) {
        ASSERT_EQ(permuted[i * lanes + k], state[i]);
      }
    }
  }
}

TEST_P(kernels, hash_rows_of_every_length) {
  for (const std::size_t width : {1, 4, 8, 15, 16, 17, 31, 32, 48, 247}) {
    const std::size_t count = lanes + 3;
    std::vector<fp> rows(count * width);
    std::generate(rows.begin(), rows.end(), [&] { return random_element(); });
    std::vector<digest> hashes(count);
    hash_all(GetParam().isa, rows, hashes);
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = std::span(rows).subspan(i * width, width);
      ASSERT_EQ(plain(hashes[i]), oracle::hash_row(plain(row))) << width;
    }
  }
}

TEST_P(kernels, compress_any_number_of_pairs) {
  for (const std::size_t count : {0, 1, 3, 16, 17, 40}) {
    std::vector<digest> pairs(2 * count);
    std::generate(pairs.begin(), pairs.end(), [&] { return random_digest(); });
    std::vector<digest> hashes(count);
    compress_all(GetParam().isa, pairs, hashes);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(plain(hashes[i]),
                oracle::compress(plain(pairs[2 * i]), plain(pairs[2 * i + 1])));
    }
  }
}

TEST_P(kernels, digest_segments_of_every_length) {
  for (const std::size_t length :
       {0, 1, 14, 15, 16, 59, 60, 61, 15299, 15300, 15301, 100000, 300000}) {
    const bytes data = make_input(length, length + 1);
    const segment_statement statement{length, {7, length % 2 == 0}};
    EXPECT_EQ(digest_with(GetParam().isa, data, statement),
              digest_with(prover_isa::scalar, data, statement))
        << length;
  }
}

TEST_P(kernels, digest_is_that_of_the_specification) {
  const bytes data = make_input(15301, 5);
  std::vector<unsigned char> numbers;
  for (const std::byte x : data) {
    numbers.push_back(std::to_integer<unsigned char>(x));
  }
  const segment_statement statement{data.size(), {3, true}};
  EXPECT_EQ(plain(digest_with(GetParam().isa, data, statement)),
            oracle::digest(numbers, 3, true));
}

TEST_P(kernels, invert_differences_to_extension_elements) {
  const ext z(random_element(), random_element(), random_element(),
              random_element());
  std::vector<fp> points(5 * lanes);
  std::generate(points.begin(), points.end(), [&] { return random_element(); });
  std::vector<centred_ext> weights(points.size());
  set.rows.weigh(reciprocal(z), points.data(), points.size(), weights.data());
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(weights[i], centred(inverse(z - points[i]) * points[i]));
  }
}

// Of sums whose every term is as large as it can be.
TEST_P(kernels, sums_do_not_overflow) {
  constexpr std::size_t rows = 4096;
  for (const std::uint32_t word : {0U, modulus - 1}) {
    for (const std::uint32_t weight : {centring, centring + 1}) {
      const fp w = fp::from_word(weight);
      const std::vector<fp> panel(rows * 16 + 16, fp::from_word(word));
      const std::vector<centred_ext> weights(rows, centred(ext(w, w, w, w)));
      std::array<ext, 16> sums;
      set.rows.sum_columns({panel.data(), 16, 16}, rows, weights.data(),
                           sums.data());
      const fp expected =
          (fp::from_word(word) - fp::from_word(centring)) * w * fp::from(rows);
      for (const ext& sum : sums) {
        EXPECT_EQ(sum, ext(expected, expected, expected, expected));
      }
    }
  }
}

class simd : public testing::TestWithParam<device_kind> {
 protected:
  const test_device device{GetParam()};
  scalar_backend reference;
  std::mt19937_64 random{17};

  matrix_ptr random_matrix(unsigned log_rows, std::size_t width,
                           std::uint64_t seed) {
    std::mt19937_64 source(seed);
    auto out = std::make_unique<host_matrix>(log_rows, width);
    std::vector<fp> row(width);
    for (std::size_t r = 0; r < std::size_t{1} << log_rows; ++r) {
      std::generate(row.begin(), row.end(),
                    [&] { return fp::from_word(source() % modulus); });
      out->store(r, row.data());
    }
    return out;
  }
  ext random_ext() {
    return {fp::from(random()), fp::from(random()), fp::from(random()),
            fp::from(random())};
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(simd);
INSTANTIATE_TEST_SUITE_P(machine, simd, testing::ValuesIn(simd_kinds({1, 7})),
                         device_name());

// Of rows that take one block or several, in panels of every stride.
TEST_P(simd, extends_as_the_scalar_backend_does) {
  for (unsigned log_rows = 8; log_rows <= 13; ++log_rows) {
    for (const std::size_t width : {3, 5, 16, 20}) {
      const fp shift = fp::from(random());
      const auto ours =
          *device->extend(random_matrix(log_rows, width, log_rows), shift);
      const auto expected =
          *reference.extend(random_matrix(log_rows, width, log_rows), shift);
      std::vector<fp> row(width);
      std::vector<fp> expected_row(width);
      for (std::size_t r = 0; r < std::size_t{2} << log_rows; ++r) {
        own(*ours).load(r, row.data());
        own(*expected).load(r, expected_row.data());
        ASSERT_EQ(row, expected_row) << log_rows << " " << width << " " << r;
      }
    }
  }
}

// Random columns satisfy no constraint, so that each of them shows.
TEST_P(simd, quotient_is_that_of_the_scalar_backend) {
  constexpr unsigned log_rows = 9;
  public_values publics;
  std::generate(publics.begin(), publics.end(),
                [&] { return fp::from(random()); });
  const ext alpha = random_ext();
  const auto trace =
      *reference.extend(random_matrix(log_rows, column::count, 4), one);
  const auto ours = *device->make_quotient(*trace, publics, alpha);
  const auto expected = *reference.make_quotient(*trace, publics, alpha);
  std::array<fp, 4> value;
  std::array<fp, 4> expected_value;
  for (std::size_t c = 0; c < 2; ++c) {
    for (std::size_t r = 0; r < std::size_t{1} << log_rows; ++r) {
      own(*ours[c]).load(r, value.data());
      own(*expected[c]).load(r, expected_value.data());
      ASSERT_EQ(value, expected_value) << c << " " << r;
    }
  }
}

TEST_P(simd, openings_of_many_matrices_are_those_of_the_scalar_backend) {
  constexpr unsigned log_rows = 8;
  for (const std::size_t count : {1, 4, 6}) {
    std::vector<matrix_ptr> matrices;
    std::vector<opening> openings;
    const std::vector<ext> claims(40, random_ext());
    for (std::size_t m = 0; m < count; ++m) {
      matrices.push_back(
          *reference.extend(random_matrix(log_rows, 7 + 5 * m, m), one));
      openings.push_back({matrices[m].get(), random_ext(),
                          std::span(claims).first(7 + 5 * m)});
    }
    const ext alpha = random_ext();
    const auto ours = *device->reduce_openings(openings, alpha);
    const auto expected = *reference.reduce_openings(openings, alpha);
    EXPECT_TRUE(std::equal(own(*ours).values.begin(), own(*ours).values.end(),
                           own(*expected).values.begin()));
  }
}

// Few values, where vectors are wider than what there is to do.
TEST_P(simd, small_codewords_and_layers_are_those_of_the_scalar_backend) {
  for (unsigned log_length = 3; log_length <= 7; ++log_length) {
    host_codeword values(log_length);
    std::generate(values.values.begin(), values.values.end(),
                  [&] { return random_ext(); });
    const ext beta = random_ext();
    for (unsigned log_arity = 1; log_arity <= 3; ++log_arity) {
      const auto ours = *device->fold(values, beta, log_arity);
      const auto expected = *reference.fold(values, beta, log_arity);
      EXPECT_TRUE(std::equal(own(*ours).values.begin(), own(*ours).values.end(),
                             own(*expected).values.begin()));
      const auto hashes = *device->hash_groups(values, log_arity);
      const auto expected_hashes = *reference.hash_groups(values, log_arity);
      EXPECT_TRUE(std::equal(own(*hashes).hashes.begin(),
                             own(*hashes).hashes.end(),
                             own(*expected_hashes).hashes.begin()));
    }
  }
}

TEST_P(simd, the_smallest_witness_is_found_wherever_it_lies) {
  for (std::uint32_t seed = 0; seed < 6; ++seed) {
    challenger each;
    each.observe(fp::from(seed));
    const unsigned bits = seed < 4 ? 11 : 17;
    EXPECT_EQ(*device->grind(each.grinding(), bits),
              *reference.grind(each.grinding(), bits));
  }
}

class simd_team : public simd {};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(simd_team);
INSTANTIATE_TEST_SUITE_P(machine, simd_team,
                         testing::ValuesIn(simd_kinds({1, 2, 7})),
                         device_name());

constexpr proof_parameters few{5, 3};

bytes proof_of(backend& device, byte_view data, const segment_position& at,
               proof_wire wire) {
  const segment_statement statement{data.size(), at};
  const auto proved = prove_stark(device, data, statement, few, wire);
  return proved.ok() ? encode(proved->proof, proved->shape) : bytes();
}

TEST_P(simd_team, proofs_are_those_of_the_scalar_backend) {
  for (const std::size_t length :
       {0, 1, 14, 15, 16, 59, 60, 61, 15299, 15300, 15301, 61199, 61201}) {
    const bytes data = make_input(length, 3 * length + 1);
    const segment_position position{length, length % 2 == 1};
    const auto wire = wires[length % 2];
    const bytes ours = proof_of(*device, data, position, wire);
    ASSERT_FALSE(ours.empty());
    ASSERT_EQ(ours, proof_of(reference, data, position, wire)) << length;
  }
  EXPECT_GT(device.kernels_run(), 100U);
}

// More leaves than lanes, and a number of them that is no multiple.
TEST_P(simd_team, proofs_of_many_leaves_are_those_of_the_scalar_backend) {
  static std::map<std::size_t, bytes> expected;
  for (const std::size_t length : {489600, 489601}) {
    const bytes data = make_input(length, 8);
    if (!expected.contains(length)) {
      expected[length] = proof_of(reference, data, {}, proof_wire::p3_0_6);
    }
    ASSERT_EQ(proof_of(*device, data, {}, proof_wire::p3_0_6),
              expected[length]);
  }
}

TEST(isas, are_chosen_by_name_or_else_the_best) {
  const auto available = available_isas();
  EXPECT_EQ(available.front(), prover_isa::scalar);
  EXPECT_TRUE(std::is_sorted(available.begin(), available.end()));
  for (const auto isa : available) {
    EXPECT_EQ(choose_isa(std::string(name_of(isa)).c_str()), isa);
  }
  for (const char* wanted : {"", "best", "AVX2", "sse9", "avx5122"}) {
    EXPECT_EQ(choose_isa(wanted), available.back());
  }
  EXPECT_EQ(choose_isa(nullptr), available.back());
}

TEST(isas, each_has_code_of_its_own) {
  std::vector<std::string> names;
  for (const auto isa : available_isas()) {
    const auto* const set = kernels_of(isa);
    ASSERT_EQ(set == nullptr, isa == prover_isa::scalar);
    if (set != nullptr) {
      EXPECT_EQ(set->isa, isa);
      names.emplace_back(set->target.name);
    }
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace nexus::prover
