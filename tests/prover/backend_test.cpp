// Every backend's primitives against naive arithmetic, and what the protocol
// does when a primitive fails.
#include <gtest/gtest.h>

#include <random>

#include "devices.hpp"
#include "golden.hpp"
#include "oracle.hpp"
#include "prover/air.hpp"
#include "prover/host_storage.hpp"
#include "prover/prove.hpp"
#include "prover/scalar_backend.hpp"
#include "prover/verify.hpp"
#include "prover/wire.hpp"

namespace nexus::prover {
namespace {

constexpr unsigned log_rows = 8;  // the smallest, and rows of a batch
constexpr std::size_t rows = 256;

ext random_ext(std::mt19937_64& random) {
  return {fp::from(random()), fp::from(random()), fp::from(random()),
          fp::from(random())};
}

oracle::quartic plain(const ext& a) {
  return {a.c[0].canonical(), a.c[1].canonical(), a.c[2].canonical(),
          a.c[3].canonical()};
}

class every_backend : public testing::TestWithParam<device_kind> {
 protected:
  const test_device device{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(machine, every_backend,
                         testing::ValuesIn(device_kinds({1, 3})),
                         device_name());

// Columns of random values on shift * H, in order.
struct columns_fixture {
  std::vector<oracle::column> values;
  matrix_ptr stored;

  columns_fixture(std::size_t width, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    auto made = std::make_unique<host_matrix>(log_rows, width);
    values.assign(width, oracle::column(rows));
    std::vector<fp> row(width);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t c = 0; c < width; ++c) {
        values[c][i] = random() % oracle::p;
        row[c] = fp::from(values[c][i]);
      }
      made->store(oracle::reversed(i, log_rows), row.data());
    }
    stored = std::move(made);
  }
};

TEST_P(every_backend, extends_columns_from_any_coset) {
  for (const std::uint64_t shift : {1, 3, 777}) {
    columns_fixture columns(19, shift);
    const auto extended =
        *device->extend(std::move(columns.stored), fp::from(shift));
    ASSERT_EQ(extended->log_height(), log_rows + 1);
    for (const std::size_t c : {0, 15, 16, 18}) {
      const auto expected = oracle::extend(columns.values[c], shift);
      for (std::uint32_t r = 0; r < 2 * rows; ++r) {
        const std::array<const matrix*, 1> view = {extended.get()};
        const auto row = *device->gather_rows(view, std::span(&r, 1));
        ASSERT_EQ(row.size(), 19U);
        ASSERT_EQ(row[c].canonical(), expected[r]) << r;
      }
    }
  }
}

TEST_P(every_backend, evaluates_columns_at_points_outside_of_the_domain) {
  columns_fixture columns(5, 8);
  std::mt19937_64 random(9);
  const std::array points = {random_ext(random), random_ext(random)};
  const auto extended = *device->extend(std::move(columns.stored), one);
  const auto values = *device->evaluate(*extended, points);
  ASSERT_EQ(values.size(), 10U);
  for (std::size_t c = 0; c < 5; ++c) {
    std::vector<oracle::quartic> coefficients;
    for (const auto x : oracle::interpolate(columns.values[c], 1)) {
      coefficients.push_back({x, 0, 0, 0});
    }
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(plain(values[5 * k + c]),
                oracle::evaluate(coefficients, plain(points[k])));
    }
  }
}

TEST_P(every_backend, hashes_the_rows_of_several_matrices_together) {
  columns_fixture wide(20, 1);
  columns_fixture narrow(3, 2);
  const std::array<const matrix*, 2> both = {wide.stored.get(),
                                             narrow.stored.get()};
  const auto hashes = *device->hash_rows(both);
  for (const std::uint32_t r : {0, 1, 100, 255}) {
    std::vector<oracle::number> row;
    for (const auto* part : {&wide, &narrow}) {
      for (const auto& column : part->values) {
        row.push_back(column[oracle::reversed(r, log_rows)]);
      }
    }
    const auto found = *device->gather_hashes(*hashes, std::span(&r, 1));
    const auto expected = oracle::hash_row(row);
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(found[0][i].canonical(), expected[i]);
    }
  }
}

