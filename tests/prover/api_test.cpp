// The public functions.
#include <gtest/gtest.h>

#include <algorithm>
#include <nexus/prover.hpp>
#include <thread>

#include "golden.hpp"
#include "prover/prove.hpp"
#include "prover/prove_segment.hpp"
#include "prover/scalar_backend.hpp"
#include "prover/simd/isa.hpp"
#include "prover/verify.hpp"
#include "prover/wire.hpp"

namespace nexus {
namespace {

TEST(profiles, are_the_documented_ones) {
  const auto& first = profile_of(proof_security::conjectured);
  EXPECT_EQ(first.name, "conjectured");
  EXPECT_EQ(first.queries, 100U);
  EXPECT_EQ(first.pow_bits, 16U);
  EXPECT_EQ(first.conjectured_bits, 104U);
  EXPECT_EQ(first.proven_bits, 65U);
  const auto& second = profile_of(proof_security::proven);
  EXPECT_EQ(second.name, "proven");
  EXPECT_EQ(second.queries, 200U);
  EXPECT_EQ(second.pow_bits, 16U);
  EXPECT_EQ(second.conjectured_bits, 104U);
  EXPECT_EQ(second.proven_bits, 98U);
}

TEST(prove_segment, makes_the_golden_proof) {
  const auto& expected = golden("conjectured_100");
  const auto proved = prove_segment(expected.input(), expected.position);
  ASSERT_TRUE(proved.ok());
  EXPECT_EQ(proved->digest, expected.digest);
  EXPECT_EQ(proved->bytes, expected.proof(proof_wire::p3_0_6));
  EXPECT_LE(proved->bytes.size(), proof_size_limit(expected.length, {}));
}

TEST(verify_segment, accepts_what_was_proved_under_its_profile_alone) {
  const bytes data = make_input(100, 20);
  const segment_position position{6, true};
  for (const auto security :
       {proof_security::conjectured, proof_security::proven}) {
    for (const auto wire : wires) {
      const proof_options options{security, wire};
      const auto proved = prove_segment(data, position, options);
      ASSERT_TRUE(proved.ok());
      const auto verify = [&](const proof_options& with) {
        return verify_segment(proved->bytes, 100, position, proved->digest,
                              with)
            .code();
      };
      EXPECT_EQ(verify(options), status_code::ok);
      EXPECT_EQ(verify({security == proof_security::proven
                            ? proof_security::conjectured
                            : proof_security::proven,
                        wire}),
                status_code::invalid_data);
    }
  }
}

TEST(verify_segment, refuses_what_is_no_proof) {
  for (const std::size_t length : {0, 1, 1000, 100000, 300000}) {
    const auto verdict =
        verify_segment(make_input(length, 4), 100, {}, segment_digest{});
    EXPECT_EQ(verdict.code(), status_code::invalid_data);
  }
}

TEST(verify_segment, checks_its_arguments) {
  const segment_digest zero{};
  const auto code = [&](std::uint64_t length, std::uint64_t index,
                        const segment_digest& digest) {
    return verify_segment({}, length, {index, false}, digest).code();
  };
  EXPECT_EQ(code(0, 0, zero), status_code::invalid_data);
  EXPECT_EQ(code(segment_capacity(max_segment_rows) + 1, 0, zero),
            status_code::invalid_argument);
  EXPECT_EQ(code(~std::uint64_t{0}, 0, zero), status_code::invalid_argument);
  EXPECT_EQ(code(0, std::uint64_t{1} << 60, zero),
            status_code::invalid_argument);
  EXPECT_EQ(code(0, 0, {0, 0, 0, 0x7f000001, 0, 0, 0, 0}),
            status_code::invalid_argument);
}

TEST(prove_segment, checks_its_arguments_and_stops_on_request) {
  EXPECT_EQ(prove_segment({}, {std::uint64_t{1} << 60, false}).error().code(),
            status_code::invalid_argument);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(prove_segment({}, {}, {}, source.get_token()).error().code(),
            status_code::cancelled);
}

// Does the work alone, and asks to stop as a task begins.
class impatient_team final : public prover::task_team {
 public:
  explicit impatient_team(std::size_t patience) : patience_(patience) {}
  void run(std::size_t count, prover::task_ref body) override {
    for (std::size_t task = 0; task < count; ++task) {
      if (begun_++ == patience_) {
        source_.request_stop();
      }
      body(task);
    }
  }
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] std::size_t begun() const { return begun_; }

