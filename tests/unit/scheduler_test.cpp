// The scheduler's policies, its treatment of failing devices, and, in virtual
// time, how close the default policy comes to the best fixed split.
#include "engine/scheduler.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nexus {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint32_t job = 0;  // the first operation's number

scheduler make(schedule_policy policy,
               const std::vector<scheduler_device>& devices,
               const scheduler_support& support = {}) {
  scheduler s({policy, 8 * mib});
  EXPECT_EQ(s.operation_id("job"), job);
  for (const scheduler_device& d : devices) {
    s.set_support(s.add_device(d), job, support);
  }
  return s;
}

schedule_request of(std::uint64_t bytes,
                    std::vector<std::uint32_t> tried = {}) {
  return {job, bytes, std::move(tried), {}};
}

// Where a job was put: "2.0" is lane 0 of device 2, "-" nowhere.
std::string put(scheduler& s, std::uint64_t bytes, double now = 0,
                std::vector<std::uint32_t> tried = {}) {
  const auto where = s.place(of(bytes, std::move(tried)), now);
  if (!where) return "-";
  return std::to_string(where->device) + "." + std::to_string(where->lane);
}

void end(scheduler& s, std::uint32_t device, std::uint64_t bytes,
         double started, double now, job_end how = job_end::ok,
         std::uint32_t lane = 0) {
  s.finish({device, lane}, job, bytes, started, now, how);
}

// ---- threshold --------------------------------------------------------------

class Threshold : public testing::Test {
 protected:
  // Device 0: 15 CPU workers; 1 and 2: GPUs.
  scheduler s_ = make(schedule_policy::threshold,
                      {{false, 15, 2}, {true, 1, 16}, {true, 1, 16}});
};

TEST_F(Threshold, SmallGoesToTheCpuLaneWithTheLowestLoad) {
  EXPECT_EQ(put(s_, 2 * mib), "0.0");
  EXPECT_EQ(put(s_, 2 * mib), "0.1");
  end(s_, 0, 2 * mib, 0, 1);
  EXPECT_EQ(put(s_, 2 * mib, 1), "0.0");
}

TEST_F(Threshold, LargeIsBalancedOverTheGpus) {
  EXPECT_EQ(put(s_, 2 * mib), "0.0");
  EXPECT_EQ(put(s_, 32 * mib), "1.0");
  EXPECT_EQ(put(s_, 16 * mib), "2.0");
  EXPECT_EQ(put(s_, 4 * mib), "0.1");
}

TEST_F(Threshold, ExactlyTheThresholdIsLarge) {
  EXPECT_EQ(put(s_, 8 * mib - 1), "0.0");
  EXPECT_EQ(put(s_, 8 * mib), "1.0");
}

TEST_F(Threshold, TakesTheGpuWithTheShorterQueue) {
  for (int i = 0; i < 20; ++i) ASSERT_NE(put(s_, 32 * mib), "-");
  for (int i = 0; i < 8; ++i) end(s_, 2, 32 * mib, 0, 1);
  ASSERT_EQ(s_.queued(1), 10u);
  ASSERT_EQ(s_.queued(2), 2u);
  EXPECT_EQ(put(s_, 32 * mib, 1), "2.0");
}

TEST_F(Threshold, SmallSpillsOverToAnIdleGpuOnceTheCpuIsFull) {
  for (int i = 0; i < 30; ++i) ASSERT_EQ(put(s_, 2 * mib)[0], '0');
  EXPECT_EQ(put(s_, 2 * mib), "1.0");
  EXPECT_EQ(put(s_, 2 * mib), "2.0");
  EXPECT_EQ(put(s_, 2 * mib), "-") << "no GPU is idle any more";
}

TEST_F(Threshold, AFloodOfLargeSegmentsStarvesNeitherPool) {
  for (int i = 0; i < 32; ++i) ASSERT_NE(put(s_, 32 * mib)[0], '0');
  EXPECT_EQ(put(s_, 32 * mib), "0.0") << "the GPUs are full";
  for (int i = 1; i < 15; ++i) ASSERT_EQ(put(s_, 32 * mib)[0], '0');
  EXPECT_EQ(put(s_, 32 * mib), "-") << "no CPU lane is idle";
  EXPECT_EQ(put(s_, 2 * mib), "0.0") << "there is room for small ones";
}

TEST(ThresholdPolicy, AGpusLoadIsThatOfAllItsLanes) {
  auto s = make(schedule_policy::threshold, {{true, 4, 1}, {true, 1, 2}});
  for (const char* where : {"0.0", "1.0", "0.1", "1.0", "0.2", "0.3", "-"}) {
    EXPECT_EQ(put(s, 32 * mib), where);
  }
}

