// How much an engine may use, on scripted readings: one a second, unless said
// otherwise.
#include "engine/load_control.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace nexus {
namespace {

using hwinfo::memory_stall;
using hwinfo::pressure_reading;
using testing::HasSubstr;

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t gib = 1u << 30;

constexpr std::uint64_t total = 16 * gib;
constexpr std::uint64_t reserve = total / 20;
constexpr std::uint64_t segment = 2 * mib;

// An engine with 8 workers, half of 8 GiB, and `in_use` of it taken.
class LoadControl : public testing::Test {
 protected:
  static pressure_reading left(std::uint64_t bytes) {
    pressure_reading now;
    now.limits.push_back({{hwinfo::machine_origin, total, total - bytes}, {}});
    now.allowed_processors = 9;
    return now;
  }
  static pressure_reading plenty() { return left(6 * gib); }
  static pressure_reading short_of_it() { return left(reserve / 2); }
  static pressure_reading in_group(std::uint64_t limit, std::uint64_t bytes,
                                   std::uint64_t hits = 0) {
    pressure_reading now = plenty();
    now.limits.push_back(
        {{"cgroup memory.high of /a", limit, limit - bytes}, hits});
    return now;
  }

  // What it holds follows what it may: the run takes all that it gets.
  const load_allowance& tell(const pressure_reading& reading) {
    use_.memory_bytes = std::min(in_use_, control_.allowed().budget_bytes);
    return control_.update(reading, use_, now_ += 1);
  }
  void tell_often(const pressure_reading& reading, int times) {
    for (int i = 0; i < times; ++i) tell(reading);
  }
  std::uint64_t budget() const { return control_.allowed().budget_bytes; }
  std::uint32_t workers() const { return control_.allowed().workers; }

