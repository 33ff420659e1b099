// What is read of a machine under pressure, on made-up trees.
#include "hwinfo/pressure.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>

#include "hwinfo/topology.hpp"
#include "support/machine_tree.hpp"

namespace nexus::hwinfo {
namespace {

constexpr std::uint64_t mib = 1u << 20;

class Pressure : public testing::Test {
 protected:
  pressure_reading read() { return read_pressure(tree_.roots()); }
  test::machine_tree tree_;
};

const felt_limit* find(const pressure_reading& now, std::string_view origin) {
  for (const auto& each : now.limits)
    if (each.limit.origin == origin) return &each;
  return nullptr;
}

TEST_F(Pressure, NothingThereIsNothingKnown) {
  const auto now = read_pressure({"/nonexistent", "/nonexistent"});
  EXPECT_TRUE(now.limits.empty());
  EXPECT_FALSE(now.oom_kills || now.machine || now.group || now.cpu_quota);
}

TEST_F(Pressure, GarbageIsLeftOut) {
  tree_.member("0::/a\n");
  tree_.group("/a/memory.max", "1048576\n");
  for (const char* text :
       {"", "\n", "some", "some avg10=x avg60=0 avg300=0 total=1\n",
        "some avg10=1 avg60=0 avg300=0 total=\n", "some avg10=1 total=5\n",
        "some avg10=-1 avg60=0 avg300=0 total=1\n",
        "some avg10=101 avg60=0 avg300=0 total=1\n",
        "full avg10=1 avg60=0 avg300=0 total=1\n"}) {
    SCOPED_TRACE(text);
    tree_.write("proc/pressure/memory", text);
    tree_.group("/a/memory.pressure", text);
    tree_.group("/a/memory.events", text);
    const auto now = read();
    EXPECT_FALSE(now.machine.has_value());
    EXPECT_FALSE(now.group.has_value());
    EXPECT_FALSE(now.oom_kills.has_value());
    ASSERT_EQ(now.limits.size(), 1u);
    EXPECT_FALSE(now.limits[0].hits.has_value());
  }
}

TEST_F(Pressure, TheMachinesMemoryIsALimitToo) {
  tree_.memory(1000 * mib, 400 * mib);
  const auto now = read();
  ASSERT_EQ(now.limits.size(), 1u);
  EXPECT_EQ(now.limits[0].limit.origin, machine_origin);
  EXPECT_EQ(now.limits[0].limit.limit_bytes, 1000 * mib);
  EXPECT_EQ(now.limits[0].limit.used_bytes, 600 * mib);
  EXPECT_FALSE(now.limits[0].hits.has_value());
}

TEST_F(Pressure, StallsOfTheMachineAndOfTheOwnGroup) {
  tree_.member("0::/a/b\n");
  tree_.write("proc/pressure/memory",
              "some avg10=12.50 avg60=1.00 avg300=0.10 total=123456\n"
              "full avg10=1.00 avg60=0.00 avg300=0.00 total=99\n");
  tree_.group("/a/memory.pressure", "some avg10=99 avg60=0 avg300=0 total=1\n");
  tree_.group("/a/b/memory.pressure",
              "some avg10=0.25 avg60=0.00 avg300=0.00 total=7\n");
  const auto now = read();
  ASSERT_TRUE(now.machine && now.group);
  EXPECT_EQ(now.machine->percent, 12.5);
  EXPECT_EQ(now.machine->microseconds, 123456u);
  EXPECT_EQ(now.group->percent, 0.25);
  EXPECT_EQ(now.group->microseconds, 7u);
}

TEST_F(Pressure, EachLimitHasItsHits) {
  tree_.member("0::/a/b\n");
  tree_.group("/a/memory.max", "8388608\n");
  tree_.group("/a/memory.current", "4194304\n");
  tree_.group("/a/memory.events", "low 0\nhigh 1\nmax 22\noom 9\noom_kill 8\n");
  tree_.group("/a/b/memory.high", "2097152\n");
  tree_.group("/a/b/memory.events",
              "low 0\nhigh 5\nmax 6\noom 3\noom_kill 2\noom_group_kill 0\n");
  const auto now = read();
  EXPECT_EQ(now.limits.size(), 2u);
  const auto* max = find(now, "cgroup memory.max of /a");
  const auto* high = find(now, "cgroup memory.high of /a/b");
  ASSERT_TRUE(max && high);
  EXPECT_EQ(max->hits, 22u);
  EXPECT_EQ(max->limit.used_bytes, 4 * mib);
  EXPECT_EQ(high->hits, 5u);
  EXPECT_EQ(now.oom_kills, 2u);
}

TEST_F(Pressure, Version1CountsFailures) {
  tree_.mount_v1("memory");
  tree_.member("4:memory:/a\n");
  tree_.group("/memory/a/memory.limit_in_bytes", "8388608\n");
  tree_.group("/memory/a/memory.usage_in_bytes", "1048576\n");
  tree_.group("/memory/a/memory.failcnt", "17\n");
  const auto now = read();
  ASSERT_EQ(now.limits.size(), 1u);
  EXPECT_EQ(now.limits[0].hits, 17u);
  EXPECT_FALSE(now.group.has_value());
  EXPECT_FALSE(now.oom_kills.has_value());
}

TEST_F(Pressure, TheQuotaIsReadAnew) {
  tree_.member("0::/a\n");
  tree_.group("/a/cpu.max", "200000 100000\n");
  EXPECT_EQ(read().cpu_quota, 2.0);
  tree_.group("/a/cpu.max", "50000 100000\n");
  EXPECT_EQ(read().cpu_quota, 0.5);
  EXPECT_EQ(read().cpu_quota_origin, "cgroup cpu.max of /a");
  tree_.group("/a/cpu.max", "max 100000\n");
  EXPECT_FALSE(read().cpu_quota.has_value());
}

TEST_F(Pressure, TheAffinityMaskIsCounted) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(read().allowed_processors,
            static_cast<std::uint32_t>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(read().allowed_processors, 1u);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
}

TEST_F(Pressure, ThisMachineCanBeRead) {
  const auto now = read_pressure({});
  ASSERT_FALSE(now.limits.empty());
  EXPECT_EQ(now.limits[0].limit.origin, machine_origin);
  EXPECT_EQ(now.machine.has_value(),
            std::filesystem::exists("/proc/pressure/memory"));
}

}  // namespace
}  // namespace nexus::hwinfo