 private:
  const std::size_t patience_;
  std::size_t begun_ = 0;
  std::stop_source source_;
};

// Whatever the steps then find, of which tasks were left out.
TEST(prove_segment, stops_within_its_steps) {
  if (prover::isa_in_use() == prover::prover_isa::scalar) {
    GTEST_SKIP() << "the scalar backend works without a team";
  }
  const bytes data = make_input(40000, 9);
  const auto ends = [&data](impatient_team& team) {
    const prover::prove_hooks hooks{team.token(), {}, nullptr};
    return prover::prove_segment(data, {}, {}, hooks, team).error().code();
  };
  impatient_team patient(~std::size_t{0});
  ASSERT_EQ(ends(patient), status_code::ok);
  ASSERT_GT(patient.begun(), 50U);
  for (std::size_t last = 0; last < patient.begun(); ++last) {
    impatient_team team(last);
    EXPECT_EQ(ends(team), status_code::cancelled) << last;
    EXPECT_LT(team.begun(), 2 * patient.begun()) << last;
  }
}

TEST(prove_memory, is_within_bounds_at_the_default_size) {
  EXPECT_GE(prove_memory(3916800), std::uint64_t{247} * 4 << 17);
  EXPECT_LE(prove_memory(3916800), std::uint64_t{180} * 1000 * 1000);
}

TEST(prove_segment, gives_the_same_bytes_on_threads_at_once) {
  const bytes data = make_input(20000, 9);
  const auto expected = prove_segment(data, {});
  ASSERT_TRUE(expected.ok());
  std::array<result<segment_proof>, 3> proofs = {
      segment_proof{}, segment_proof{}, segment_proof{}};
  {
    std::vector<std::jthread> threads;
    for (auto& proof : proofs) {
      threads.emplace_back([&] { proof = prove_segment(data, {}); });
    }
  }
  for (const auto& proof : proofs) {
    EXPECT_EQ(proof->bytes, expected->bytes);
  }
}

TEST(prove_segment, gives_the_same_bytes_on_any_number_of_threads) {
  const bytes data = make_input(20000, 9);
  const auto expected = prove_segment(data, {});
  ASSERT_TRUE(expected.ok());
  for (const unsigned threads : {0U, 2U, 7U, 1000U}) {
    proof_options options;
    options.threads = threads;
    const auto proved = prove_segment(data, {}, options);
    ASSERT_TRUE(proved.ok());
    EXPECT_EQ(proved->bytes, expected->bytes) << threads;
  }
}

TEST(prover_isa_in_use, is_one_that_the_machine_has) {
  const auto available = prover::available_isas();
  EXPECT_TRUE(std::any_of(available.begin(), available.end(), [](auto isa) {
    return name_of(isa) == prover_isa_in_use();
  }));
}

// With few queries: all sizes around the borders of lanes, rows and leaves.
class every_size : public testing::TestWithParam<std::size_t> {};

TEST_P(every_size, is_proved_and_verified) {
  const prover::proof_parameters few{5, 3};
  const bytes data = make_input(GetParam(), 31);
  const prover::segment_statement statement{data.size(), {2, false}};
  prover::scalar_backend device;
  for (const auto wire : wires) {
    const auto proved = prover::prove_stark(device, data, statement, few, wire);
    ASSERT_TRUE(proved.ok());
    EXPECT_EQ(prover::to_integers(proved->root),
              *digest_segment(data, statement.position));
    const bytes proof = prover::encode(proved->proof, proved->shape);
    EXPECT_TRUE(
        prover::verify_stark(proof, statement, proved->root, few, wire).ok());
    for (const std::uint64_t other : {data.size() + 1, data.size() - 1}) {
      if (other < data.size() + 2) {
        EXPECT_FALSE(prover::verify_stark(proof, {other, {2, false}},
                                          proved->root, few, wire)
                         .ok());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(sizes, every_size,
                         testing::Values(0, 1, 14, 15, 16, 59, 60, 61, 15299,
                                         15300, 15301));

}  // namespace
}  // namespace nexus
