#include "schedule.hpp"

#include <gtest/gtest.h>

namespace nexus::queue {
namespace {

job wants(std::int64_t number, std::int64_t gpus, std::int64_t memory = 0) {
  job made;
  made.number = number;
  made.asked.gpus = gpus;
  made.asked.gpu_memory = memory;
  return made;
}

// One GPU a number: its memory.
gpu_snapshot machine(const std::vector<std::int64_t>& memory) {
  gpu_snapshot seen;
  for (const auto mib : memory) {
    gpu one;
    one.index = std::to_string(seen.gpus.size());
    one.uuid = "GPU-" + one.index;
    one.memory_mib = mib;
    seen.gpus.push_back(one);
  }
  return seen;
}

std::vector<placement> place_on(const gpu_snapshot& seen,
                                const std::vector<job>& queue,
                                const std::vector<std::string>& taken = {}) {
  return place(queue, free_gpus(seen, taken), {}, seen);
}

std::vector<std::int64_t> numbers(const std::vector<placement>& placed) {
  std::vector<std::int64_t> all;
  for (const auto& one : placed) all.push_back(one.which.number);
  return all;
}

using list = std::vector<std::int64_t>;

TEST(Schedule, NothingGoesOnBlockedOrTakenGpus) {
  gpu_snapshot seen;
  for (const char* index : {"0", "1", "2"}) {
    gpu one;
    one.index = index;
    one.uuid = std::string("GPU-") + index;
    seen.gpus.push_back(one);
  }
  seen.gpus[0].blocked = "in use";
  const auto units = free_gpus(seen, {"GPU-1"});
  ASSERT_EQ(units.size(), 1u);
  EXPECT_EQ(units[0].key, "GPU-2");
  EXPECT_EQ(units[0].index, "2");
}

TEST(Schedule, FirstInFirstOutAndOneJobAGpu) {
  const auto placed =
      place_on(machine({1, 1}), {wants(1, 1), wants(2, 1), wants(3, 1)});
  EXPECT_EQ(numbers(placed), (list{1, 2}));
  EXPECT_EQ(placed[0].units.at(0).key, "GPU-0");
  EXPECT_EQ(placed[1].units.at(0).key, "GPU-1");
}

TEST(Schedule, ALargeJobIsNotStarvedBySmallOnes) {
  const auto two = machine({1, 1});
  EXPECT_TRUE(place_on(two, {wants(1, 2), wants(2, 1)}, {"GPU-1"}).empty());
  EXPECT_EQ(place_on(two, {wants(1, 2)}).at(0).units.size(), 2u);
}

TEST(Schedule, OneThatTheMachineCannotHoldKeepsNothing) {
  auto two = machine({1, 1});
  EXPECT_EQ(numbers(place_on(two, {wants(1, 3), wants(2, 1)})), (list{2}));
  two.gpus[1].excluded = true;
  EXPECT_EQ(numbers(place_on(two, {wants(1, 2), wants(2, 1)}, {"GPU-1"})),
            (list{2}));
}

TEST(Schedule, MemoryHasToBeFree) {
  auto seen = machine({1000, 4000, 3000});
  seen.gpus[1].used_mib = 2001;
  const auto placed = place_on(seen, {wants(1, 1, 2000)});
  ASSERT_EQ(placed.size(), 1u);
  EXPECT_EQ(placed[0].units.at(0).key, "GPU-2");
}

TEST(Schedule, AJobKeepsOnlyGpusThatAreLargeEnoughForIt) {
  const auto seen = machine({1000, 4000, 4000});
  // The first wants both large ones, of which one is taken.
  const auto placed =
      place_on(seen, {wants(1, 2, 4000), wants(2, 1), wants(3, 1)}, {"GPU-2"});
  EXPECT_EQ(numbers(placed), (list{2}));
  EXPECT_EQ(placed[0].units.at(0).key, "GPU-0");
}

TEST(Schedule, JobsWithoutAGpuTakeSlotsAndDoNotWaitBehindOthers) {
  const auto slots = free_slots(2, {"slot:0"});
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].key, "slot:1");
  const auto placed =
      place({wants(1, 1), wants(2, 0), wants(3, 0)}, {}, slots, {});
  EXPECT_EQ(numbers(placed), (list{2}));
  EXPECT_TRUE(placed[0].units.at(0).index.empty());
}

}  // namespace
}  // namespace nexus::queue
