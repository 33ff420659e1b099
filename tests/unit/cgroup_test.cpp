// The cgroup and rlimit readers on recorded trees.
#include "hwinfo/cgroup.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "hwinfo/memory.hpp"

namespace nexus::hwinfo {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t mib = 1 << 20;

// A tree of its own under the temporary directory, gone at the end.
class CgroupTree : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "nexus-hwinfo-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    roots_ = {top_ + "/proc", top_ + "/sys"};
    fs::create_directories(roots_.proc + "/self");
    fs::create_directories(roots_.sys + "/fs/cgroup");
  }
  void TearDown() override { fs::remove_all(top_); }

  void write(const std::string& path, std::string_view text) {
    const fs::path file = top_ + '/' + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  // One cgroup's file, below /sys/fs/cgroup.
  void group(const std::string& path, std::string_view text) {
    write("sys/fs/cgroup" + path, text);
  }
  void v2_mount(std::string_view root = "/") {
    write("proc/self/mountinfo",
          "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
          "31 23 0:28 " +
              std::string(root) +
              " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
              "rw,nsdelegate\n");
  }
  void member(std::string_view lines) { write("proc/self/cgroup", lines); }
  cgroup_facts read() { return read_cgroups(roots_); }

  std::string top_;
  hardware_roots roots_;
};

const memory_limit* find(const std::vector<memory_limit>& limits,
                         std::string_view origin) {
  for (const memory_limit& m : limits) {
    if (m.origin == origin) return &m;
  }
  return nullptr;
}

void expect_no_limits(const cgroup_facts& facts) {
  EXPECT_TRUE(facts.memory.empty());
  EXPECT_FALSE(facts.cpu_quota.has_value());
  EXPECT_EQ(facts.cpu_quota_origin, "");
}

TEST_F(CgroupTree, NothingAtAllMeansNoLimits) {
  expect_no_limits(read());
  expect_no_limits(read_cgroups({"/nonexistent", "/nonexistent"}));
}

TEST_F(CgroupTree, MembershipWithoutAMountMeansNoLimits) {
  member("0::/a\n");
  group("/a/memory.max", "1048576\n");
  write("proc/self/mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n");
  expect_no_limits(read());
}

TEST_F(CgroupTree, GarbageIsNoLimit) {
  v2_mount();
  member("0::/a\nnonsense\n::\n5:memory\n");
  for (const char* text : {"", "\n", "-1\n", "12x\n", "1 2\n", "max\n",
                           "99999999999999999999999\n"}) {
    group("/a/memory.max", text);
    group("/a/memory.high", text);
    group("/a/cpu.max", text == std::string_view("1 2\n") ? "0 0\n" : text);
    SCOPED_TRACE(text);
    expect_no_limits(read());
  }
}

TEST_F(CgroupTree, GarbageMountTablesAreSkipped) {
  member("0::/\n");
  group("/memory.max", "1048576\n");
  for (const char* text :
       {"", "\n\n", " - cgroup2", "1 2 3 - cgroup2\n",
        "31 23 0:28 / relative rw - cgroup2 cgroup2 rw\n", "- - - -\n"}) {
    write("proc/self/mountinfo", text);
    SCOPED_TRACE(text);
    expect_no_limits(read());
  }
}

TEST_F(CgroupTree, UnreadableUsageCountsAsNone) {
  v2_mount();
  member("0::/a\n");
  group("/a/memory.max", "1048576\n");
  group("/a/memory.current", "rubbish");
  group("/a/memory.stat", "inactive_file\ninactive_file 5000\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);
  EXPECT_EQ(facts.memory[0].limit_bytes, 1048576u);
  EXPECT_EQ(facts.memory[0].used_bytes, 0u);
}

TEST_F(CgroupTree, V2ReadsMaxAndHighOfEveryAncestor) {
  v2_mount();
  member("0::/top.slice/mid.slice/leaf.service\n");
  group("/top.slice/memory.max", "8589934592\n");
  group("/top.slice/memory.high", "1073741824\n");
  group("/top.slice/memory.current", "734003200\n");
  group("/top.slice/memory.stat",
        "anon 1\ninactive_file_x 5\ninactive_file 104857600\nactive_file 7\n");
  group("/top.slice/mid.slice/memory.max", "max\n");
  group("/top.slice/mid.slice/memory.high", "max\n");
  group("/top.slice/mid.slice/leaf.service/memory.max", "4294967296\n");
  group("/top.slice/mid.slice/leaf.service/memory.current", "1048576\n");

  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 3u);
  const auto* high = find(facts.memory, "cgroup memory.high of /top.slice");
  ASSERT_NE(high, nullptr);
  EXPECT_EQ(high->limit_bytes, 1024 * mib);
  EXPECT_EQ(high->used_bytes, 600 * mib);  // 700 less 100 of idle cache
  const auto* max = find(facts.memory, "cgroup memory.max of /top.slice");
  ASSERT_NE(max, nullptr);
  EXPECT_EQ(max->limit_bytes, 8192 * mib);
  EXPECT_EQ(max->used_bytes, 600 * mib);
  const auto* leaf = find(
      facts.memory, "cgroup memory.max of /top.slice/mid.slice/leaf.service");
  ASSERT_NE(leaf, nullptr);
  EXPECT_EQ(leaf->limit_bytes, 4096 * mib);
  EXPECT_EQ(leaf->used_bytes, mib);
}

