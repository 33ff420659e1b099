// How many workers and segments a machine gets, and the reasons given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nexus/hardware.hpp>
#include <string>
#include <string_view>

namespace nexus {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

hardware machine_of(std::uint32_t processors, std::uint64_t available) {
  hardware machine;
  machine.logical_processors = processors;
  machine.allowed_processors = processors;
  machine.memory_total_bytes = 2 * available;
  machine.memory_available_bytes = available;
  return machine;
}

profile_request segments_of(std::uint64_t bytes) {
  profile_request request;
  request.segment_working_set_bytes = bytes;
  return request;
}

std::string reason(const parallelism_profile& profile, std::string_view of) {
  for (const auto& [name, text] : profile.reasons) {
    if (name == of) return text;
  }
  return "none given";
}

TEST(MakeProfile, RefusesABudgetThatHoldsNoSegment) {
  const auto profile =
      make_profile(machine_of(2, 100 * mib), segments_of(51 * mib));
  ASSERT_FALSE(profile.ok());
  const status why = profile.error();
  EXPECT_EQ(why.code(), status_code::out_of_memory);
  EXPECT_THAT(why.message(), HasSubstr("needs 51 MiB (53477376 bytes)"));
  EXPECT_THAT(why.message(), HasSubstr("is 50 MiB (52428800 bytes)"));
  EXPECT_THAT(why.message(), HasSubstr("50% of 100 MiB available"));
  EXPECT_THAT(why.message(), Not(HasSubstr("\n")));
  EXPECT_FALSE(why.hint().empty());
}

TEST(MakeProfile, ABudgetOfExactlyOneSegmentIsEnough) {
  auto request = segments_of(50 * mib);
  EXPECT_EQ(make_profile(machine_of(2, 100 * mib), request)->inflight_segments,
            1u);
  request.memory_bytes = 50 * mib - 1;
  EXPECT_FALSE(make_profile(machine_of(2, 100 * mib), request).ok());
}

TEST(MakeProfile, RefusesRequestsThatMakeNoSense) {
  const hardware machine = machine_of(2, gib);
  const auto code = [&](const profile_request& request) {
    return make_profile(machine, request).error().code();
  };
  for (const double fraction :
       {0.0, -0.5, 1.01, std::numeric_limits<double>::quiet_NaN(),
        std::numeric_limits<double>::infinity()}) {
    auto request = segments_of(mib);
    request.memory_fraction = fraction;
    EXPECT_EQ(code(request), status_code::invalid_argument) << fraction;
  }
  auto request = segments_of(mib);
  request.max_inflight = 0;
  EXPECT_EQ(code(request), status_code::invalid_argument);
  request = segments_of(mib);
  request.max_threads = 0;
  EXPECT_EQ(code(request), status_code::invalid_argument);
}

TEST(MakeProfile, SixteenCoresAndSixteenGibibytes) {
  const auto profile =
      make_profile(machine_of(16, 16 * gib), segments_of(32 * mib));
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->cpu_workers, 15u);
  EXPECT_EQ(profile->gpu_workers, 0u);
  EXPECT_EQ(profile->inflight_segments, 64u);
  EXPECT_EQ(profile->budget_bytes, 8 * gib);
  EXPECT_EQ(reason(*profile, "cpu_workers"),
            "16 processors allowed, one left free");
  EXPECT_EQ(reason(*profile, "gpu_workers"), "no GPU in use");
  EXPECT_EQ(reason(*profile, "inflight_segments"),
            "the most allowed; 8 GiB hold 256 segments of 32 MiB");
  EXPECT_EQ(reason(*profile, "budget_bytes"), "50% of 16 GiB available");
}

TEST(MakeProfile, MemoryLimitsTheWindowBelowTheCap) {
  const auto profile = make_profile(machine_of(2, gib), segments_of(100 * mib));
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->inflight_segments, 5u);
  EXPECT_EQ(reason(*profile, "inflight_segments"),
            "512 MiB hold 5 segments of 100 MiB");
}

TEST(MakeProfile, TheSmallestHeadroomCountsNotTheSmallestLimit) {
  hardware machine = machine_of(2, 8 * gib);
  machine.memory_limits = {{"cgroup memory.max of /a", 2 * gib, 0},
                           {"cgroup memory.high of /", 4 * gib, 3 * gib},
                           {"RLIMIT_AS", 5 * gib, 0}};
  const auto profile = make_profile(machine, segments_of(mib));
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->budget_bytes, 512 * mib);
  EXPECT_EQ(reason(*profile, "budget_bytes"),
            "50% of 1 GiB left of 4 GiB under cgroup memory.high of /");
}

