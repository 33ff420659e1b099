// digest, prove and verify on every device that offers them: against digests
// and proofs that Plonky3 made, and against naive arithmetic.
#include <openssl/sha.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <thread>

#include "device_fixture.hpp"
#include "oracle.hpp"

namespace conformance {
namespace {

constexpr std::size_t digest_bytes = 32;
constexpr std::uint64_t index_end = std::uint64_t{1} << 60;
constexpr std::uint64_t most_bytes = 62668800;

using digest_words = std::array<std::uint32_t, 8>;

// The input of the cases in tests/vectors/prove.
bytes golden_input(std::size_t length, std::uint64_t state) {
  bytes out((length + 7) / 8 * 8);
  for (std::size_t i = 0; i < out.size(); i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (unsigned k = 0; k < 8; ++k) {
      out[i + k] = static_cast<std::uint8_t>(state >> (8 * k));
    }
  }
  out.resize(length);
  return out;
}

digest_words words_of(const bytes& from) {
  digest_words out{};
  for (std::size_t i = 0; i < std::min(from.size(), digest_bytes); ++i) {
    out[i / 4] |= static_cast<std::uint32_t>(from[i]) << (8 * (i % 4));
  }
  return out;
}

std::string sha256_of(view data) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
  SHA256(data.data(), data.size(), hash.data());
  std::string text;
  for (const unsigned char byte : hash) {
    constexpr char digits[] = "0123456789abcdef";
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

nexus_digest_params digest_params(std::uint64_t index, bool last) {
  nexus_digest_params params{};
  params.size = sizeof params;
  params.flags = last ? NEXUS_SEGMENT_LAST : 0;
  params.index = index;
  return params;
}

nexus_prove_params prove_params(std::uint64_t index, bool last,
                                std::uint32_t security = 0,
                                std::uint32_t wire = 0) {
  nexus_prove_params params{};
  params.size = sizeof params;
  params.flags = last ? NEXUS_SEGMENT_LAST : 0;
  params.index = index;
  params.security = security;
  params.wire = wire;
  return params;
}

nexus_verify_params verify_params(const digest_words& digest,
                                  std::uint64_t length, std::uint64_t index,
                                  bool last) {
  nexus_verify_params params{};
  params.size = sizeof params;
  params.flags = last ? NEXUS_SEGMENT_LAST : 0;
  params.index = index;
  params.length = length;
  std::copy(digest.begin(), digest.end(), params.digest);
  return params;
}

template <class Params>
request make_request(const char* operation, view input, std::uint64_t capacity,
                     const Params& params) {
  request wanted;
  wanted.operation = operation;
  wanted.input = input;
  wanted.capacity = capacity;
  wanted.params = &params;
  wanted.params_bytes = sizeof params;
  return wanted;
}

class DigestDeviceTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_DIGEST);
  }

  digest_words digest(view data, std::uint64_t index, bool last,
                      std::size_t shift = 0) {
    const auto params = digest_params(index, last);
    request wanted = make_request(NEXUS_JOB_DIGEST, data, digest_bytes, params);
    wanted.input_shift = shift;
    const outcome end = run(wanted);
    EXPECT_EQ(end.status, NEXUS_OK);
    EXPECT_EQ(end.output.size(), digest_bytes);
    return words_of(end.output);
  }
};

digest_words naive_digest(const bytes& data, std::uint64_t index, bool last) {
  const oracle::hash hash = oracle::digest(data, index, last);
  digest_words out{};
  std::transform(hash.begin(), hash.end(), out.begin(), [](oracle::number x) {
    return static_cast<std::uint32_t>(x);
  });
  return out;
}

TEST_P(DigestDeviceTest, MakesTheGoldenDigests) {
  EXPECT_EQ(digest({}, 0, true),
            (digest_words{32652489, 2025277051, 581417620, 990191056,
                          1575572232, 1908193053, 1859433443, 659815788}));
  EXPECT_EQ(digest(golden_input(40000, 5), 7, true),
            (digest_words{2098736742, 31196770, 601970060, 121579955,
                          1280643579, 799798711, 1984537138, 1518021315}));
  EXPECT_EQ(digest(golden_input(979200, 8), 3, false),
            (digest_words{468800005, 66407902, 195105784, 1755338524, 327156005,
                          819085034, 1747916673, 1611668732}));
  EXPECT_EQ(digest(golden_input(3916800, 10), 8589934597, true),
            (digest_words{442482809, 732515269, 1178677326, 19902243, 584459306,
                          1326524910, 1048996678, 746539078}));
  EXPECT_EQ(digest(golden_input(3900001, 11), 1, true),
            (digest_words{689145326, 1764087910, 367078391, 1938984537,
                          576276209, 1706548660, 1091706803, 747065114}));
}

