// What the conformance test cannot see through the ABI: keys and cancellation.
#include "age_stream.hpp"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEXUS_OWN_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEXUS_OWN_HEAP 1
#endif
#endif

TEST(AgeStream, LeavesNoCopyOfTheKeyInTheHeap) {
#ifdef NEXUS_OWN_HEAP
  GTEST_SKIP() << "the sanitizer's heap is elsewhere";
#endif
  std::uint8_t complement[32];
  for (std::size_t i = 0; i < 32; ++i) {
    complement[i] = static_cast<std::uint8_t>(i * 37 + 11);
  }
  auto stream = age_stream::create();
  ASSERT_NE(stream, nullptr);
  auto work = std::make_unique<age_job>(200000);
  for (std::size_t i = 0; i < 32; ++i) {
    work->params.key[i] = static_cast<std::uint8_t>(~complement[i]);
  }
  ASSERT_TRUE(heap_holds(complement)) << "the search itself fails";
  const nexus_result sealed = stream->seal(work->job, not_cancelled);
  ASSERT_EQ(sealed.status, NEXUS_OK);
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

TEST(AgeStream, StopsWhenCancelled) {
  const std::atomic<bool> cancelled{true};
  auto stream = age_stream::create();
  ASSERT_NE(stream, nullptr);
  age_job work(200000);
  EXPECT_EQ(stream->seal(work.job, cancelled).status, NEXUS_E_CANCELLED);
  EXPECT_EQ(stream->open(work.job, cancelled).status, NEXUS_E_CANCELLED);
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