TEST(ThresholdPolicy, WithoutGpuAllGoesToTheCpu) {
  auto s = make(schedule_policy::threshold, {{false, 2, 1}});
  EXPECT_EQ(put(s, 32 * mib), "0.0");
  EXPECT_EQ(put(s, 2 * mib), "0.1");
  EXPECT_EQ(put(s, 2 * mib), "-");
}

TEST(ThresholdPolicy, WithoutCpuAllGoesToTheGpu) {
  auto s = make(schedule_policy::threshold, {{true, 1, 2}});
  EXPECT_EQ(put(s, 2 * mib), "0.0");
}

TEST(RoundRobin, TakesTurnsOverLanesWithRoom) {
  auto s = make(schedule_policy::round_robin, {{false, 2, 1}, {true, 1, 2}});
  EXPECT_EQ(put(s, mib), "0.0");
  EXPECT_EQ(put(s, mib), "0.1");
  EXPECT_EQ(put(s, mib), "1.0");
  EXPECT_EQ(put(s, mib), "1.0") << "the CPU lanes are full";
  EXPECT_EQ(put(s, mib), "-");
  end(s, 0, mib, 0, 1, job_end::ok, 1);
  EXPECT_EQ(put(s, mib, 1), "0.1");
}

// ---- least expected completion time -----------------------------------------

TEST(Lect, UnmeasuredGpuWinsFromTheThresholdOn) {
  for (const auto& [bytes, where] : {std::pair{8 * mib, "1.0"},
                                     {64 * mib, "1.0"},
                                     {8 * mib - kib, "0.0"},
                                     {64 * kib, "0.0"}}) {
    auto s = make(schedule_policy::lect, {{false, 4, 2}, {true, 1, 3}});
    EXPECT_EQ(put(s, bytes), where) << bytes;
  }
}

TEST(Lect, FillsIdleLanesBeforeQueueingSecond) {
  auto s = make(schedule_policy::lect, {{false, 3, 2}});
  for (const char* where : {"0.0", "0.1", "0.2", "0.0", "0.1", "0.2", "-"}) {
    EXPECT_EQ(put(s, 4 * mib), where);
  }
  EXPECT_EQ(s.queued(0), s.total_depth());
}

// A CPU lane takes 1 s for 4 MiB, the GPU 0.1 s; the GPU holds one job.
scheduler measured(std::uint32_t cpu_lanes = 1) {
  auto s = make(schedule_policy::lect, {{false, cpu_lanes, 1}, {true, 1, 1}});
  s.set_window(job, 64);
  EXPECT_EQ(put(s, 4 * mib, 0), "0.0");
  end(s, 0, 4 * mib, 0, 1);
  EXPECT_EQ(put(s, 16 * mib, 1), "1.0");
  end(s, 1, 16 * mib, 1, 1.4);
  EXPECT_EQ(put(s, 4 * mib, 2), "1.0");
  end(s, 1, 4 * mib, 2, 2.1);
  return s;
}

TEST(Lect, NearTheEndWaitsForAFullLaneThatFinishesEarlier) {
  auto s = measured();
  auto request = of(4 * mib);
  request.bytes_to_come = 0;
  ASSERT_EQ(s.place(request, 3)->device, 1u);
  EXPECT_FALSE(s.place(request, 3)) << "0.2 s on the GPU, 1 s on the CPU";
  end(s, 1, 4 * mib, 3, 3.1);
  EXPECT_EQ(s.place(request, 3.1)->device, 1u);
}

TEST(Lect, ALaneThatIsOverdueIsNotWaitedForForever) {
  auto s = measured();
  auto request = of(4 * mib);
  request.bytes_to_come = 0;
  double now = 3;
  ASSERT_EQ(s.place(request, now)->device, 1u);
  for (int i = 0; i < 50 && now < 6; ++i) {
    if (const auto where = s.place(request, now)) {
      EXPECT_EQ(where->device, 0u);
      EXPECT_GT(now, 3.1);
      return;
    }
    const auto next = s.next_change(now);
    ASSERT_TRUE(next) << "nobody would ask again";
    ASSERT_GT(*next, now);
    now = *next;
  }
  FAIL() << "still waiting for a stalled device at " << now;
}

TEST(Lect, FarFromTheEndTheSlowDeviceWorksToo) {
  auto s = measured();
  EXPECT_EQ(put(s, 4 * mib, 3), "1.0");
  EXPECT_EQ(put(s, 4 * mib, 3), "0.0") << "the window hides a second";
}

