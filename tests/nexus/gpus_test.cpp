#include "gpus.hpp"

#include <gtest/gtest.h>

#include "gpu_look.hpp"

namespace nexus::queue {
namespace {

constexpr const char* two =
    "0, GPU-aaa, NVIDIA GeForce RTX 3090, 24576, 3\n"
    "1, GPU-bbb, NVIDIA GeForce RTX 3090, 24576, 700\r\n";

TEST(Gpus, LeavesOutLinesThatMakeNoSense) {
  const auto parsed = parse_gpus(
      "garbage\n0, GPU-a, X, 1000\n0, GPU-a, X, many, 3\n-1, GPU-a, X, 10, 3\n"
      "3, , X, 10, 3\n\n   \n5, GPU-e, X\x01, 10, 3\n7, GPU-f, X, 10, 3\n");
  ASSERT_EQ(parsed.gpus.size(), 1u);
  EXPECT_EQ(parsed.gpus[0].index, "7");
  EXPECT_EQ(parsed.bad_lines, 6u);
}

TEST(Gpus, RefusesAnIndexOrIdentityTwice) {
  const auto parsed = parse_gpus(
      "0, GPU-a, X, 10, 3\n0, GPU-b, X, 10, 3\n1, GPU-a, X, 10, 3\n");
  EXPECT_EQ(parsed.gpus.size(), 1u);
  EXPECT_EQ(parsed.bad_lines, 2u);
}

TEST(Gpus, ReadsWhatNvidiaSmiPrints) {
  const auto parsed = parse_gpus(two);
  EXPECT_EQ(parsed.bad_lines, 0u);
  ASSERT_EQ(parsed.gpus.size(), 2u);
  EXPECT_EQ(parsed.gpus[1].uuid, "GPU-bbb");
  EXPECT_EQ(parsed.gpus[1].name, "NVIDIA GeForce RTX 3090");
  EXPECT_EQ(parsed.gpus[1].memory_mib, 24576);
  EXPECT_EQ(parsed.gpus[1].used_mib, 700);
}

TEST(Gpus, OneThatHidesItsMemoryIsNotFree) {
  const auto parsed = parse_gpus("0, GPU-a, X, 10, [N/A]\n");
  ASSERT_EQ(parsed.gpus.size(), 1u);
  EXPECT_NE(parsed.gpus[0].blocked, "");
}

TEST(Gpus, UsedMemoryAboveTheLimitBlocks) {
  auto gpus = parse_gpus(two).gpus;
  config rules;
  for (gpu& one : gpus) judge(one, rules);
  EXPECT_EQ(gpus[0].blocked, "");
  EXPECT_NE(gpus[1].blocked.find("700 MiB"), std::string::npos);
  rules.free_memory_mib = 700;
  gpus[1].blocked.clear();
  judge(gpus[1], rules);
  EXPECT_EQ(gpus[1].blocked, "");
}

TEST(Gpus, AProcessBlocksUnlessItIsIgnored) {
  auto gpus = parse_gpus(two).gpus;
  parse_processes(
      "GPU-zzz, 5, /bin/a, 9\nrubbish\nGPU-bbb, 77, /usr/bin/Xorg, 650\n",
      gpus);
  EXPECT_TRUE(gpus[0].processes.empty());
  ASSERT_EQ(gpus[1].processes.size(), 1u);
  config rules;
  judge(gpus[1], rules);
  EXPECT_EQ(gpus[1].blocked, "in use by process 77 (Xorg, 650 MiB)");
  for (const char* word : {"Xorg", "77"}) {
    rules.ignore = {word};
    gpus[1].blocked.clear();
    judge(gpus[1], rules);
    EXPECT_EQ(gpus[1].blocked, "") << word;
  }
}

TEST(Gpus, TheBlacklistTakesIndicesAndIdentities) {
  config rules;
  rules.blacklist = {"0", "GPU-bbb"};
  auto gpus = parse_gpus(two).gpus;
  for (gpu& one : gpus) {
    judge(one, rules);
    EXPECT_EQ(one.blocked, "on the blacklist");
  }
}

TEST(Gpus, SnapshotsSurviveTheStore) {
  gpu_snapshot before{7, "odd", parse_gpus(two).gpus};
  parse_processes("GPU-bbb, 77, Xorg, 650\n", before.gpus);
  before.gpus[0].blocked = "why";
  const gpu_snapshot after = unpack(pack(before));
  EXPECT_EQ(pack(after), pack(before));
  EXPECT_EQ(after.gpus.at(1).processes.at(0).memory_mib, 650);
  EXPECT_TRUE(unpack("rubbish").gpus.empty());
  EXPECT_TRUE(unpack("").gpus.empty());
}

TEST(Gpus, WithoutNvidiaSmiThereIsAReason) {
  config rules;
  rules.source = gpu_source::nvidia_smi;
  rules.nvidia_smi = "/nonexistent/nvidia-smi";
  EXPECT_EQ(look_at_gpus(rules).problem, "nvidia-smi was not found");
  rules.nvidia_smi = "false";
  EXPECT_EQ(look_at_gpus(rules).problem, "nvidia-smi failed with status 1");
  rules.nvidia_smi = "true";
  EXPECT_EQ(look_at_gpus(rules).problem, "nvidia-smi lists no GPU");
}

}  // namespace
}  // namespace nexus::queue