  load_start start_{4 * gib, 8, {}, 8 * gib};
  load_control control_{start_};
  load_use use_{0, segment, 0};
  std::uint64_t in_use_ = 512 * mib;
  double now_ = 1000;
};

// ---- nothing happens --------------------------------------------------------

TEST_F(LoadControl, WithoutPressureNothingChanges) {
  for (int i = 0; i < 100; ++i) {
    const auto& allowed = tell(plenty());
    ASSERT_FALSE(allowed.shrunk || allowed.grown);
  }
  EXPECT_EQ(budget(), 4 * gib);
  EXPECT_EQ(workers(), 8u);
  EXPECT_EQ(control_.allowed().reason, "");
}

TEST_F(LoadControl, WhatIsNotKnownIsNoPressure) {
  tell_often({}, 20);
  EXPECT_EQ(budget(), 4 * gib);
  EXPECT_EQ(workers(), 8u);
}

TEST_F(LoadControl, OneThatTakesAllOfItsBudgetIsNotPressedByItself) {
  struct {
    std::uint64_t limit, headroom, budget;
  } const machines[] = {{128 * mib, 124 * mib, 62 * mib},  // a container
                        {total, gib, 512 * mib},           // nearly full
                        {total, gib, gib - 32 * mib}};     // as asked for
  for (const auto& m : machines) {
    const std::uint64_t others = m.limit - m.headroom;
    load_control control({m.budget, 8, {}, m.headroom});
    pressure_reading now;
    now.limits.push_back({{"limit", m.limit, others + m.budget}, {}});
    EXPECT_FALSE(control.update(now, {m.budget, segment, 0}, 1).shrunk)
        << m.budget;
    now.limits[0].limit.used_bytes = m.limit - mib;  // others take the rest
    EXPECT_TRUE(control.update(now, {m.budget, segment, 0}, 2).shrunk)
        << m.budget;
  }
}

TEST_F(LoadControl, HitsOfALimitThatIsFarAwayArePageCache) {
  for (std::uint64_t i = 0; i < 20; ++i) tell(in_group(gib, gib / 2, 100 * i));
  EXPECT_EQ(budget(), 4 * gib);
}

TEST_F(LoadControl, StallsOfOthersAreTheirs) {
  pressure_reading now = plenty();
  for (int i = 0; i < 20; ++i) {
    now.machine =
        memory_stall{90, now.machine ? now.machine->microseconds + 900000 : 0};
    tell(now);
  }
  EXPECT_EQ(budget(), 4 * gib);
}

// ---- shrinking --------------------------------------------------------------

TEST_F(LoadControl, WhatIsInUseIsHalvedAtOnce) {
  tell(plenty());
  EXPECT_TRUE(tell(short_of_it()).shrunk);
  EXPECT_EQ(budget(), in_use_ / 2);
  EXPECT_EQ(workers(), 4u);
  EXPECT_EQ(control_.allowed().reason,
            "409.5 MiB left of 16 GiB by MemAvailable");
  EXPECT_TRUE(tell(short_of_it()).shrunk);
  EXPECT_EQ(budget(), in_use_ / 4);
  EXPECT_EQ(workers(), 2u);
}

TEST_F(LoadControl, TheFirstReadingCounts) {
  tell(short_of_it());
  EXPECT_EQ(budget(), in_use_ / 2);
}

TEST_F(LoadControl, TheNarrowestLimitCounts) {
  tell(in_group(gib, 1 * mib));
  EXPECT_EQ(control_.allowed().reason,
            "1 MiB left of 1 GiB by cgroup memory.high of /a");
}

TEST_F(LoadControl, ItNeverGoesBelowWhatIsNeededToGoOn) {
  use_.least_bytes = 100 * mib;
  tell_often(short_of_it(), 50);
  EXPECT_EQ(budget(), 100 * mib);
  EXPECT_EQ(workers(), 2u);  // of 8, by 100 of 512, rounded up
  use_.least_bytes = 5 * gib;
  EXPECT_FALSE(tell(short_of_it()).shrunk);
}

TEST_F(LoadControl, ALittleIsNotTakenAway) {
  in_use_ = reserve / 16;
  EXPECT_FALSE(tell(short_of_it()).shrunk);
  EXPECT_EQ(budget(), 4 * gib);
  in_use_ = gib;
  tell_often(short_of_it(), 50);
  EXPECT_EQ(budget(), reserve / 16);
}

TEST_F(LoadControl, ItWaitsForWhatJobsStillHold) {
  control_.update(short_of_it(), {gib, segment, 0}, 1);
  EXPECT_EQ(budget(), gib / 2);
  for (int i = 2; i < 20; ++i)
    control_.update(short_of_it(), {gib, segment, 0}, i);
  EXPECT_EQ(budget(), gib / 2);
  control_.update(short_of_it(), {gib / 2, segment, 0}, 20);
  EXPECT_EQ(budget(), gib / 4);
}

TEST_F(LoadControl, WhatAJobTakesIsKeptInReserve) {
  const pressure_reading now = in_group(gib, 150 * mib);
  tell(now);
  EXPECT_EQ(budget(), 4 * gib);  // a reserve of 64 MiB
  use_.job_bytes = 160 * mib;
  tell(now);
  EXPECT_EQ(budget(), in_use_ / 2);
  // But never more than a quarter of the limit.
  load_control small(start_);
  EXPECT_FALSE(small.update(in_group(512 * mib, 129 * mib), use_, 1).shrunk);
  EXPECT_TRUE(small.update(in_group(512 * mib, 127 * mib), use_, 2).shrunk);
}

TEST_F(LoadControl, HitsOfALimitThatIsNearCount) {
  tell(in_group(gib, gib / 5, 7));
  EXPECT_EQ(budget(), 4 * gib);  // of some time before
  tell(in_group(gib, gib / 5, 7));
  EXPECT_EQ(budget(), 4 * gib);
  tell(in_group(gib, gib / 5, 10));
  EXPECT_EQ(budget(), in_use_ / 2);
  EXPECT_EQ(control_.allowed().reason,
            "cgroup memory.high of /a was reached 3 times");
}

TEST_F(LoadControl, StallsCountWhereMemoryIsTight) {
  pressure_reading now = in_group(gib, gib / 5);
  now.group = memory_stall{0, 1000000};
  tell(now);
  now.group->microseconds += 90000;  // 9 % of the second
  tell(now);
  EXPECT_EQ(budget(), 4 * gib);
  now.group->microseconds += 110000;
  tell(now);
  EXPECT_EQ(budget(), in_use_ / 2);
  EXPECT_THAT(control_.allowed().reason,
              HasSubstr("this cgroup waited for memory for 11% of the time"));
}

TEST_F(LoadControl, TheFirstReadingGoesByTheAverage) {
  pressure_reading now = left(total / 5);
  now.machine = memory_stall{12, 99};
  tell(now);
  EXPECT_EQ(budget(), in_use_ / 2);
}

TEST_F(LoadControl, AKilledNeighbourCounts) {
  pressure_reading now = plenty();
  now.oom_kills = 3;
  tell(now);
  EXPECT_EQ(budget(), 4 * gib);
  now.oom_kills = 4;
  tell(now);
  EXPECT_EQ(budget(), in_use_ / 2);
  EXPECT_THAT(control_.allowed().reason, HasSubstr("was killed"));
}

// ---- growing back -----------------------------------------------------------

TEST_F(LoadControl, ItGrowsBackInStepsAfterSomeQuietSeconds) {
  tell(short_of_it());
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 10; ++i) {
    tell(plenty());
    seen.push_back(budget() / mib);
  }
  EXPECT_THAT(seen, testing::ElementsAre(256, 256, 256, 256, 320, 384, 448,
                                         4096, 4096, 4096));
  EXPECT_EQ(workers(), 8u);
  EXPECT_THAT(control_.allowed().reason, HasSubstr("no pressure for 8 s"));
}