TEST_P(DigestDeviceTest, TakesAnyLength) {
  for (const std::size_t length :
       {1u,     2u,     14u,    15u,    16u,    59u,    60u,    61u,
        63u,    64u,    65u,    15239u, 15240u, 15241u, 15299u, 15300u,
        15301u, 30600u, 30601u, 45901u, 61200u, 61201u}) {
    const bytes data = golden_input(length, length);
    EXPECT_EQ(digest(data, 5, false), naive_digest(data, 5, false)) << length;
  }
}

// What was there before must not show.
TEST_P(DigestDeviceTest, ForgetsLongerInputs) {
  const bytes longer(61200, 0xff);
  digest(longer, 0, false);
  const bytes data = golden_input(15301, 3);
  EXPECT_EQ(digest(data, 0, true), naive_digest(data, 0, true));
}

TEST_P(DigestDeviceTest, TakesUnalignedInput) {
  const bytes data = golden_input(20000, 9);
  const digest_words expected = naive_digest(data, 1, true);
  for (const std::size_t shift : {1u, 2u, 3u, 4u, 7u, 31u}) {
    EXPECT_EQ(digest(data, 1, true, shift), expected) << shift;
  }
}

TEST_P(DigestDeviceTest, DependsOnPositionAndLength) {
  const bytes data(100);
  std::vector<digest_words> all = {digest(data, 0, false),
                                   digest(data, 0, true),
                                   digest(data, 1, false),
                                   digest(data, std::uint64_t{1} << 30, false),
                                   digest(data, index_end - 1, false),
                                   digest(view(data).first(99), 0, false)};
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST_P(DigestDeviceTest, RunsManyAtOnce) {
  constexpr int jobs = 40;
  std::vector<bytes> inputs;
  std::vector<nexus_digest_params> params;
  std::vector<std::unique_ptr<flight>> flights;
  for (int i = 0; i < jobs; ++i) {
    inputs.push_back(golden_input(static_cast<std::size_t>(i) * 997, 100));
    params.push_back(digest_params(static_cast<std::uint64_t>(i), i % 2 == 0));
  }
  for (int i = 0; i < jobs; ++i) {
    const auto at = static_cast<std::size_t>(i);
    request wanted =
        make_request(NEXUS_JOB_DIGEST, inputs[at], digest_bytes, params[at]);
    wanted.lane = static_cast<std::uint32_t>(i) % lanes();
    for (;;) {
      auto next = std::make_unique<flight>(wanted, next_id());
      const std::int32_t said = next->submit(device(), backend());
      if (said == NEXUS_OK) {
        flights.push_back(std::move(next));
        break;
      }
      ASSERT_EQ(said, NEXUS_E_BUSY);
    }
  }
  for (int i = 0; i < jobs; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const outcome end = flights[at]->wait();
    EXPECT_EQ(end.status, NEXUS_OK);
    EXPECT_EQ(flights[at]->done_calls(), 1);
    EXPECT_EQ(words_of(end.output),
              naive_digest(inputs[at], params[at].index, i % 2 == 0));
  }
}

// A device that has begun need not finish, and what comes next is right.
TEST_P(DigestDeviceTest, EndsCancelledJobsOnceAndGoesOn) {
  if (backend().cancel == nullptr) GTEST_SKIP() << "it has no cancel()";
  const bytes data = golden_input(20 * 979200, 1);
  const auto params = digest_params(0, false);
  flight job(make_request(NEXUS_JOB_DIGEST, data, digest_bytes, params),
             next_id());
  ASSERT_EQ(job.submit(device(), backend()), NEXUS_OK);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  backend().cancel(device(), job.id());
  const outcome end = job.wait();
  EXPECT_TRUE(end.status == NEXUS_OK || end.status == NEXUS_E_CANCELLED)
      << end.status;
  EXPECT_EQ(job.done_calls(), 1);
  const bytes next = golden_input(100, 2);
  EXPECT_EQ(digest(next, 1, true), naive_digest(next, 1, true));
}

TEST_P(DigestDeviceTest, RefusesWhatIsNotOfThePinnedForm) {
  const bytes data(10);
  const auto code = [&](const request& wanted) { return run(wanted).status; };
  auto params = digest_params(0, true);
  EXPECT_EQ(
      code(make_request(NEXUS_JOB_DIGEST, data, digest_bytes - 1, params)),
      NEXUS_E_ARGUMENT);
  request cut = make_request(NEXUS_JOB_DIGEST, data, digest_bytes, params);
  cut.params_bytes = sizeof params - 1;
  EXPECT_EQ(code(cut), NEXUS_E_ARGUMENT);
  params.size = sizeof params - 1;
  EXPECT_EQ(code(make_request(NEXUS_JOB_DIGEST, data, digest_bytes, params)),
            NEXUS_E_ARGUMENT);
  params = digest_params(index_end, true);
  EXPECT_EQ(code(make_request(NEXUS_JOB_DIGEST, data, digest_bytes, params)),
            NEXUS_E_ARGUMENT);
  params = digest_params(0, true);
  params.flags = 2;
  EXPECT_EQ(code(make_request(NEXUS_JOB_DIGEST, data, digest_bytes, params)),
            NEXUS_E_ARGUMENT);
  params.flags = 0;
  const bytes longer(most_bytes + 1);
  EXPECT_EQ(code(make_request(NEXUS_JOB_DIGEST, longer, digest_bytes, params)),
            NEXUS_E_ARGUMENT);
}

class ProveDeviceTest : public DeviceTest {
 protected:
  // No proof of a segment of 256 rows is longer, of either profile.
  static constexpr std::uint64_t room = 1u << 20;

  void SetUp() override {
    DeviceTest::SetUp();
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_PROVE);
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_VERIFY);
  }

  bytes prove(view data, const nexus_prove_params& params) {
    const outcome end = run(make_request(NEXUS_JOB_PROVE, data, room, params));
    EXPECT_EQ(end.status, NEXUS_OK);
    EXPECT_GT(end.output.size(), digest_bytes);
    return end.output;
  }

  std::int32_t verify(view proof, const nexus_verify_params& params) {
    const outcome end = run(make_request(NEXUS_JOB_VERIFY, proof, 0, params));
    EXPECT_TRUE(end.output.empty());
    return end.status;
  }
};