// By the formula, for openings of two matrices, one of them at two points.
TEST_P(every_backend, reduces_openings) {
  columns_fixture wide(18, 3);
  columns_fixture narrow(4, 4);
  std::mt19937_64 random(10);
  const ext alpha = random_ext(random);
  const ext z0 = random_ext(random);
  const ext z1 = random_ext(random);
  std::vector<ext> claims(18 + 18 + 4);
  for (auto& x : claims) {
    x = random_ext(random);
  }
  const auto first = *device->extend(std::move(wide.stored), one);
  const auto second = *device->extend(std::move(narrow.stored), one);
  const std::span<const ext> all = claims;
  const std::array<opening, 3> openings = {{
      {first.get(), z0, all.subspan(0, 18)},
      {first.get(), z1, all.subspan(18, 18)},
      {second.get(), z0, all.subspan(36, 4)},
  }};
  const auto reduced = *device->reduce_openings(openings, alpha);
  for (const std::uint32_t r : {0, 1, 255, 256, 511}) {
    const fp x = fp::from(3) * power(fp::from(oracle::root(log_rows + 1)),
                                     oracle::reversed(r, log_rows + 1));
    ext expected{fp{}};
    ext factor = ext_one;
    for (const auto& each : openings) {
      const std::array<const matrix*, 1> view = {each.codewords};
      const auto row = *device->gather_rows(view, std::span(&r, 1));
      for (std::size_t k = 0; k < row.size(); ++k) {
        expected += factor * (each.values[k] - ext(row[k])) *
                    inverse(each.point - ext(x));
        factor *= alpha;
      }
    }
    EXPECT_EQ(device->gather_groups(*reduced, 0, std::span(&r, 1))->front(),
              expected);
  }
}

TEST_P(every_backend, folds_as_the_verifier_does) {
  std::mt19937_64 random(11);
  host_codeword values(9);
  for (auto& x : values.values) {
    x = random_ext(random);
  }
  const ext beta = random_ext(random);
  for (unsigned log_arity = 1; log_arity <= 3; ++log_arity) {
    const auto folded = *device->fold(values, beta, log_arity);
    const auto hashes = *device->hash_groups(values, log_arity);
    const std::size_t arity = std::size_t{1} << log_arity;
    ASSERT_EQ(folded->log_length(), 9 - log_arity);
    for (std::uint32_t g = 0; g < 512 / arity; ++g) {
      const auto at = std::span(&g, 1);
      const auto group = *device->gather_groups(values, log_arity, at);
      EXPECT_EQ(device->gather_groups(*folded, 0, at)->front(),
                fold_group(group, g, 9, beta));
      row_hasher hasher;
      for (const ext& x : group) {
        hasher.absorb(x.c);
      }
      EXPECT_EQ(device->gather_hashes(*hashes, at)->front(), hasher.finish());
    }
  }
}

TEST_P(every_backend, finds_the_smallest_witness) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    challenger each;
    each.observe(fp::from(seed));
    const auto state = each.grinding();
    const auto witness = *device->grind(state, 5);
    EXPECT_TRUE(earns(state, witness, 5));
    for (std::uint32_t smaller = 0; smaller < witness; ++smaller) {
      EXPECT_FALSE(earns(state, smaller, 5));
    }
  }
}

const proof_parameters few{5, 3};

// Fails at the call of this number.
class failing_backend : public scalar_backend {
 public:
  explicit failing_backend(int at) : left_(at) {}
  [[nodiscard]] bool failed() const { return left_ < 0; }

#define FAIL_OR(call)                                             \
  if (left_-- == 0)                                               \
    return status{status_code::device_failed, "it was bound to"}; \
  return scalar_backend::call
  result<segment_witness> make_witness(byte_view data,
                                       const segment_statement& s) override {
    FAIL_OR(make_witness(data, s));
  }
  result<matrix_ptr> extend(matrix_ptr values, fp shift) override {
    FAIL_OR(extend(std::move(values), shift));
  }
  result<layer_ptr> hash_rows(matrix_views views) override {
    FAIL_OR(hash_rows(views));
  }
  result<layer_ptr> hash_groups(const codeword& values, unsigned a) override {
    FAIL_OR(hash_groups(values, a));
  }
  result<layer_ptr> compress_pairs(const layer& hashes) override {
    FAIL_OR(compress_pairs(hashes));
  }
  result<std::array<matrix_ptr, 2>> make_quotient(const matrix& trace,
                                                  const public_values& publics,
                                                  const ext& alpha) override {
    FAIL_OR(make_quotient(trace, publics, alpha));
  }
  result<std::vector<ext>> evaluate(const matrix& codewords,
                                    std::span<const ext> points) override {
    FAIL_OR(evaluate(codewords, points));
  }
  result<codeword_ptr> reduce_openings(std::span<const opening> openings,
                                       const ext& alpha) override {
    FAIL_OR(reduce_openings(openings, alpha));
  }
  result<codeword_ptr> fold(const codeword& values, const ext& beta,
                            unsigned a) override {
    FAIL_OR(fold(values, beta, a));
  }
  result<std::vector<fp>> gather_rows(
      matrix_views views, std::span<const std::uint32_t> at) override {
    FAIL_OR(gather_rows(views, at));
  }
  result<std::vector<ext>> gather_groups(
      const codeword& values, unsigned a,
      std::span<const std::uint32_t> at) override {
    FAIL_OR(gather_groups(values, a, at));
  }
  result<std::vector<digest>> gather_hashes(
      const layer& hashes, std::span<const std::uint32_t> at) override {
    FAIL_OR(gather_hashes(hashes, at));
  }
  result<std::uint32_t> grind(const grinding_state& state,
                              unsigned bits) override {
    FAIL_OR(grind(state, bits));
  }
#undef FAIL_OR

