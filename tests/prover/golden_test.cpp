// Byte equality with Plonky3.
#include "golden.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "devices.hpp"
#include "prover/prove.hpp"
#include "prover/verify.hpp"
#include "prover/wire.hpp"

namespace nexus::prover {
namespace {

// The scalar backend is slow: of the large cases it is spared.
constexpr std::uint64_t scalar_rows = 2048;

struct case_on_device {
  golden_case expected;
  device_kind kind;
};

std::ostream& operator<<(std::ostream& out, const case_on_device& value) {
  return out << value.expected << " on " << value.kind;
}

std::vector<case_on_device> cases_on_devices() {
  std::vector<case_on_device> out;
  for (const auto& each : golden_cases()) {
    for (const auto& kind : device_kinds({1, 2})) {
      const bool small = each.rows <= scalar_rows;
      if (small || (kind.isa != prover_isa::scalar && kind.threads == 2)) {
        out.push_back({each, kind});
      }
    }
  }
  return out;
}

class golden_proof : public testing::TestWithParam<case_on_device> {
 protected:
  const golden_case& expected = GetParam().expected;
  const device_kind& kind = GetParam().kind;
};

TEST_P(golden_proof, has_the_digest) {
  const bytes input = expected.input();
  ASSERT_EQ(sha256_hex(input), expected.input_sha256);
  EXPECT_EQ(segment_rows(expected.length), expected.rows);
  EXPECT_EQ(to_integers(digest_with(kind.isa, input, expected.statement())),
            expected.digest);
  const auto publics = expected.statement().publics(root_of(expected));
  for (std::size_t i = 0; i < publics.size(); ++i) {
    EXPECT_EQ(publics[i].canonical(), expected.publics[i]);
  }
}

// Small ones with both wires: where no golden bytes are, the verifier must
// agree.
TEST_P(golden_proof, is_made_byte_for_byte) {
  const test_device device(kind);
  for (const auto wire : wires) {
    const auto w = static_cast<std::size_t>(wire);
    if (expected.rows > scalar_rows && expected.proof_sha256[w].empty()) {
      continue;
    }
    const auto proved =
        prove_stark(*device, expected.input(), expected.statement(),
                    expected.parameters, wire);
    ASSERT_TRUE(proved.ok());
    const bytes ours = encode(proved->proof, proved->shape);
    EXPECT_LE(ours.size(), encoded_limit(proved->shape));
    if (!expected.proof_sha256[w].empty()) {
      EXPECT_EQ(ours.size(), expected.proof_length[w]);
      EXPECT_EQ(sha256_hex(ours), expected.proof_sha256[w]);
    }
    const bytes golden_bytes = expected.proof(wire);
    if (!golden_bytes.empty()) {
      EXPECT_EQ(ours, golden_bytes);
    }
    EXPECT_TRUE(verify_stark(ours, expected.statement(), root_of(expected),
                             expected.parameters, wire, kind.isa)
                    .ok());
  }
  EXPECT_EQ(device.kernels_run() != 0, kind.isa != prover_isa::scalar);
}

INSTANTIATE_TEST_SUITE_P(cases, golden_proof,
                         testing::ValuesIn(cases_on_devices()),
                         [](const auto& each) {
                           return each.param.expected.name + "_" +
                                  each.param.kind.name();
                         });

struct proof_file {
  std::string name;
  proof_wire wire;
};

std::vector<proof_file> proof_files() {
  std::vector<proof_file> out;
  for (const auto& each : golden_cases()) {
    for (const auto wire : wires) {
      if (!each.proof(wire).empty()) {
        out.push_back({each.name, wire});
      }
    }
  }
  return out;
}

class golden_file : public testing::TestWithParam<proof_file> {};

TEST_P(golden_file, is_accepted) {
  const auto& expected = golden(GetParam().name);
  for (const auto isa : available_isas()) {
    const auto verdict = verify_stark(
        expected.proof(GetParam().wire), expected.statement(),
        root_of(expected), expected.parameters, GetParam().wire, isa);
    EXPECT_TRUE(verdict.ok()) << name_of(isa) << ": " << verdict.message();
  }
}

INSTANTIATE_TEST_SUITE_P(
    cases, golden_file, testing::ValuesIn(proof_files()), [](const auto& each) {
      return each.param.name +
             (each.param.wire == proof_wire::p3_0_6 ? "_0_6" : "_0_7");
    });

nlohmann::json plain(fp x) {
  return x.canonical();
}
nlohmann::json plain(const ext& x) {
  return {plain(x.c[0]), plain(x.c[1]), plain(x.c[2]), plain(x.c[3])};
}
nlohmann::json plain(const digest& x) {
  return to_integers(x);
}
template <class T>
nlohmann::json plain(const std::vector<T>& all) {
  auto out = nlohmann::json::array();
  for (const auto& x : all) {
    out.push_back(plain(x));
  }
  return out;
}

class transcript_values : public testing::TestWithParam<std::string> {};

// In the order of the transcript, so that the first one that differs shows
// where to look.
TEST_P(transcript_values, are_plonky3s) {
  const auto& expected = golden(GetParam());
  const auto values = golden_values(GetParam());
  scalar_backend device;
  const auto proved =
      prove_stark(device, expected.input(), expected.statement(),
                  expected.parameters, proof_wire::p3_0_6);
  ASSERT_TRUE(proved.ok());
  const auto& proof = proved->proof;
  const auto& drawn = proved->drawn;
  ASSERT_EQ(plain(proof.trace_commitment), values.at("trace_cap").at(0));
  ASSERT_EQ(plain(drawn.alpha), values.at("alpha"));
  ASSERT_EQ(plain(proof.quotient_commitment), values.at("quotient_cap").at(0));
  ASSERT_EQ(plain(drawn.zeta), values.at("zeta"));
  ASSERT_EQ(plain(proof.trace_local), values.at("trace_local"));
  ASSERT_EQ(plain(proof.trace_next), values.at("trace_next"));
  for (std::size_t c = 0; c < 2; ++c) {
    ASSERT_EQ(plain(proof.chunks[c]), values.at("quotient_open").at(c));
  }
  ASSERT_EQ(plain(drawn.fri_alpha), values.at("fri_alpha"));
  ASSERT_EQ(proof.rounds.size(), values.at("rounds").size());
  for (std::size_t r = 0; r < proof.rounds.size(); ++r) {
    const auto& round = values.at("rounds").at(r);
    ASSERT_EQ(proof.rounds[r].opened.log_arity, round.at("log_arity"));
    ASSERT_EQ(plain(proof.rounds[r].commitment), round.at("cap").at(0));
    ASSERT_EQ(plain(proof.rounds[r].witness), round.at("witness"));
    ASSERT_EQ(plain(drawn.betas[r]), round.at("beta"));
  }
  ASSERT_EQ(plain(proof.final_polynomial), values.at("final_poly"));
  ASSERT_EQ(plain(proof.query_witness), values.at("query_witness"));
  ASSERT_EQ(drawn.queries,
            values.at("indices").get<std::vector<std::uint32_t>>());
}

INSTANTIATE_TEST_SUITE_P(cases, transcript_values,
                         testing::Values("mini_0", "mini_40000"),
                         [](const auto& each) { return each.param; });

TEST(golden_cases, are_all_there) {
  EXPECT_EQ(golden_cases().size(), 13U);
  EXPECT_EQ(proof_files().size(), 8U);
  int with_0_7 = 0;
  for (const auto& each : golden_cases()) {
    with_0_7 += !each.proof_sha256[1].empty();
  }
  EXPECT_EQ(with_0_7, 2);
}

}  // namespace
}  // namespace nexus::prover