TEST(MakeProfile, AnOverdrawnLimitLeavesNothing) {
  hardware machine = machine_of(2, 8 * gib);
  machine.memory_limits = {{"cgroup memory.high of /a", gib, 2 * gib}};
  const auto profile = make_profile(machine, segments_of(1));
  ASSERT_FALSE(profile.ok());
  EXPECT_EQ(profile.error().code(), status_code::out_of_memory);
  EXPECT_THAT(profile.error().message(), HasSubstr("cgroup memory.high of /a"));
}

TEST(MakeProfile, TheUsersBudgetHoldsAsItIs) {
  auto request = segments_of(mib);
  request.memory_bytes = 12 * mib;
  request.memory_fraction = 0.25;
  auto profile = make_profile(machine_of(2, gib), request);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->budget_bytes, 12 * mib);
  EXPECT_EQ(profile->inflight_segments, 12u);
  EXPECT_EQ(reason(*profile, "budget_bytes"), "12 MiB asked for");

  profile = make_profile(machine_of(2, 2 * mib), request);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->budget_bytes, 12 * mib);
  EXPECT_EQ(reason(*profile, "budget_bytes"),
            "12 MiB asked for, although only 2 MiB available");
}

TEST(MakeProfile, TheFractionScalesTheBudget) {
  auto request = segments_of(mib);
  request.memory_fraction = 0.125;
  auto profile = make_profile(machine_of(2, gib), request);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->budget_bytes, 128 * mib);
  EXPECT_EQ(reason(*profile, "budget_bytes"), "12.5% of 1 GiB available");
  request.memory_fraction = 1;
  hardware huge = machine_of(2, 1);
  huge.memory_available_bytes = UINT64_MAX;
  EXPECT_EQ(make_profile(huge, request)->budget_bytes, UINT64_MAX);
}

TEST(MakeProfile, UnknownMemoryAndProcessorsStillWork) {
  const auto profile = make_profile(hardware{}, segments_of(mib));
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->cpu_workers, 1u);
  EXPECT_EQ(profile->budget_bytes, 512 * mib);
  EXPECT_THAT(reason(*profile, "budget_bytes"), HasSubstr("cannot be read"));
  EXPECT_THAT(reason(*profile, "cpu_workers"), HasSubstr("cannot be counted"));
}

TEST(MakeProfile, ALimitAloneIsEnoughToKnow) {
  hardware machine = machine_of(2, 0);
  machine.memory_limits = {{"cgroup memory.max of /", 64 * gib, 0}};
  EXPECT_EQ(make_profile(machine, segments_of(mib))->budget_bytes, 32 * gib);
}

TEST(MakeProfile, SegmentsThatHoldNothingOnlyMeetTheCap) {
  const auto profile = make_profile(machine_of(2, gib), segments_of(0));
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->inflight_segments, 64u);
}

std::uint32_t workers_on(std::uint32_t processors) {
  return make_profile(machine_of(processors, gib), segments_of(mib))
      ->cpu_workers;
}

TEST(MakeProfile, OneProcessorStaysFreeFromFourUp) {
  EXPECT_EQ(workers_on(1), 1u);
  EXPECT_EQ(workers_on(2), 2u);
  EXPECT_EQ(workers_on(3), 3u);
  EXPECT_EQ(workers_on(4), 3u);
  EXPECT_EQ(workers_on(5), 4u);
  EXPECT_EQ(workers_on(128), 127u);
}

TEST(MakeProfile, QuotaIsRoundedUp) {
  hardware machine = machine_of(16, gib);
  machine.cpu_quota_origin = "cgroup cpu.max of /a";
  const auto with = [&](double quota) {
    machine.cpu_quota = quota;
    return make_profile(machine, segments_of(mib)).value();
  };
  EXPECT_EQ(with(1.5).cpu_workers, 2u);
  EXPECT_EQ(reason(with(1.5), "cpu_workers"),
            "16 processors allowed, a quota of 1.5 by cgroup cpu.max of /a");
  EXPECT_EQ(with(0.01).cpu_workers, 1u);
  EXPECT_EQ(with(2).cpu_workers, 2u);
  EXPECT_EQ(with(8).cpu_workers, 7u);
  EXPECT_EQ(with(1e18).cpu_workers, 15u);
  EXPECT_EQ(reason(with(1e18), "cpu_workers"),
            "16 processors allowed, one left free");
}

TEST(MakeProfile, MaxThreadsBeatsTheOneLeftFree) {
  const auto with = [](std::uint32_t threads) {
    auto request = segments_of(mib);
    request.max_threads = threads;
    return make_profile(machine_of(8, gib), request).value();
  };
  EXPECT_EQ(with(8).cpu_workers, 8u);
  EXPECT_EQ(with(9).cpu_workers, 8u);
  EXPECT_EQ(with(1).cpu_workers, 1u);
  EXPECT_EQ(with(5).cpu_workers, 5u);
  EXPECT_EQ(reason(with(5), "cpu_workers"),
            "8 processors allowed, at most 5 asked for");
}