TEST_P(ProveDeviceTest, MakesTheGoldenProofs) {
  const bytes a = prove(golden_input(100, 6), prove_params(0, true));
  EXPECT_EQ(words_of(a),
            (digest_words{1676927720, 2052627931, 1281009244, 2023950003,
                          1848238355, 808877723, 1521760123, 1691764897}));
  EXPECT_EQ(sha256_of(view(a).subspan(digest_bytes)),
            "ef2b138f3af03cdd9f93bbf4a95a5b1a9fe8bad306d5a75de4464d3538b86e98");
  const bytes b = prove(golden_input(40000, 7), prove_params(2, false));
  EXPECT_EQ(sha256_of(view(b).subspan(digest_bytes)),
            "84435a8d2ff4023d5f17ec394ac170bd0f77f98c3fa38f2aed4e59abad5d0de7");
  const bytes c = prove(golden_input(100, 12),
                        prove_params(0, true, NEXUS_SECURITY_PROVEN));
  EXPECT_EQ(sha256_of(view(c).subspan(digest_bytes)),
            "33c7d022e4e8c3bdf1d5f0c02f68360cc49f8f5e32538f81b653aab521f0196d");
}

TEST_P(ProveDeviceTest, VerifiesWhatHoldsAlone) {
  const bytes data = golden_input(100, 6);
  const bytes made = prove(data, prove_params(4, false));
  const digest_words digest = words_of(made);
  const view proof = view(made).subspan(digest_bytes);
  const auto params = verify_params(digest, 100, 4, false);
  EXPECT_EQ(verify(proof, params), NEXUS_OK);
  auto behind = params;
  behind.proof_offset = digest_bytes;
  EXPECT_EQ(verify(made, behind), NEXUS_OK);
  EXPECT_EQ(verify(made, params), NEXUS_E_DATA);
  EXPECT_EQ(verify(proof, verify_params(digest, 101, 4, false)), NEXUS_E_DATA);
  EXPECT_EQ(verify(proof, verify_params(digest, 100, 5, false)), NEXUS_E_DATA);
  EXPECT_EQ(verify(proof, verify_params(digest, 100, 4, true)), NEXUS_E_DATA);
  auto other = digest;
  other[7] ^= 1;
  EXPECT_EQ(verify(proof, verify_params(other, 100, 4, false)), NEXUS_E_DATA);
  auto profile = params;
  profile.security = NEXUS_SECURITY_PROVEN;
  EXPECT_EQ(verify(proof, profile), NEXUS_E_DATA);
  profile = params;
  profile.wire = NEXUS_WIRE_P3_0_7;
  EXPECT_EQ(verify(proof, profile), NEXUS_E_DATA);
  EXPECT_EQ(verify({}, params), NEXUS_E_DATA);
  bytes flipped(proof.begin(), proof.end());
  for (std::size_t at = 0; at < flipped.size(); at += 20011) {
    flipped[at] ^= 1;
    EXPECT_EQ(verify(flipped, params), NEXUS_E_DATA) << at;
    flipped[at] ^= 1;
  }
}