TEST(Lect, ASmallWindowIsNotHeldUpByASlowDevice) {
  auto s = measured();
  s.set_window(job, 4);
  EXPECT_EQ(put(s, 4 * mib, 3), "1.0");
  EXPECT_EQ(put(s, 4 * mib, 3), "-") << "the GPU would do 10 in that time";
}

TEST(Lect, ARetriedSegmentTakesTheFastestWayOut) {
  auto s =
      make(schedule_policy::lect, {{false, 1, 1}, {true, 1, 1}, {true, 1, 1}});
  put(s, 8 * mib, 0);
  put(s, 8 * mib, 0);
  put(s, 8 * mib, 0);
  end(s, 1, 8 * mib, 0, 0.1);
  end(s, 2, 8 * mib, 0, 0.1);
  end(s, 0, 8 * mib, 0, 2);
  s.set_window(job, 1000);
  ASSERT_EQ(put(s, 8 * mib, 3), "1.0");
  EXPECT_EQ(put(s, 8 * mib, 3, {2}), "-") << "0.2 s there, 2 s on the CPU";
  ASSERT_EQ(put(s, 8 * mib, 3), "2.0");
  EXPECT_EQ(put(s, 8 * mib, 3), "0.0") << "a fresh one can wait that long";
}

TEST(Lect, ASizeNeverMeasuredDoesNotFillTheQueue) {
  auto s = make(schedule_policy::lect, {{false, 1, 1}, {true, 1, 3}});
  ASSERT_EQ(put(s, 64 * kib, 0, {1}), "0.0");
  end(s, 0, 64 * kib, 0, 1e-3);
  ASSERT_EQ(put(s, 64 * kib, 1, {0}), "1.0");
  end(s, 1, 64 * kib, 1, 1 + 1e-3);
  ASSERT_EQ(put(s, 64 * mib, 2), "1.0");
  put(s, 64 * mib, 2);
  EXPECT_EQ(put(s, 64 * mib, 2), "-");
  EXPECT_EQ(s.queued(1), 1u) << "nobody knows how long the first takes";
  end(s, 1, 64 * mib, 2, 2.01);
  put(s, 64 * mib, 3);
  put(s, 64 * mib, 3);
  EXPECT_EQ(s.queued(1), 2u);
}

TEST(Lect, ExploresADeviceThatThePriorRulesOut) {
  auto s = make(schedule_policy::lect, {{false, 4, 1}, {true, 1, 1}});
  int on_gpu = 0;
  for (int i = 0; i < 320; ++i) {
    const double t = i * 0.01;
    const auto where = s.place(of(64 * kib), t);
    ASSERT_TRUE(where);
    if (where->device == 1) ++on_gpu;
    end(s, where->device, 64 * kib, t, t + (where->device == 1 ? 5e-3 : 1e-4),
        job_end::ok, where->lane);
  }
  EXPECT_GE(on_gpu, 2) << "never tried, or its model went stale";
  EXPECT_LE(on_gpu, 11) << "more than one of 32";
}

TEST(Lect, DoesNotExploreNearTheEnd) {
  auto s = make(schedule_policy::lect, {{false, 4, 1}, {true, 1, 1}});
  auto request = of(64 * kib);
  request.bytes_to_come = 64 * kib;
  for (int i = 0; i < 320; ++i) {
    const double t = i * 0.01;
    const auto where = s.place(request, t);
    ASSERT_EQ(where->device, 0u);
    end(s, 0, 64 * kib, t, t + 1e-4, job_end::ok, where->lane);
  }
}

TEST(Lect, OperationsHaveModelsOfTheirOwnAndShareTheLanes) {
  auto s = make(schedule_policy::lect, {{false, 1, 1}, {true, 1, 2}});
  const auto other = s.operation_id("other");
  ASSERT_NE(other, job);
  EXPECT_EQ(s.operation_id("other"), other);
  s.set_support(0, other, {});
  s.set_support(1, other, {});
  const auto teach = [&](std::uint32_t op, std::uint32_t device, double from,
                         double seconds) {
    schedule_request r{op, 4 * mib, {}, {}};
    if (device == 1) r.tried = {0};
    ASSERT_EQ(s.place(r, from)->device, device);
    s.finish({device, 0}, op, 4 * mib, from, from + seconds, job_end::ok);
  };
  teach(job, 0, 0, 1.0);
  teach(job, 1, 1, 0.1);
  teach(other, 0, 2, 0.1);
  teach(other, 1, 3, 1.0);
  EXPECT_EQ(s.place({job, 4 * mib, {}, 0}, 5)->device, 1u);
  EXPECT_EQ(s.place({other, 4 * mib, {}, 0}, 5)->device, 0u);
  // The other operation's backlog counts: 1 s on the GPU, so the CPU is it.
  s.finish({1, 0}, job, 4 * mib, 5, 5.1, job_end::ok);
  ASSERT_EQ(s.place({other, 4 * mib, {0}, 0}, 6)->device, 1u);
  s.finish({0, 0}, other, 4 * mib, 5, 6, job_end::cancelled);
  EXPECT_EQ(s.place({job, 4 * mib, {}, 0}, 6)->device, 0u);
}