TEST_F(LoadControl, NoMoreThanOneStepASecond) {
  tell(short_of_it());
  now_ += 10;
  for (int i = 0; i < 10; ++i) control_.update(plenty(), use_, now_ += 0.1);
  EXPECT_EQ(budget(), 320 * mib);
}

TEST_F(LoadControl, ItDoesNotGrowIntoTheReserve) {
  tell(short_of_it());
  tell_often(left(2 * reserve - 1), 100);
  EXPECT_EQ(budget(), 256 * mib);
  tell_often(left(2 * reserve + 63 * mib), 100);  // a step is 64 MiB
  EXPECT_EQ(budget(), 256 * mib);
  tell_often(left(2 * reserve + 64 * mib), 100);
  EXPECT_EQ(budget(), 4 * gib);
}

TEST_F(LoadControl, TheWaitBeginsOnceTwiceTheReserveIsLeft) {
  tell(short_of_it());
  tell_often(left(2 * reserve - 1), 100);
  tell_often(plenty(), 4);
  EXPECT_EQ(budget(), 256 * mib);
  tell(plenty());
  EXPECT_EQ(budget(), 320 * mib);
}

TEST_F(LoadControl, ItNeverGrowsBeyondTheStart) {
  for (int round = 0; round < 5; ++round) {
    tell_often(short_of_it(), 3);
    tell_often(left(total), 200);
    EXPECT_EQ(budget(), 4 * gib);
    EXPECT_EQ(workers(), 8u);
  }
}

// The machine is short of it whenever more than 300 MiB are in use: each growth
// brings the pressure back.
TEST_F(LoadControl, OscillationIsDamped) {
  int shrinks[4] = {};
  for (int i = 0; i < 400; ++i) {
    const bool much = std::min(in_use_, budget()) > 300 * mib;
    if (tell(much ? short_of_it() : plenty()).shrunk) ++shrinks[i / 100];
  }
  EXPECT_GE(shrinks[0], 3);
  EXPECT_LE(shrinks[0], 6);
  EXPECT_LE(shrinks[2] + shrinks[3], 4);
  // After a long quiet time it is patient no more than at first.
  in_use_ = 200 * mib;
  tell_often(plenty(), 300);
  in_use_ = 512 * mib;
  tell(short_of_it());
  tell_often(plenty(), 5);
  EXPECT_GT(budget(), 256 * mib);
}

TEST_F(LoadControl, ARunThatBeginsLaterStartsAfresh) {
  tell(short_of_it());
  EXPECT_FALSE(control_.resume(now_ + 1).grown);
  EXPECT_EQ(budget(), 256 * mib);
  EXPECT_TRUE(control_.resume(now_ + 6).grown);
  EXPECT_EQ(budget(), 4 * gib);
  EXPECT_EQ(workers(), 8u);
}

// ---- processors -------------------------------------------------------------

TEST_F(LoadControl, WorkersFollowTheQuota) {
  pressure_reading now = plenty();
  const std::pair<double, std::uint32_t> steps[] = {{3, 3}, {1.5, 2}, {0.1, 1},
                                                    {4, 3}, {5, 4},   {100, 8}};
  for (const auto& [quota, expected] : steps) {
    now.cpu_quota = quota;
    now.cpu_quota_origin = "cgroup cpu.max of /a";
    tell(now);
    EXPECT_EQ(workers(), expected) << quota;
  }
  EXPECT_EQ(budget(), 4 * gib);
}

TEST_F(LoadControl, TheReasonNamesTheQuota) {
  pressure_reading now = plenty();
  now.cpu_quota = 2;
  now.cpu_quota_origin = "cgroup cpu.max of /a";
  EXPECT_TRUE(tell(now).shrunk);
  EXPECT_EQ(control_.allowed().reason,
            "9 processors allowed, a quota of 2 by cgroup cpu.max of /a");
  EXPECT_FALSE(tell(now).shrunk);
  now.cpu_quota.reset();
  EXPECT_TRUE(tell(now).grown);
  EXPECT_EQ(workers(), 8u);
}

TEST_F(LoadControl, WorkersFollowTheAffinityMask) {
  pressure_reading now = plenty();
  now.allowed_processors = 3;
  tell(now);
  EXPECT_EQ(workers(), 3u);
  now.allowed_processors = 0;  // not known
  tell(now);
  EXPECT_EQ(workers(), 8u);
}

TEST_F(LoadControl, ANumberThatWasAskedForIsTheMost) {
  load_control control({4 * gib, 4, 4, 8 * gib});
  pressure_reading now = plenty();
  now.allowed_processors = 64;
  EXPECT_EQ(control.update(now, use_, 1).workers, 4u);
  now.cpu_quota = 4;  // and of these none is left free
  EXPECT_EQ(control.update(now, use_, 2).workers, 4u);
  now.cpu_quota = 3;
  EXPECT_EQ(control.update(now, use_, 3).workers, 3u);
}

}  // namespace
}  // namespace nexus