TEST_F(CgroupTree, TheMountPointItselfBindsToo) {
  v2_mount();
  member("0::/\n");
  group("/memory.max", "67108864\n");
  group("/cpu.max", "50000 100000\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);
  EXPECT_EQ(facts.memory[0].origin, "cgroup memory.max of /");
  EXPECT_EQ(facts.memory[0].limit_bytes, 64 * mib);
  ASSERT_TRUE(facts.cpu_quota.has_value());
  EXPECT_DOUBLE_EQ(*facts.cpu_quota, 0.5);
}

TEST_F(CgroupTree, MoreIdleCacheThanUsageIsNoUsage) {
  v2_mount();
  member("0::/a\n");
  group("/a/memory.max", "1048576\n");
  group("/a/memory.current", "100\n");
  group("/a/memory.stat", "inactive_file 200\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);
  EXPECT_EQ(facts.memory[0].used_bytes, 0u);
}

TEST_F(CgroupTree, V2TakesTheSmallestQuotaOfAllAncestors) {
  v2_mount();
  member("0::/a/b/c\n");
  group("/a/cpu.max", "150000 100000\n");
  group("/a/b/cpu.max", "max 100000\n");
  group("/a/b/c/cpu.max", "400000 200000\n");
  const cgroup_facts facts = read();
  ASSERT_TRUE(facts.cpu_quota.has_value());
  EXPECT_DOUBLE_EQ(*facts.cpu_quota, 1.5);
  EXPECT_EQ(facts.cpu_quota_origin, "cgroup cpu.max of /a");
}

TEST_F(CgroupTree, QuotaWithoutAPeriodUsesTheKernelsDefault) {
  v2_mount();
  member("0::/a\n");
  group("/a/cpu.max", "250000\n");
  const cgroup_facts facts = read();
  ASSERT_TRUE(facts.cpu_quota.has_value());
  EXPECT_DOUBLE_EQ(*facts.cpu_quota, 2.5);
}

TEST_F(CgroupTree, ABoundMountShowsThePathFromItsRoot) {
  v2_mount("/docker/abc");
  member("0::/docker/abc/inner\n");
  group("/inner/memory.max", "1048576\n");
  group("/memory.max", "2097152\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 2u);
  EXPECT_EQ(facts.memory[0].origin, "cgroup memory.max of /inner");
  EXPECT_EQ(facts.memory[1].origin, "cgroup memory.max of /");
}

TEST_F(CgroupTree, ABoundRootWithABlankInItsName) {
  v2_mount("/my\\040box");
  member("0::/my box/inner\n");
  group("/inner/memory.max", "1048576\n");
  EXPECT_EQ(read().memory.size(), 1u);
}

TEST_F(CgroupTree, ARootThatIsOnlyATextualPrefixIsNotStripped) {
  v2_mount("/doc");
  member("0::/docker\n");
  group("/docker/memory.max", "1048576\n");
  group("/ker/memory.max", "2097152\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);
  EXPECT_EQ(facts.memory[0].limit_bytes, mib);
}

TEST_F(CgroupTree, NestedContainerFallsBackToWhatExists) {
  v2_mount();
  member("0::/docker/outer/docker/inner\n");
  group("/memory.max", "2097152\n");
  group("/docker/memory.high", "1048576\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 2u);
  EXPECT_EQ(facts.memory[0].origin, "cgroup memory.high of /docker");
  EXPECT_EQ(facts.memory[1].origin, "cgroup memory.max of /");
}

TEST_F(CgroupTree, APathOutsideTheNamespaceUsesTheMountPoint) {
  v2_mount();
  member("0::/../../elsewhere\n");
  group("/memory.max", "2097152\n");
  write("sys/elsewhere/memory.max", "1\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);
  EXPECT_EQ(facts.memory[0].limit_bytes, 2 * mib);
}

TEST_F(CgroupTree, AMountPointElsewhereWithABlankInItsName) {
  write("elsewhere/my groups/a/memory.max", "1048576\n");
  write("proc/self/mountinfo", "31 23 0:28 / " + top_ +
                                   "/elsewhere/my\\040groups rw - cgroup2 "
                                   "none rw\n");
  member("0::/a\n");
  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);
  EXPECT_EQ(facts.memory[0].limit_bytes, mib);
}

TEST_F(CgroupTree, V1ReadsLimitsOfEveryAncestor) {
  write("proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
        "rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  member(
      "4:memory:/a/b\n"
      "2:cpu,cpuacct:/x/y\n"
      "1:cpuset:/\n");
  group("/memory/memory.limit_in_bytes", "9223372036854771712\n");
  group("/memory/a/memory.limit_in_bytes", "1073741824\n");
  group("/memory/a/memory.usage_in_bytes", "734003200\n");
  group("/memory/a/memory.stat",
        "inactive_file 1\ntotal_inactive_file 104857600\n");
  group("/memory/a/b/memory.limit_in_bytes", "1152921504606846976\n");
  group("/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
  group("/cpu,cpuacct/x/cpu.cfs_quota_us", "30000\n");
  group("/cpu,cpuacct/x/cpu.cfs_period_us", "20000\n");

  const cgroup_facts facts = read();
  ASSERT_EQ(facts.memory.size(), 1u);  // 2^60 and more is no limit
  EXPECT_EQ(facts.memory[0].origin, "cgroup memory.limit_in_bytes of /a");
  EXPECT_EQ(facts.memory[0].limit_bytes, 1024 * mib);
  EXPECT_EQ(facts.memory[0].used_bytes, 600 * mib);
  ASSERT_TRUE(facts.cpu_quota.has_value());
  EXPECT_DOUBLE_EQ(*facts.cpu_quota, 1.5);
  EXPECT_EQ(facts.cpu_quota_origin, "cgroup cpu.cfs_quota_us of /x");
}

TEST_F(CgroupTree, V1JustBelowTheBoundCounts) {
  write("proc/self/mountinfo",
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  member("4:memory:/\n");
  group("/memory/memory.limit_in_bytes", "1152921504606846975\n");
  EXPECT_EQ(read().memory.size(), 1u);
}

TEST_F(CgroupTree, HybridReadsBothVersions) {
  write("proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
        "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "42 31 0:39 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
  member(
      "9:name=systemd:/s\n"
      "4:memory:/old\n"
      "1:cpu:/old\n"
      "0::/new\n");
  group("/memory/old/memory.limit_in_bytes", "1073741824\n");
  group("/cpu/old/cpu.cfs_quota_us", "200000\n");
  group("/unified/new/memory.high", "536870912\n");
  group("/unified/new/cpu.max", "300000 100000\n");
  const cgroup_facts facts = read();
  EXPECT_EQ(facts.memory.size(), 2u);
  EXPECT_NE(find(facts.memory, "cgroup memory.high of /new"), nullptr);
  EXPECT_NE(find(facts.memory, "cgroup memory.limit_in_bytes of /old"),
            nullptr);
  ASSERT_TRUE(facts.cpu_quota.has_value());
  EXPECT_DOUBLE_EQ(*facts.cpu_quota, 2.0);
  EXPECT_EQ(facts.cpu_quota_origin, "cgroup cpu.cfs_quota_us of /old");
}

TEST_F(CgroupTree, OfTwoMountsTheOneThatShowsMoreIsRead) {
  write("proc/self/mountinfo",
        "31 23 0:28 /a /sys/part rw - cgroup2 cgroup2 rw\n"
        "32 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "33 23 0:28 /other /sys/other rw - cgroup2 cgroup2 rw\n");
  member("0::/a/b\n");
  group("/a/memory.max", "1048576\n");
  group("/memory.max", "2097152\n");
  write("sys/other/memory.max", "1\n");
  EXPECT_EQ(read().memory.size(), 2u);
}

using MemoryTree = CgroupTree;

TEST_F(MemoryTree, NothingReadableIsZero) {
  const memory_facts facts = read_memory(roots_);
  EXPECT_EQ(facts.total_bytes, 0u);
  EXPECT_EQ(facts.available_bytes, 0u);
  EXPECT_TRUE(facts.limits.empty());
}

TEST_F(MemoryTree, GarbageIsZero) {
  write("proc/meminfo",
        "MemTotal: lots kB\nMemAvailable: 18014398509481985 kB\n");
  write("proc/self/limits",
        "Max data size\nMax address space  unlimited unlimited bytes\n");
  const memory_facts facts = read_memory(roots_);
  EXPECT_EQ(facts.total_bytes, 0u);
  EXPECT_EQ(facts.available_bytes, 0u);
  EXPECT_TRUE(facts.limits.empty());
}

TEST_F(MemoryTree, ReadsTotalAndAvailable) {
  write("proc/meminfo",
        "MemTotal:       24684084 kB\nMemFree:        20093652 kB\n"
        "MemAvailable:   20097344 kB\nCached: 1 kB\n");
  const memory_facts facts = read_memory(roots_);
  EXPECT_EQ(facts.total_bytes, 24684084ull * 1024);
  EXPECT_EQ(facts.available_bytes, 20097344ull * 1024);
}

TEST_F(MemoryTree, OldKernelsCountFreeAndCached) {
  write("proc/meminfo",
        "MemTotal: 1000 kB\nMemFree: 300 kB\nSwapCached: 7 kB\n"
        "Cached: 200 kB\n");
  EXPECT_EQ(read_memory(roots_).available_bytes, 500u * 1024);
}

TEST_F(MemoryTree, ReadsSoftRlimitsWithTheirUsage) {
  write(
      "proc/self/limits",
      "Limit                     Soft Limit           Hard Limit     Units\n"
      "Max data size             1073741824           unlimited      bytes\n"
      "Max resident set          1                    unlimited      bytes\n"
      "Max address space         2147483648           4294967296     bytes\n");
  write("proc/self/status",
        "Name:\tnexus\nVmPeak:\t  900 kB\nVmSize:\t  800 kB\n"
        "VmData:\t  100 kB\n");
  const memory_facts facts = read_memory(roots_);
  ASSERT_EQ(facts.limits.size(), 2u);
  EXPECT_EQ(facts.limits[0].origin, "RLIMIT_AS (ulimit -v)");
  EXPECT_EQ(facts.limits[0].limit_bytes, 2048 * mib);
  EXPECT_EQ(facts.limits[0].used_bytes, 800u * 1024);
  EXPECT_EQ(facts.limits[1].origin, "RLIMIT_DATA (ulimit -d)");
  EXPECT_EQ(facts.limits[1].limit_bytes, 1024 * mib);
  EXPECT_EQ(facts.limits[1].used_bytes, 100u * 1024);
}

TEST_F(CgroupTree, ReadHardwarePutsAllOfItTogether) {
  v2_mount();
  member("0::/a\n");
  group("/a/memory.max", "1048576\n");
  group("/a/cpu.max", "150000 100000\n");
  write("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 2048 kB\n");
  write("proc/self/limits", "Max data size  8388608  unlimited  bytes\n");
  const hardware machine = read_hardware(roots_);
  EXPECT_EQ(machine.memory_total_bytes, 4 * mib);
  EXPECT_EQ(machine.memory_available_bytes, 2 * mib);
  EXPECT_EQ(machine.memory_limits.size(), 2u);
  EXPECT_NE(find(machine.memory_limits, "cgroup memory.max of /a"), nullptr);
  EXPECT_NE(find(machine.memory_limits, "RLIMIT_DATA (ulimit -d)"), nullptr);
  ASSERT_TRUE(machine.cpu_quota.has_value());
  EXPECT_DOUBLE_EQ(*machine.cpu_quota, 1.5);
  EXPECT_EQ(machine.cpu_quota_origin, "cgroup cpu.max of /a");
}

}  // namespace
}  // namespace nexus::hwinfo