// ---- what devices support ---------------------------------------------------

TEST(Support, WithoutAnyNothingIsPlaced) {
  scheduler s({});
  const auto op = s.operation_id("job");
  s.add_device({});
  EXPECT_FALSE(s.supported(op));
  EXPECT_FALSE(s.place(of(1), 0));
  EXPECT_FALSE(s.supported(op + 1));
  EXPECT_FALSE(s.place({op + 1, 1, {}, {}}, 0));
}

TEST(Support, ADeviceWithoutLanesIsNone) {
  auto s = make(schedule_policy::lect, {{false, 0, 1}});
  EXPECT_FALSE(s.supported(job));
  EXPECT_EQ(put(s, 1), "-");
}

TEST(Support, MaximumIsNeverExceeded) {
  auto s = make(schedule_policy::lect, {{false, 1, 1}}, {0, mib});
  EXPECT_EQ(put(s, mib + 1), "-");
  EXPECT_TRUE(s.supported(job));
  EXPECT_FALSE(s.supported(job, mib + 1));
  EXPECT_TRUE(s.supported(job, mib));
  EXPECT_EQ(put(s, mib), "0.0");
}

TEST(Support, MinimumIsBrokenOnlyIfNoOtherDeviceCould) {
  for (const auto policy : {schedule_policy::lect, schedule_policy::threshold,
                            schedule_policy::round_robin}) {
    auto s = make(policy, {{true, 1, 1}, {false, 1, 1}});
    s.set_support(0, job, {16 * mib, 0});
    EXPECT_EQ(put(s, 8 * mib), "1.0");
    EXPECT_EQ(put(s, 8 * mib), "-") << "the GPU is idle but wants more";
    auto alone = make(policy, {{true, 1, 1}}, {16 * mib, 0});
    EXPECT_EQ(put(alone, mib), "0.0");
  }
}

// ---- devices that fail ------------------------------------------------------

class Failing : public testing::TestWithParam<schedule_policy> {
 protected:
  // One CPU, one GPU; large jobs, which the GPU gets first.
  scheduler s_ = make(GetParam(), {{true, 1, 2}, {false, 2, 2}});
  static constexpr std::uint64_t large = 32 * mib;

  // A job on the GPU that ends so. The device is taken out of its quarantine
  // by waiting for `at`.
  void gpu_ends(double at, job_end how) {
    for (int i = 0; i < 4; ++i) {  // round-robin may take the CPU first
      const auto where = s_.place(of(large), at);
      ASSERT_TRUE(where);
      const bool gpu = where->device == 0;
      s_.finish(*where, job, large, at, at + 0.001, gpu ? how : job_end::ok);
      if (gpu) return;
    }
    FAIL() << "the GPU gets no job at " << at;
  }
  bool gpu_gets_one(double at) {
    bool gpu = false;
    std::vector<placement> placed;
    while (const auto where = s_.place(of(large), at)) {
      gpu |= where->device == 0;
      placed.push_back(*where);
    }
    for (const auto& where : placed) {
      s_.finish(where, job, large, at, at, job_end::cancelled);
    }
    return gpu;
  }
};

TEST_P(Failing, FailedIsQuarantinedForASecondThenTwo) {
  gpu_ends(0, job_end::failed);
  EXPECT_EQ(s_.state(0, 0.5), device_state::quarantined);
  EXPECT_EQ(s_.state(1, 0.5), device_state::ready);
  EXPECT_NEAR(s_.next_change(0.5).value(), 1.001, 1e-9);
  EXPECT_FALSE(gpu_gets_one(0.99));
  gpu_ends(1.01, job_end::failed);
  EXPECT_FALSE(gpu_gets_one(3));
  EXPECT_TRUE(gpu_gets_one(3.02));
}

TEST_P(Failing, QuarantineEndsAtAMinute) {
  double t = 0;
  for (int i = 0; i < 12; ++i) {
    gpu_ends(t, job_end::failed);
    t = s_.next_change(t + 0.001).value();
  }
  gpu_ends(t, job_end::failed);
  EXPECT_NEAR(s_.next_change(t + 0.001).value() - t, 60, 0.01);
}

