// What the verifier refuses.
#include "prover/verify.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"
#include "prover/prove.hpp"
#include "prover/scalar_backend.hpp"
#include "prover/wire.hpp"

namespace nexus::prover {
namespace {

// The golden proof of no bytes, in both wires.
class mini_proof : public testing::TestWithParam<proof_wire> {
 protected:
  [[nodiscard]] status verify(byte_view proof) const {
    return verify(proof, golden_.statement());
  }
  [[nodiscard]] status verify(byte_view proof,
                              const segment_statement& statement) const {
    return verify_stark(proof, statement, root_of(golden_), golden_.parameters,
                        GetParam());
  }
  void expect_refused(byte_view proof, std::size_t at) const {
    const status verdict = verify(proof);
    ASSERT_EQ(verdict.code(), status_code::invalid_data) << "byte " << at;
    ASSERT_TRUE(verdict.message().starts_with("segment proof: "));
  }

  const golden_case& golden_ = golden("mini_0");
  const bytes proof_ = golden_.proof(GetParam());
};

INSTANTIATE_TEST_SUITE_P(wires, mini_proof, testing::ValuesIn(wires),
                         [](const auto& each) {
                           return each.param == proof_wire::p3_0_6 ? "p3_0_6"
                                                                   : "p3_0_7";
                         });

TEST_P(mini_proof, is_accepted_as_it_is) {
  ASSERT_FALSE(proof_.empty());
  EXPECT_TRUE(verify(proof_).ok());
}

// One bit of each byte, another one from byte to byte.
TEST_P(mini_proof, is_refused_with_any_byte_changed) {
  bytes proof = proof_;
  for (std::size_t i = 0; i < proof.size(); ++i) {
    const auto bit = static_cast<std::byte>(1U << (i * 5 + i / 8) % 8);
    proof[i] ^= bit;
    ASSERT_NO_FATAL_FAILURE(expect_refused(proof, i));
    proof[i] ^= bit;
  }
  EXPECT_TRUE(verify(proof).ok());
}

// Where most of the lengths and tags are: the head, and the tail.
TEST_P(mini_proof, is_refused_with_any_other_byte_at_its_ends) {
  bytes proof = proof_;
  for (std::size_t i = 0; i < proof.size(); ++i) {
    if (i == 90) {
      i = proof.size() - 20;
    }
    const std::byte kept = proof[i];
    for (unsigned other = 0; other < 256; ++other) {
      proof[i] = static_cast<std::byte>(other);
      if (proof[i] != kept) {
        ASSERT_NO_FATAL_FAILURE(expect_refused(proof, i));
      }
    }
    proof[i] = kept;
  }
}

TEST_P(mini_proof, is_refused_cut_short_anywhere) {
  for (std::size_t length = 0; length < proof_.size(); ++length) {
    ASSERT_NO_FATAL_FAILURE(
        expect_refused(byte_view(proof_).first(length), length));
  }
}

TEST_P(mini_proof, is_refused_with_bytes_behind_it) {
  bytes proof = proof_;
  proof.push_back(std::byte{0});
  EXPECT_EQ(verify(proof).message(), "segment proof: byte " +
                                         std::to_string(proof_.size()) +
                                         " lies behind its end");
}

TEST_P(mini_proof, is_refused_for_another_segment) {
  const segment_statement right = golden_.statement();
  EXPECT_TRUE(verify(proof_, right).ok());
  for (const segment_statement& wrong :
       {segment_statement{1, right.position},
        segment_statement{15300, right.position},
        segment_statement{15301, right.position},
        segment_statement{0, {1, true}},
        segment_statement{0, {std::uint64_t{1} << 30, true}},
        segment_statement{0, {0, false}}}) {
    EXPECT_EQ(verify(proof_, wrong).code(), status_code::invalid_data);
  }
}

TEST_P(mini_proof, is_refused_for_another_digest) {
  for (std::size_t i = 0; i < 8; ++i) {
    digest root = root_of(golden_);
    root[i] += one;
    EXPECT_EQ(verify_stark(proof_, golden_.statement(), root,
                           golden_.parameters, GetParam())
                  .code(),
              status_code::invalid_data);
  }
}

TEST_P(mini_proof, is_refused_with_other_parameters) {
  for (const proof_parameters& other :
       {proof_parameters{4, 3}, proof_parameters{6, 3}, proof_parameters{5, 0},
        proof_parameters{5, 16}, proof_parameters{100, 16}}) {
    EXPECT_EQ(verify_stark(proof_, golden_.statement(), root_of(golden_), other,
                           GetParam())
                  .code(),
              status_code::invalid_data);
  }
}

TEST_P(mini_proof, is_refused_in_the_other_wire) {
  for (const auto wire : wires) {
    EXPECT_EQ(verify_stark(proof_, golden_.statement(), root_of(golden_),
                           golden_.parameters, wire)
                  .ok(),
              wire == GetParam());
  }
}

TEST_P(mini_proof, is_refused_with_another_number_of_rows) {
  bytes proof = proof_;
  ASSERT_EQ(proof.back(), std::byte{8});
  for (const int log_rows : {0, 7, 9, 24, 127}) {
    proof.back() = static_cast<std::byte>(log_rows);
    EXPECT_EQ(verify(proof).message(), "segment proof: byte " +
                                           std::to_string(proof.size() - 1) +
                                           " is another number of rows");
  }
}

// Of values, each changed by one: the encoding stays what it has to be.
TEST_P(mini_proof, is_refused_with_any_value_changed) {
  const proof_shape shape{8, golden_.parameters, GetParam()};
  const auto decoded = decode(proof_, shape);
  ASSERT_TRUE(decoded.ok());
  const auto expect = [&](auto&& change, const char* why) {
    segment_stark changed = *decoded;
    change(changed);
    EXPECT_EQ(verify(encode(changed, shape)).message(),
              std::string("segment proof: ") + why);
  };
  constexpr auto work = "the work before the queries was not done";
  expect([](auto& x) { x.rounds[0].witness = one; }, work);
  expect([](auto& x) { x.trace.values[246] += one; },
         "an opened row is not of the committed trace");
  expect([](auto& x) { x.trace.proof.back()[7] += one; },
         "an opened row is not of the committed trace");
  expect([](auto& x) { x.quotient.values.back() += one; },
         "an opened row is not of the committed quotient");
  expect([](auto& x) { x.rounds[0].opened.values[0].c[1] += one; },
         "a folded value is not the committed one");
}

// At the challenges of the proof itself: what a prover could not have opened.
TEST(constraint_check, sees_every_opened_value) {
  const auto& expected = golden("mini_0");
  const auto statement = expected.statement();
  scalar_backend device;
  auto proved = *prove_stark(device, {}, statement, expected.parameters,
                             proof_wire::p3_0_6);
  auto& proof = proved.proof;
  const auto publics = statement.publics(proved.root);
  const auto holds = [&] {
    return check_constraints(proof, publics, proved.drawn, 8);
  };
  ASSERT_TRUE(holds());
  const auto expect_seen = [&](ext& value) {
    value.c[2] += one;
    EXPECT_FALSE(holds());
    value.c[2] -= one;
  };
  for (auto& value : proof.trace_local) {
    expect_seen(value);
  }
  for (std::size_t j = 0; j < 24; ++j) {
    expect_seen(proof.trace_next[j]);
  }
  for (std::size_t j = column::top; j < column::count; ++j) {
    expect_seen(proof.trace_next[j]);
  }
  for (auto& chunk : proof.chunks) {
    for (auto& value : chunk) {
      expect_seen(value);
    }
  }
  ASSERT_TRUE(holds());
  // Where the equation says nothing it must not be taken to hold.
  proved.drawn.zeta = ext(root_of_unity(8));
  EXPECT_FALSE(holds());
}

// Random bytes, and a proof's with random ones put in: no crash, no acceptance.
TEST_P(mini_proof, random_bytes_are_refused) {
  for (std::uint64_t seed = 1; seed < 300; ++seed) {
    bytes proof = seed % 3 == 0 ? make_input(proof_.size(), seed) : proof_;
    const bytes noise = make_input(16, seed);
    const std::size_t at = seed * 7919 % (proof.size() - 16);
    std::copy(noise.begin(), noise.end(),
              proof.begin() + static_cast<long>(at));
    ASSERT_NO_FATAL_FAILURE(expect_refused(proof, at));
  }
}

}  // namespace
}  // namespace nexus::prover
