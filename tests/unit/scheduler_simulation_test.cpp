// The default policy in virtual time, against the best fixed split that a
// search finds. The scheduler starts knowing nothing; so the bound is 10 % and,
// where devices are much slower than the rest, one job of each: what it takes
// to find that out, and what may be left running when a stream of unknown
// length ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "schedule_simulator.hpp"

namespace nexus {
namespace {

using namespace test;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr double bound = 1.10;

virtual_device cpu(std::uint32_t lanes, double bytes_per_second,
                   std::uint32_t depth = 2) {
  virtual_device d;
  d.spec = {false, lanes, depth};
  d.overhead = 20e-6;
  d.bytes_per_second = bytes_per_second;
  return d;
}

virtual_device gpu(double bytes_per_second, double overhead = 1e-3,
                   std::uint32_t depth = 3) {
  virtual_device d;
  d.spec = {true, 1, depth};
  d.overhead = overhead;
  d.bytes_per_second = bytes_per_second;
  return d;
}

workload work_of(std::size_t count, std::uint64_t bytes,
                 std::uint32_t window = 32) {
  workload w = equal_segments(count, bytes);
  w.window = window;
  return w;
}

double only(const std::vector<virtual_device>& devices, const workload& w,
            bool gpus) {
  std::vector<double> shares;
  for (const auto& d : devices) shares.push_back(d.spec.gpu == gpus ? 1 : 0);
  return static_makespan(devices, w, shares);
}

// Runs it with the stream's length known and unknown, and with all that wait
// asking or the first one only. The allowances come on
// top of the bound, in seconds, the second one if the length is unknown.
void expect_close(const std::vector<virtual_device>& devices, workload w,
                  double allowance = 0, int steps = 50, double open_end = 0) {
  const double best = best_static_makespan(devices, w, steps);
  for (const int variant : {0, 1, 2, 3}) {
    const bool known = variant % 2 == 0;
    w.length_known = known;
    w.all_ask = variant < 2;
    const simulation run = simulate({}, devices, w);
    ASSERT_TRUE(run.finished) << run.problem;
    EXPECT_EQ(run.problem, "");
    EXPECT_LE(run.makespan, bound * best + allowance + (known ? 0 : open_end))
        << "best split: " << best << ", length known: " << known;
  }
}

void expect_better_than_either(const std::vector<virtual_device>& devices,
                               const workload& w) {
  const simulation run = simulate({}, devices, w);
  ASSERT_TRUE(run.finished) << run.problem;
  EXPECT_LT(run.makespan, only(devices, w, false));
  EXPECT_LT(run.makespan, only(devices, w, true));
}

TEST(LectSimulation, CpuAndFastGpu) {
  for (const std::uint64_t bytes : {16 * mib, 4 * mib}) {
    const std::vector devices{cpu(4, 1e9), gpu(8e9)};
    expect_close(devices, work_of(400, bytes));
    expect_better_than_either(devices, work_of(400, bytes));
  }
}

TEST(LectSimulation, SlowAndFastGpu) {
  const std::vector devices{cpu(3, 1e9), gpu(2e9), gpu(10e9)};
  expect_close(devices, work_of(400, 16 * mib), 0, 25);
  expect_better_than_either(devices, work_of(400, 16 * mib));
}

TEST(LectSimulation, FifteenWorkersAndTwoGpus) {
  const std::vector devices{cpu(15, 1e9), gpu(12e9), gpu(12e9)};
  expect_close(devices, work_of(2000, 8 * mib, 64), 0, 20);
  expect_better_than_either(devices, work_of(2000, 8 * mib, 64));
}

TEST(LectSimulation, GpuSlowerThanACpuLane) {
  const std::vector twice{cpu(4, 1e9), gpu(0.5e9)};
  expect_close(twice, work_of(400, 16 * mib, 16));
  expect_better_than_either(twice, work_of(400, 16 * mib, 16));
  expect_close({cpu(4, 1e9), gpu(0.1e9)}, work_of(400, 16 * mib, 16));
}

TEST(LectSimulation, GpuFarSlowerThanTheCpuCostsOneJobOfIts) {
  const std::vector devices{cpu(4, 1e9), gpu(0.025e9)};
  const workload w = work_of(1000, 16 * mib, 16);
  const double one = devices[1].end_of(16 * mib, 0);
  expect_close(devices, w, one);
  EXPECT_LE(simulate({}, devices, w).jobs[1], 3u);
}

TEST(LectSimulation, CpuFarSlowerThanTheGpuDoesNotHoldTheWindow) {
  const std::vector devices{cpu(15, 0.1e9), gpu(8e9)};
  expect_close(devices, work_of(400, 16 * mib, 16));
  const double one = devices[0].end_of(16 * mib, 0);
  expect_close(devices, work_of(400, 16 * mib, 64), 0, 50, one);
}

TEST(LectSimulation, GpuThatStallsForASecond) {
  std::vector devices{cpu(4, 1e9), gpu(8e9)};
  devices[1].stalls_at = 0.2;
  devices[1].stall = 1;
  expect_close(devices, work_of(1000, 16 * mib));
  expect_close(devices, work_of(4000, 16 * mib));
  // The second costs what the GPU would have done in it, and little beyond.
  const double well =
      simulate({}, {cpu(4, 1e9), gpu(8e9)}, work_of(4000, 16 * mib)).makespan;
  EXPECT_LT(simulate({}, devices, work_of(4000, 16 * mib)).makespan,
            well + 1.0);
}

TEST(LectSimulation, GpuThatDiesMidRun) {
  for (const job_end death : {job_end::failed, job_end::lost}) {
    std::vector devices{cpu(4, 1e9), gpu(8e9)};
    devices[1].dies_at = 0.3;
    devices[1].death = death;
    const workload w = work_of(400, 16 * mib);
    const simulation run = simulate({}, devices, w);
    ASSERT_TRUE(run.finished) << run.problem;
    EXPECT_GE(run.retries, 1u);
    EXPECT_LE(run.retries, 5u) << "it was asked again and again";
    // Both until then, the CPU alone from there on.
    const double total = 400.0 * 16 * mib;
    const double both = 4e9 + 16 * mib / devices[1].end_of(16 * mib, 0);
    const double ideal = 0.3 + (total - 0.3 * both) / 4e9;
    EXPECT_LE(run.makespan, bound * ideal);
    EXPECT_LT(run.makespan, only(devices, w, false));
  }
}

TEST(LectSimulation, GpuThatComesBackIsUsedAgain) {
  std::vector devices{cpu(4, 1e9), gpu(8e9)};
  devices[1].dies_at = 0.3;
  devices[1].revives_at = 0.8;
  const workload w = work_of(4000, 16 * mib);
  const simulation run = simulate({}, devices, w);
  ASSERT_TRUE(run.finished) << run.problem;
  EXPECT_GT(run.jobs[1], 1500u);
  EXPECT_LT(run.makespan, 0.55 * only(devices, w, false));
}

TEST(LectSimulation, NoDeviceLeftForAWhileIsSurvived) {
  std::vector devices{cpu(2, 1e9), gpu(8e9)};
  for (auto& d : devices) {
    d.dies_at = 0.1;
    d.revives_at = 5;
    d.death = job_end::lost;
  }
  const simulation run = simulate({}, devices, work_of(200, 16 * mib));
  ASSERT_TRUE(run.finished) << run.problem;
  EXPECT_LT(run.makespan, 5 + 3);
}

TEST(LectSimulation, SmallSegmentsOnly) {
  expect_close({cpu(4, 1e9), gpu(8e9)}, work_of(4000, 64 * kib));
  expect_close({cpu(4, 1e9), gpu(8e9, 5e-3)}, work_of(4000, 64 * kib));
}

TEST(LectSimulation, LongTail) {
  const std::vector devices{cpu(4, 0.2e9), gpu(8e9)};
  const double one = devices[0].end_of(32 * mib, 0);
  expect_close(devices, work_of(60, 32 * mib), one);
  expect_close(devices, work_of(20, 32 * mib), one);
  // Once it is known, the last jobs are the GPU's: no CPU job at the end.
  const workload w = work_of(300, 32 * mib, 64);
  EXPECT_LE(simulate({}, devices, w).makespan,
            1.02 * best_static_makespan(devices, w) + 0.25 * one);
}

TEST(LectSimulation, RatesThatChangeMidRun) {
  std::vector wakes{cpu(4, 1e9), gpu(0.1e9)};
  wakes[1].changes_at = 3;
  wakes[1].change = 100;
  expect_close(wakes, work_of(2000, 16 * mib, 16));
  expect_better_than_either(wakes, work_of(2000, 16 * mib, 16));

  std::vector tires{cpu(4, 1e9), gpu(10e9)};
  tires[1].changes_at = 0.3;
  tires[1].change = 0.1;
  expect_close(tires, work_of(1000, 16 * mib));
  expect_better_than_either(tires, work_of(1000, 16 * mib));
  tires[1].change = 0.01;
  expect_close(tires, work_of(1000, 16 * mib, 16));

  std::vector throttled{cpu(4, 1e9), gpu(4e9)};
  throttled[0].changes_at = 0.5;
  throttled[0].change = 0.2;
  expect_close(throttled, work_of(1000, 16 * mib));
}

TEST(LectSimulation, ASourceSlowerThanTheDevices) {
  workload w = work_of(300, 4 * mib);
  w.arrival_seconds = 0.02;
  const simulation run = simulate({}, {cpu(4, 1e9), gpu(8e9)}, w);
  ASSERT_TRUE(run.finished) << run.problem;
  EXPECT_LT(run.makespan, 300 * 0.02 + 0.05);
}

// Machines and streams at random. The window holds two jobs for every lane:
// below that a fixed split gains from knowing each segment's place in it.
TEST(LectSimulation, RandomMachines) {
  std::mt19937 random(11);
  const auto pick = [&](double a, double b) {
    return std::uniform_real_distribution<double>(a, b)(random);
  };
  const auto spread = [&](double a, double b) {
    return std::exp(pick(std::log(a), std::log(b)));
  };
  const auto below = [&](std::uint32_t n) {
    return static_cast<std::uint32_t>(random() % n);
  };
  for (int i = 0; i < 150; ++i) {
    std::vector devices{cpu(1 + below(15), spread(0.1e9, 2e9), 1 + below(2))};
    std::uint32_t lanes = devices[0].spec.lanes;
    for (int g = i % 2; g < 2; ++g) {
      devices.push_back(
          gpu(spread(0.1e9, 20e9), spread(1e-4, 5e-3), 1 + below(3)));
      devices.back().spec.lanes = 1 + below(2);
      lanes += devices.back().spec.lanes;
    }
    workload w;
    w.window = std::min(64u, 2 * lanes + below(20));
    const double size = spread(64.0 * kib, 64.0 * mib);
    const bool mixed = below(3) == 0;
    for (auto n = 150 + below(400); n > 0; --n) {
      w.segments.push_back(static_cast<std::uint64_t>(
          mixed ? spread(64.0 * kib, 32.0 * mib) : size));
    }
    const double best = best_static_makespan(devices, w, 20);
    const auto largest =
        *std::max_element(w.segments.begin(), w.segments.end());
    double lessons = 0;
    for (auto& d : devices) {
      lessons += d.end_of(largest, 0);
      d.noise = 0.2;
    }
    w.length_known = below(2) == 0;
    const simulation run = simulate({}, devices, w);
    ASSERT_TRUE(run.finished) << run.problem;
    EXPECT_LE(run.makespan, bound * best + lessons) << "machine " << i;
  }
}

TEST(Simulation, OtherPoliciesFinishToo) {
  std::vector devices{cpu(4, 1e9), gpu(8e9), gpu(2e9)};
  devices[1].dies_at = 0.1;
  for (const auto policy :
       {schedule_policy::threshold, schedule_policy::round_robin}) {
    for (const std::uint64_t bytes : {2 * mib, 16 * mib}) {
      const simulation run =
          simulate({policy, 8 * mib}, devices, work_of(300, bytes));
      ASSERT_TRUE(run.finished) << run.problem;
      EXPECT_EQ(run.problem, "");
    }
  }
}

}  // namespace
}  // namespace nexus