TEST_P(Failing, ASingleJobProbesAndSuccessClears) {
  gpu_ends(0, job_end::failed);
  std::vector<placement> placed;
  while (const auto where = s_.place(of(large), 2)) placed.push_back(*where);
  EXPECT_EQ(s_.queued(0), 1u) << "one probe, although the lane takes two";
  EXPECT_EQ(s_.state(0, 2), device_state::quarantined);
  s_.finish({0, 0}, job, large, 2, 2.01, job_end::ok);
  EXPECT_EQ(s_.state(0, 2.01), device_state::ready);
  gpu_ends(2.02, job_end::failed);
  EXPECT_NEAR(s_.next_change(2.03).value(), 3.021, 1e-9) << "back to 1 s";
}

TEST_P(Failing, ACancelledProbeIsRepeatedAtOnce) {
  gpu_ends(0, job_end::failed);
  gpu_ends(2, job_end::cancelled);
  EXPECT_EQ(s_.state(0, 2.1), device_state::quarantined);
  EXPECT_TRUE(gpu_gets_one(2.1));
}

TEST_P(Failing, LostIsQuarantinedForLonger) {
  gpu_ends(0, job_end::lost);
  EXPECT_FALSE(gpu_gets_one(29));
  gpu_ends(31, job_end::lost);
  EXPECT_FALSE(gpu_gets_one(90));
  EXPECT_TRUE(gpu_gets_one(92));
}

TEST_P(Failing, OutOfMemoryBacksOffShortly) {
  gpu_ends(0, job_end::no_memory);
  EXPECT_EQ(s_.state(0, 0.02), device_state::backing_off);
  EXPECT_FALSE(gpu_gets_one(0.04));
  EXPECT_EQ(s_.state(0, 0.06), device_state::ready);
  gpu_ends(0.06, job_end::no_memory);
  EXPECT_FALSE(gpu_gets_one(0.15));
  double t = 0.17;
  for (int i = 0; i < 10; ++i) {
    gpu_ends(t, job_end::no_memory);
    t = s_.next_change(t + 0.001).value();
  }
  gpu_ends(t, job_end::no_memory);
  EXPECT_NEAR(s_.next_change(t + 0.001).value() - t, 2, 0.01);
}

TEST_P(Failing, JobsUnderWayAtTheFirstFaultDoNotProlongIt) {
  std::vector<placement> placed;
  while (const auto where = s_.place(of(large), 0)) placed.push_back(*where);
  for (const auto& where : placed) {
    s_.finish(where, job, large, 0, 0.1,
              where.device == 0 ? job_end::failed : job_end::ok);
  }
  EXPECT_NEAR(s_.next_change(0.1).value(), 1.1, 1e-9);
}

TEST_P(Failing, AnOldJobThatSucceedsDoesNotClear) {
  // Enough rounds that the GPU holds two whatever the policy.
  gpu_ends(0, job_end::ok);
  std::vector<placement> placed;
  while (const auto where = s_.place(of(large), 1)) placed.push_back(*where);
  if (s_.queued(0) < 2) GTEST_SKIP() << "the policy keeps the lane short";
  s_.finish({0, 0}, job, large, 1, 1.1, job_end::failed);
  s_.finish({0, 0}, job, large, 1, 1.2, job_end::ok);
  EXPECT_EQ(s_.state(0, 1.3), device_state::quarantined);
}

TEST_P(Failing, OnlyAProbeIsToBeAskedFor) {
  gpu_ends(0, job_end::lost);
  std::vector<placement> placed;
  while (const auto where = s_.place(of(large), 31)) placed.push_back(*where);
  std::size_t probes = 0;
  for (const auto& where : placed) {
    EXPECT_EQ(where.probe, where.device == 0);
    probes += where.probe ? 1 : 0;
  }
  EXPECT_EQ(probes, 1u);
}

TEST_P(Failing, ADeviceThatIsNotWellYetStaysAwayTwiceAsLong) {
  gpu_ends(0, job_end::lost);
  const auto where = s_.place(of(large), 31);
  ASSERT_TRUE(where && where->probe);
  EXPECT_FALSE(s_.withdraw(*where, job, large, 31, 31, ailment::passing));
  EXPECT_EQ(s_.queued(0), 0u) << "the job was taken back";
  EXPECT_EQ(s_.state(0, 31), device_state::quarantined);
  EXPECT_FALSE(gpu_gets_one(90)) << "60 s were to pass";
  EXPECT_TRUE(gpu_gets_one(91.1));
}