TEST_P(ProveDeviceTest, RefusesWhatIsNotOfThePinnedForm) {
  const bytes data(10);
  const auto code = [&](std::uint64_t capacity,
                        const nexus_prove_params& params) {
    return run(make_request(NEXUS_JOB_PROVE, data, capacity, params)).status;
  };
  EXPECT_EQ(code(1000, prove_params(0, true)), NEXUS_E_ARGUMENT);
  EXPECT_EQ(code(room, prove_params(index_end, true)), NEXUS_E_ARGUMENT);
  EXPECT_EQ(code(room, prove_params(0, true, 2)), NEXUS_E_ARGUMENT);
  EXPECT_EQ(code(room, prove_params(0, true, 0, 2)), NEXUS_E_ARGUMENT);
  auto params = verify_params({}, most_bytes + 1, 0, true);
  EXPECT_EQ(verify(data, params), NEXUS_E_ARGUMENT);
  params = verify_params({}, 1, 0, true);
  params.proof_offset = data.size() + 1;
  EXPECT_EQ(verify(data, params), NEXUS_E_ARGUMENT);
}

// In a row, each once; and not to a host that knows of none.
TEST_P(ProveDeviceTest, TellsItsStepsOrNone) {
  const bytes data = golden_input(100, 6);
  const auto params = prove_params(0, true);
  request wanted = make_request(NEXUS_JOB_PROVE, data, room, params);
  wanted.tells_steps = true;
  const outcome told = run(wanted);
  EXPECT_EQ(told.status, NEXUS_OK);
  const std::size_t count = told.steps.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string numbers =
        std::to_string(i + 1) + " of " + std::to_string(count) + ": ";
    EXPECT_TRUE(told.steps[i].starts_with(numbers)) << told.steps[i];
    EXPECT_GT(told.steps[i].size(), numbers.size());
  }
  // What lies beyond its job is not the device's to read.
  wanted.job_bytes = offsetof(nexus_job, step);
  const outcome untold = run(wanted);
  EXPECT_EQ(untold.status, NEXUS_OK);
  EXPECT_EQ(untold.steps, std::vector<std::string>{});
  EXPECT_EQ(untold.output, told.output);
}

// Between the steps of a proof, not only before them.
TEST_P(ProveDeviceTest, EndsSoonOnceItIsCancelled) {
  if (backend().cancel == nullptr) GTEST_SKIP() << "it has no cancel()";
  const bytes data = golden_input(3916800, 1);
  const auto params = prove_params(0, false);
  flight job(make_request(NEXUS_JOB_PROVE, data, room, params), next_id());
  ASSERT_EQ(job.submit(device(), backend()), NEXUS_OK);
  backend().cancel(device(), job.id());
  const outcome end = job.wait();
  EXPECT_EQ(end.status, NEXUS_E_CANCELLED);
  EXPECT_EQ(job.done_calls(), 1);
}

INSTANTIATE_TEST_SUITE_P(Devices, DigestDeviceTest,
                         testing::ValuesIn(targets()), name_of);
INSTANTIATE_TEST_SUITE_P(Devices, ProveDeviceTest, testing::ValuesIn(targets()),
                         name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DigestDeviceTest);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ProveDeviceTest);

}  // namespace
}  // namespace conformance
