// What the conformance test cannot see through the ABI: keys and cancellation.
#include "age_stream.hpp"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sanitizers.hpp"

namespace nexus::cpu {
namespace {

using bytes = std::vector<std::uint8_t>;
const std::atomic<bool> not_cancelled{false};

// Whether the key, of which only the complement is given, lies in the heap.
bool heap_holds(const std::uint8_t (&complement)[32]) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("[heap]") == std::string::npos) continue;
    unsigned long from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &from, &to) != 2) continue;
    const auto* at = reinterpret_cast<const volatile std::uint8_t*>(from);
    for (std::size_t i = 0; i + 32 <= to - from; ++i) {
      std::size_t same = 0;
      while (same < 32 &&
             at[i + same] == static_cast<std::uint8_t>(~complement[same])) {
        ++same;
      }
      if (same == 32) return true;
    }
  }
  return false;
}

struct age_job {
  explicit age_job(std::size_t plain) : input(plain), output(plain + 4096) {
    params.size = sizeof params;
    params.flags = NEXUS_AGE_LAST;
    job.size = sizeof job;
    job.input = input.data();
    job.input_bytes = input.size();
    job.output = output.data();
    job.output_capacity = output.size();
    job.params = &params;
    job.params_bytes = sizeof params;
  }
  bytes input, output;
  nexus_age_params params{};
  nexus_job job{};
};

class EachCipher : public testing::TestWithParam<cipher_choice> {
 protected:
  void SetUp() override {
    if (GetParam() == cipher_choice::ipsec_mb && why_no_ipsec_mb() != nullptr) {
      GTEST_SKIP() << "no cipher ipsec-mb: " << why_no_ipsec_mb();
    }
    stream = age_stream::create(GetParam());
    ASSERT_NE(stream, nullptr);
  }
  std::unique_ptr<age_stream> stream;
};

TEST_P(EachCipher, LeavesNoCopyOfTheKeyInTheHeap) {
#if NEXUS_ASAN || NEXUS_TSAN
  GTEST_SKIP() << "the sanitizer's heap is elsewhere";
#endif
  std::uint8_t complement[32];
  for (std::size_t i = 0; i < 32; ++i) {
    complement[i] = static_cast<std::uint8_t>(i * 37 + 11);
  }
  auto work = std::make_unique<age_job>(200000);
  for (std::size_t i = 0; i < 32; ++i) {
    work->params.key[i] = static_cast<std::uint8_t>(~complement[i]);
  }
  ASSERT_TRUE(heap_holds(complement)) << "the search itself fails";
  const nexus_result sealed = stream->seal(work->job, not_cancelled);
  ASSERT_EQ(sealed.status, NEXUS_OK);
  EXPECT_STREQ(stream->last_cipher(), GetParam() == cipher_choice::ipsec_mb
                                          ? ipsec_mb_name()
                                          : "openssl");
  const bytes text(
      work->output.begin(),
      work->output.begin() + static_cast<std::ptrdiff_t>(sealed.output_bytes));
  work->job.input = text.data();
  work->job.input_bytes = text.size();
  EXPECT_EQ(stream->open(work->job, not_cancelled).status, NEXUS_OK);
  work->output[0] ^= 1;
  work->params.first_chunk = 1;
  EXPECT_EQ(stream->open(work->job, not_cancelled).status, NEXUS_E_DATA);
  OPENSSL_cleanse(&work->params, sizeof work->params);
  EXPECT_FALSE(heap_holds(complement));
}

TEST_P(EachCipher, WipesWhatFailsToAuthenticate) {
  age_job work(100000);
  std::fill(work.input.begin(), work.input.end(), std::uint8_t{0x5a});
  const nexus_result sealed = stream->seal(work.job, not_cancelled);
  ASSERT_EQ(sealed.status, NEXUS_OK);
  bytes text(
      work.output.begin(),
      work.output.begin() + static_cast<std::ptrdiff_t>(sealed.output_bytes));
  text.back() ^= 1;  // of the second chunk's tag
  std::fill(work.output.begin(), work.output.end(), std::uint8_t{0});
  work.job.input = text.data();
  work.job.input_bytes = text.size();
  const nexus_result result = stream->open(work.job, not_cancelled);
  EXPECT_EQ(result.status, NEXUS_E_DATA);
  EXPECT_EQ(result.output_bytes, age_chunk);
  EXPECT_EQ(result.error_offset, age_sealed);
  EXPECT_EQ(work.output[age_chunk - 1], 0x5a);
  EXPECT_TRUE(std::all_of(work.output.begin() + age_chunk, work.output.end(),
                          [](std::uint8_t b) { return b == 0; }));
}

TEST_P(EachCipher, StopsWhenCancelled) {
  const std::atomic<bool> cancelled{true};
  age_job work(200000);
  EXPECT_EQ(stream->seal(work.job, cancelled).status, NEXUS_E_CANCELLED);
  EXPECT_EQ(stream->open(work.job, cancelled).status, NEXUS_E_CANCELLED);
}

INSTANTIATE_TEST_SUITE_P(AgeStream, EachCipher,
                         testing::Values(cipher_choice::openssl,
                                         cipher_choice::ipsec_mb),
                         [](const auto& which) {
                           return which.param == cipher_choice::openssl
                                      ? "openssl"
                                      : "ipsec_mb";
                         });

// Loading libipsec-mb costs more time than a small run saves.
TEST(AgeStream, TakesTheFasterCipherOnceThatPays) {
  auto stream = age_stream::create();
  ASSERT_NE(stream, nullptr);
  age_job work(1 << 20);
  work.output.resize(work.input.size() * 2);
  work.job.output = work.output.data();
  work.job.output_capacity = work.output.size();
  ASSERT_EQ(stream->seal(work.job, not_cancelled).status, NEXUS_OK);
  EXPECT_STREQ(stream->last_cipher(), "openssl");
  const bytes first = work.output;
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(stream->seal(work.job, not_cancelled).status, NEXUS_OK);
    ASSERT_EQ(work.output, first);
  }
  EXPECT_STREQ(stream->last_cipher(),
               why_no_ipsec_mb() == nullptr ? ipsec_mb_name() : "openssl");
}

TEST(AgeStream, KnowsCiphersByName) {
  EXPECT_EQ(parse_cipher_choice(nullptr), cipher_choice::fastest);
  EXPECT_EQ(parse_cipher_choice("rot13"), cipher_choice::fastest);
  EXPECT_EQ(parse_cipher_choice("openssl"), cipher_choice::openssl);
  EXPECT_EQ(parse_cipher_choice("ipsec-mb"), cipher_choice::ipsec_mb);
}

TEST(AgeStream, RefusesSizesThatWouldRunOver) {
  age_job work(0);
  work.job.input_bytes = ~std::uint64_t{0};
  work.job.output_capacity = ~std::uint64_t{0};
  EXPECT_EQ(check_age_seal(work.job), NEXUS_E_ARGUMENT);
  EXPECT_EQ(check_age_open(work.job), NEXUS_E_ARGUMENT);
}

}  // namespace
}  // namespace nexus::cpu