result<parallelism_profile> provers(std::uint64_t memory,
                                    std::uint64_t proof) {
  profile_request request;
  request.segment_working_set_bytes = 512 * mib;
  request.worker_working_set_bytes = proof;
  request.memory_bytes = memory;
  return make_profile(machine_of(64, memory), request);
}

TEST(MakeProfile, WorkersByMemoryPerProofAndOverhead) {
  EXPECT_EQ(provers(8 * gib, 2 * gib)->cpu_workers, 3u);
  EXPECT_EQ(provers(16 * gib, 2 * gib)->cpu_workers, 6u);
  EXPECT_EQ(provers(32 * gib, 4 * gib)->cpu_workers, 7u);
  EXPECT_EQ(provers(64 * gib, 4 * gib)->cpu_workers, 14u);
}

TEST(MakeProfile, SegmentsShareWhatTheWorkersLeave) {
  // 3 workers take 6 GiB of 8: 4 segments of 512 MiB are left.
  EXPECT_EQ(provers(8 * gib, 2 * gib)->inflight_segments, 4u);
}

TEST(MakeProfile, FailsWhereOneWorkerAndItsSegmentDoNotFit) {
  const auto profile = provers(4 * gib, 4 * gib);
  ASSERT_FALSE(profile.ok());
  EXPECT_EQ(profile.error().code(), status_code::out_of_memory);
  EXPECT_NE(profile.error().message().find("4.5 GiB"), std::string::npos)
      << profile.error().message();
  EXPECT_EQ(provers(4 * gib + 512 * mib, 4 * gib)->cpu_workers, 1u);
}

TEST(MakeProfile, SaysThatWorkersAreLimitedByMemory) {
  profile_request request = segments_of(mib);
  request.worker_working_set_bytes = 100 * mib;
  const auto profile = make_profile(machine_of(16, gib), request);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->cpu_workers, 5u);
  EXPECT_EQ(reason(*profile, "cpu_workers"),
            "16 processors allowed, one left free, 512 MiB hold 5 that take "
            "101 MiB each");
}

TEST(MakeProfile, OneGpuWorkerPerDevice) {
  auto request = segments_of(mib);
  request.gpu_devices = 2;
  const auto profile = make_profile(machine_of(4, gib), request);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->gpu_workers, 2u);
  EXPECT_EQ(profile->cpu_workers, 3u);
  EXPECT_EQ(reason(*profile, "gpu_workers"), "one for each GPU in use");
}

TEST(MakeProfile, EveryNumberHasAReason) {
  const auto profile = make_profile(machine_of(4, gib), segments_of(mib));
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->reasons.size(), 4u);
  for (const auto& [name, text] : profile->reasons) {
    EXPECT_FALSE(text.empty()) << name;
  }
}

hardware nodes_of(std::vector<numa_node> nodes) {
  hardware machine;
  machine.nodes = std::move(nodes);
  return machine;
}

TEST(BindWorkers, OneNodeOrNoneMeansAnywhere) {
  for (const hardware& machine : {hardware{}, nodes_of({{3, {0, 1}, 0}}),
                                  nodes_of({{1, {}, 0}, {3, {0, 1}, 0}})}) {
    const auto bindings = bind_workers(machine, 3);
    ASSERT_EQ(bindings.size(), 3u);
    for (const worker_binding& b : bindings) {
      EXPECT_TRUE(b.processors.empty());
      EXPECT_EQ(b.numa_node, machine.nodes.empty() ? 0u : 3u);
    }
  }
}

TEST(BindWorkers, NoWorkersNoBindings) {
  EXPECT_TRUE(bind_workers(nodes_of({{0, {0}, 0}, {1, {1}, 0}}), 0).empty());
}

TEST(BindWorkers, SpreadsInProportion) {
  const hardware machine =
      nodes_of({{0, {0, 1}, 0}, {5, {}, 0}, {7, {2, 3, 4, 5, 6, 7}, 0}});
  const auto count = [&](std::uint32_t workers, std::uint32_t node) {
    std::uint32_t n = 0;
    for (const worker_binding& b : bind_workers(machine, workers)) {
      if (b.numa_node == node) ++n;
    }
    return n;
  };
  EXPECT_EQ(count(4, 0), 1u);
  EXPECT_EQ(count(4, 7), 3u);
  EXPECT_EQ(count(8, 0), 2u);
  EXPECT_EQ(count(8, 7), 6u);
  EXPECT_EQ(count(80, 0), 20u);
  EXPECT_EQ(count(80, 5), 0u);
  EXPECT_EQ(bind_workers(machine, 1)[0].numa_node, 7u);
  EXPECT_EQ(bind_workers(machine, 1)[0].processors,
            (std::vector<std::uint32_t>{2, 3, 4, 5, 6, 7}));
}

}  // namespace
}  // namespace nexus