TEST_P(Failing, ADeviceThatIsGoneIsNeverAskedAgain) {
  gpu_ends(0, job_end::failed);
  const auto where = s_.place(of(large), 2);
  ASSERT_TRUE(where && where->probe);
  EXPECT_FALSE(s_.withdraw(*where, job, large, 2, 2, ailment::lost));
  EXPECT_EQ(s_.queued(0), 0u);
  EXPECT_EQ(s_.state(0, 2), device_state::dead);
  EXPECT_FALSE(gpu_gets_one(1e6));
  EXPECT_FALSE(s_.next_change(3).has_value());
  s_.set_support(0, job, {});
  EXPECT_FALSE(s_.able(0, job)) << "it came back to life";
  EXPECT_TRUE(s_.supported(job));
}

TEST_P(Failing, TheLastDeviceThatIsNotWellIsAskedAgainSoon) {
  auto s = make(GetParam(), {{false, 1, 1}});
  ASSERT_EQ(put(s, mib), "0.0");
  end(s, 0, mib, 0, 0, job_end::failed);
  double t = 0;
  for (int i = 0; i < 10; ++i) {
    t = s.next_change(t).value();
    const auto where = s.place(of(mib), t);
    ASSERT_TRUE(where && where->probe) << i;
    EXPECT_TRUE(s.withdraw(*where, job, mib, t, t, ailment::passing));
    EXPECT_LE(s.next_change(t).value() - t, 0.1 + 1e-9);
  }
  t = s.next_change(t).value();
  const auto where = s.place(of(mib), t);
  ASSERT_TRUE(where);
  EXPECT_TRUE(s.withdraw(*where, job, mib, t, t, ailment::lost));
  EXPECT_FALSE(s.supported(job));
  EXPECT_EQ(s.total_depth(), 0u);
}

TEST_P(Failing, TheLastUsableDeviceOnlyPauses) {
  auto s = make(GetParam(), {{false, 1, 1}});
  double t = 0;
  for (int i = 0; i < 20; ++i) {
    const auto end_how = i % 2 ? job_end::lost : job_end::failed;
    ASSERT_EQ(put(s, mib, t,
                  i == 0 ? std::vector<std::uint32_t>{}
                         : std::vector<std::uint32_t>{0}),
              "0.0")
        << i;
    end(s, 0, mib, t, t, end_how);
    EXPECT_EQ(s.state(0, t), device_state::backing_off);
    EXPECT_EQ(put(s, mib, t), "-");
    const auto next = s.next_change(t);
    ASSERT_TRUE(next);
    ASSERT_GT(*next, t);
    EXPECT_LE(*next - t, 0.1 + 1e-9);
    t = *next;
    EXPECT_EQ(s.state(0, t), device_state::ready);
  }
}

TEST_P(Failing, WhenAllAreOutOneIsAskedWithinATenthOfASecond) {
  for (const auto how : {job_end::lost, job_end::failed, job_end::no_memory}) {
    auto s = make(GetParam(), {{true, 1, 1}, {false, 1, 1}});
    ASSERT_NE(put(s, large), "-");
    ASSERT_NE(put(s, large), "-");
    end(s, 0, large, 0, 1, how);
    end(s, 1, large, 0, 1, how);
    double t = 1;
    while (put(s, large, t, {0, 1}) == "-") {
      const auto next = s.next_change(t);
      ASSERT_TRUE(next);
      t = *next;
      ASSERT_LE(t, 1.1 + 1e-9);
    }
  }
}

TEST_P(Failing, AnotherOperationsOnlyDeviceIsNotLockedAway) {
  const auto only = s_.operation_id("only on the gpu");
  s_.set_support(0, only, {});
  gpu_ends(0, job_end::lost);
  const auto ask = [&](double at) { return s_.place({only, mib, {}, {}}, at); };
  EXPECT_FALSE(ask(0.001));
  EXPECT_LE(s_.next_change(0.001).value(), 0.11);
  EXPECT_TRUE(ask(0.11));
}

TEST_P(Failing, AFaultOfOneOperationLeavesTheOtherAlone) {
  const auto other = s_.operation_id("other");
  s_.set_support(0, other, {});
  gpu_ends(0, job_end::failed);
  const auto where = s_.place({other, large, {}, {}}, 0.1);
  ASSERT_TRUE(where);
  EXPECT_EQ(where->device, 0u);
}

TEST_P(Failing, ATriedDeviceIsUsedOnlyIfNoOtherIsLeft) {
  EXPECT_EQ(put(s_, large, 0, {0})[0], '1');
  EXPECT_EQ(put(s_, large, 0, {1}), "0.0");
  auto both = make(GetParam(), {{true, 1, 1}, {false, 1, 1}});
  EXPECT_NE(put(both, large, 0, {0, 1}), "-");
  auto s = make(GetParam(), {{true, 1, 1}, {false, 1, 1}});
  ASSERT_EQ(put(s, large, 0, {0}), "1.0");
  EXPECT_EQ(put(s, large, 0, {0}), "-") << "full is no reason";
  end(s, 1, large, 0, 1, job_end::failed);
  EXPECT_EQ(put(s, large, 1.01, {0}), "0.0") << "quarantined is one";
}