 private:
  int left_;
};

TEST(prove_stark, hands_on_the_failure_of_every_primitive) {
  const segment_statement statement{0, {}};
  for (const auto wire : wires) {
    int calls = 0;
    for (;; ++calls) {
      failing_backend device(calls);
      const auto proved = prove_stark(device, {}, statement, few, wire);
      if (!device.failed()) {
        EXPECT_TRUE(proved.ok());
        break;
      }
      ASSERT_EQ(proved.error().code(), status_code::device_failed) << calls;
    }
    EXPECT_GT(calls, 60);
  }
}

// A device that computes a wrong value somewhere.
class lying_backend : public scalar_backend {
 public:
  std::size_t column = 0;
  std::size_t row = 0;
  std::uint32_t witness_error = 0;

  result<segment_witness> make_witness(byte_view data,
                                       const segment_statement& s) override {
    auto made = scalar_backend::make_witness(data, s);
    auto& trace = static_cast<host_matrix&>(*made->trace);
    const std::size_t place = oracle::reversed(row, trace.log_height());
    if (witness_error == 0) {
      trace.row(column / 16, place)[column % 16] += one;
    }
    return made;
  }
  result<std::uint32_t> grind(const grinding_state& state,
                              unsigned bits) override {
    return *scalar_backend::grind(state, bits) + witness_error;
  }
};

TEST(prove_stark, a_wrong_trace_makes_a_proof_that_is_refused) {
  lying_backend device;
  const segment_statement statement{100, {}};
  const bytes data = make_input(100, 1);
  for (const std::size_t column : {0, 16, 24, 130, 238, 239, 246}) {
    device.column = column;
    device.row = 10 * column % 256;
    const auto proved =
        prove_stark(device, data, statement, few, proof_wire::p3_0_6);
    ASSERT_TRUE(proved.ok());
    const auto verdict =
        verify_stark(encode(proved->proof, proved->shape), statement,
                     proved->root, few, proof_wire::p3_0_6);
    EXPECT_EQ(verdict.code(), status_code::invalid_data) << column;
  }
}

TEST(prove_stark, a_wrong_witness_of_work_is_the_devices_failure) {
  lying_backend device;
  const segment_statement statement{0, {}};
  int refused = 0;
  for (device.witness_error = 1; device.witness_error < 20;
       ++device.witness_error) {
    const auto proved =
        prove_stark(device, {}, statement, few, proof_wire::p3_0_6);
    refused += proved.error().code() == status_code::device_failed;
  }
  EXPECT_GT(refused, 10);  // of 19, an eighth of which earn the bits too
}

TEST(prove_stark, stops_after_the_phase_that_it_is_in) {
  const segment_statement statement{0, {}};
  scalar_backend device;
  for (int last = 0; last <= static_cast<int>(phase::answer); ++last) {
    std::stop_source source;
    int begun = 0;
    prove_hooks hooks{source.get_token(),
                      [&](phase which) {
                        EXPECT_EQ(static_cast<int>(which), begun++);
                        if (static_cast<int>(which) == last) {
                          source.request_stop();
                        }
                      },
                      nullptr};
    const auto proved =
        prove_stark(device, {}, statement, few, proof_wire::p3_0_6, hooks);
    EXPECT_EQ(begun, last + 1);
    EXPECT_EQ(proved.error().code(), status_code::cancelled);
  }
}

}  // namespace
}  // namespace nexus::prover
