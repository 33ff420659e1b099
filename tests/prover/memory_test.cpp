// What a proof takes of memory, against what is said of it. Memory that an
// earlier proof left would not be counted, so only a process's first proof is
// looked at; under ctest each test is a process of its own.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nexus/prover.hpp>
#include <string>

#include "golden.hpp"
#include "sanitizers.hpp"

namespace nexus {
namespace {

[[maybe_unused]] std::uint64_t status_bytes(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) {
      return std::stoull(line.substr(name.size() + 1)) * 1024;
    }
  }
  return 0;
}

[[maybe_unused]] bool proved_before = false;

class proof_of_rows : public testing::TestWithParam<std::uint64_t> {};

TEST_P(proof_of_rows, takes_what_prove_memory_says) {
#if NEXUS_ASAN || NEXUS_TSAN
  GTEST_SKIP() << "sanitizers take memory of their own";
#else
  if (proved_before) {
    GTEST_SKIP() << "not the first proof of this process";
  }
  proved_before = true;
  const bytes data = make_input(segment_capacity(GetParam()), 1);
  proof_options options;
  options.threads = 2;
  const std::uint64_t said = prove_memory(data.size(), options.threads);
  std::ofstream peak("/proc/self/clear_refs");
  peak << "5" << std::flush;
  const std::uint64_t before = status_bytes("VmRSS");
  if (!peak || before == 0) {
    GTEST_SKIP() << "the system does not tell";
  }
  ASSERT_TRUE(prove_segment(data, {}, options).ok());
  const std::uint64_t taken = status_bytes("VmHWM") - before;
  EXPECT_LE(taken, said);
  EXPECT_GE(taken, said / 10 * 8);
#endif
}

INSTANTIATE_TEST_SUITE_P(rows, proof_of_rows, testing::Values(16384, 65536),
                         [](const auto& of) {
                           return std::to_string(of.param);
                         });

// The second proof writes into the first one's memory.
TEST(kept_memory, holds_no_proof_back) {
  proved_before = true;
  const bytes first = make_input(segment_capacity(16384), 1);
  const bytes second = make_input(segment_capacity(16384) - 70000, 2);
  const auto expected = prove_segment(second, {});
  ASSERT_TRUE(prove_segment(first, {}).ok());
  const auto again = prove_segment(second, {});
  ASSERT_TRUE(expected.ok() && again.ok());
  EXPECT_EQ(again->bytes, expected->bytes);
}

}  // namespace
}  // namespace nexus