TEST_P(Failing, NoJobThatMattersProbesWhileAnotherDeviceIsWell) {
  auto s = make(GetParam(), {{true, 1, 2}, {false, 4, 1}, {false, 1, 1}});
  ASSERT_EQ(put(s, large, 0, {1, 2}), "0.0");
  end(s, 0, large, 0, 0, job_end::failed);
  // Its time is over from 1 s on.
  EXPECT_EQ(put(s, large, 2, {1}), "2.0") << "retried";
  auto last = of(large);
  last.bytes_to_come = 0;
  EXPECT_EQ(s.place(last, 2)->device, 1u) << "the end of the stream";
  EXPECT_EQ(put(s, large, 2, {0, 1, 2})[0], '1') << "it failed there";
  s.set_support(0, job, {64 * mib, 0});
  EXPECT_EQ(put(s, large, 2)[0], '1') << "too small for it";
  s.set_support(0, job, {});
  EXPECT_EQ(put(s, large, 2), "0.0");
}

TEST(ThresholdPolicy, ASmallJobDoesNotProbeAGpu) {
  auto s = make(schedule_policy::threshold, {{true, 1, 1}, {false, 1, 1}});
  ASSERT_EQ(put(s, 8 * mib), "0.0");
  end(s, 0, 8 * mib, 0, 0, job_end::failed);
  EXPECT_EQ(put(s, mib, 2), "1.0");
  EXPECT_EQ(put(s, 8 * mib, 2), "0.0");
}

TEST_P(Failing, AJobThatFailedOnAllOthersProbesOneInQuarantine) {
  auto s = make(GetParam(), {{true, 1, 1}, {false, 1, 1}});
  ASSERT_EQ(put(s, large, 0, {1}), "0.0");
  end(s, 0, large, 0, 0, job_end::failed);
  EXPECT_EQ(put(s, large, 2, {1}), "0.0") << "rather than again on the CPU";
}

INSTANTIATE_TEST_SUITE_P(Policies, Failing,
                         testing::Values(schedule_policy::lect,
                                         schedule_policy::threshold,
                                         schedule_policy::round_robin));

// ---- misuse -----------------------------------------------------------------

TEST(Finish, OfWhatWasNeverPlacedChangesNothing) {
  auto s = make(schedule_policy::lect, {{false, 1, 1}});
  end(s, 7, mib, 0, 1, job_end::failed);
  end(s, 0, mib, 0, 1, job_end::failed, 5);
  end(s, 0, mib, 0, 1, job_end::failed);
  EXPECT_EQ(s.queued(0), 0u);
  EXPECT_EQ(s.state(0, 1), device_state::ready);
  EXPECT_EQ(put(s, mib, 1), "0.0");
}

TEST(Finish, FindsTheJobByWhenItWasPlaced) {
  // A probe behind an old job: the probe ends well first and clears.
  auto s = make(schedule_policy::threshold, {{true, 1, 3}, {false, 1, 1}});
  ASSERT_EQ(put(s, 8 * mib, 0), "0.0");
  ASSERT_EQ(put(s, 8 * mib, 0), "0.0");
  end(s, 0, 8 * mib, 0, 0.1, job_end::failed);
  ASSERT_EQ(put(s, 8 * mib, 2), "0.0");
  end(s, 0, 8 * mib, 2.001, 2.1);  // reported a little late
  EXPECT_EQ(s.state(0, 2.1), device_state::ready);
  EXPECT_EQ(s.queued(0), 1u);
}

// A run of random jobs of two operations on random devices.
class random_run {
 public:
  explicit random_run(unsigned seed)
      : random_(seed),
        scheduler_({static_cast<schedule_policy>(below(3)), 8 * mib}) {
    const std::uint32_t a = scheduler_.operation_id("a");
    const std::uint32_t b = scheduler_.operation_id("b");
    for (std::uint32_t d = 0, n = 1 + below(4); d < n; ++d) {
      devices_.push_back({below(2) == 1, 1 + below(4), 1 + below(3)});
      held_.emplace_back(devices_.back().lanes, 0u);
      scheduler_.add_device(devices_.back());
      for (const std::uint32_t op : {a, b}) {
        if (d == 0 || below(3) > 0) {
          scheduler_.set_support(d, op, {below(2) * mib, 0});
        }
      }
    }
  }

  void step() {
    now_ += below(100) * 1e-4;
    if (!waiting_) ask_for_more();
    if (const auto where = scheduler_.place(*waiting_, now_)) {
      begin(*where);
    } else if (running_.empty()) {
      // Only time can help now, and it must.
      const auto next = scheduler_.next_change(now_);
      ASSERT_TRUE(next);
      ASSERT_GT(*next, now_);
      ASSERT_LE(now_ - waiting_since_, 10) << "unplaceable";
      now_ = *next;
    }
    if (!running_.empty() && below(2) == 0) end_one();
    for (std::uint32_t d = 0; d < devices_.size(); ++d) {
      std::uint32_t sum = 0;
      for (const auto n : held_[d]) sum += n;
      ASSERT_EQ(scheduler_.queued(d), sum);
    }
  }

  void drain() {
    while (!running_.empty()) end_one();
    for (std::uint32_t d = 0; d < devices_.size(); ++d) {
      ASSERT_EQ(scheduler_.queued(d), 0u);
    }
  }

 private:
  struct started_job {
    placement where;
    schedule_request request;
    double placed;
  };

  std::uint32_t below(std::uint64_t n) {
    return static_cast<std::uint32_t>(random_() % n);
  }

  void ask_for_more() {
    waiting_ = schedule_request{below(2), 1 + below(16 * mib), {}, {}};
    if (below(2)) waiting_->bytes_to_come = below(256 * mib);
    while (below(3) == 0) waiting_->tried.push_back(below(devices_.size()));
    waiting_since_ = now_;
  }

  void begin(const placement& where) {
    ASSERT_LT(where.device, devices_.size());
    ASSERT_LT(where.lane, devices_[where.device].lanes);
    ASSERT_LE(++held_[where.device][where.lane],
              devices_[where.device].lane_depth);
    running_.push_back({where, *waiting_, now_});
    waiting_.reset();
  }

  void end_one() {
    const auto i = below(running_.size());
    const started_job r = running_[i];
    running_.erase(running_.begin() + i);
    --held_[r.where.device][r.where.lane];
    const auto how = below(3) > 0 ? job_end::ok : job_end(below(5));
    scheduler_.finish(r.where, r.request.operation, r.request.bytes, r.placed,
                      now_, how);
  }

  std::mt19937 random_;
  scheduler scheduler_;
  std::vector<scheduler_device> devices_;
  std::vector<std::vector<std::uint32_t>> held_;
  std::vector<started_job> running_;
  std::optional<schedule_request> waiting_;
  double now_ = 0;
  double waiting_since_ = 0;
};

// Lanes never overflow, counts come back to zero, and whatever waits is placed
// in bounded time.
TEST(Property, RandomEventsKeepThePromises) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_run run(seed);
    for (int i = 0; i < 2000; ++i) {
      run.step();
      if (HasFatalFailure()) return;
    }
    run.drain();
  }
}

// ---- open lanes -------------------------------------------------------------

TEST(OpenLanes, OnlyTheFirstGetJobs) {
  for (const auto policy : {schedule_policy::lect, schedule_policy::threshold,
                            schedule_policy::round_robin}) {
    scheduler s = make(policy, {{false, 4, 2}});
    EXPECT_EQ(s.total_depth(), 8u);
    s.set_open_lanes(0, 2);
    EXPECT_EQ(s.total_depth(), 4u);
    std::vector<std::string> seen;
    for (int i = 0; i < 5; ++i) seen.push_back(put(s, mib));
    EXPECT_EQ(seen, (std::vector<std::string>{"0.0", "0.1", "0.0", "0.1", "-"}))
        << static_cast<int>(policy);
    s.set_open_lanes(0, 100);
    EXPECT_EQ(put(s, mib), "0.2");
  }
}

TEST(OpenLanes, TheOthersFinishWhatTheyHave) {
  scheduler s = make(schedule_policy::lect, {{false, 2, 1}});
  EXPECT_EQ(put(s, mib), "0.0");
  EXPECT_EQ(put(s, mib), "0.1");
  s.set_open_lanes(0, 1);
  EXPECT_EQ(s.busy_lanes(0), 2u);
  end(s, 0, mib, 0, 1, job_end::ok, 1);
  EXPECT_EQ(s.busy_lanes(0), 1u);
  EXPECT_EQ(put(s, mib, 1), "-");
  end(s, 0, mib, 0, 2);
  EXPECT_EQ(put(s, mib, 2), "0.0");
}

TEST(OpenLanes, OneIsAlwaysOpen) {
  scheduler s = make(schedule_policy::lect, {{false, 2, 1}});
  s.set_open_lanes(0, 0);
  s.set_open_lanes(7, 1);  // there is none
  EXPECT_EQ(put(s, mib), "0.0");
  EXPECT_EQ(put(s, mib), "-");
}

}  // namespace
}  // namespace nexus
