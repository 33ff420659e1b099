#include "schedule.hpp"

#include <gtest/gtest.h>

namespace nexus::queue {
namespace {

job wants(std::int64_t number, std::int64_t gpus) {
  job made;
  made.number = number;
  made.asked.gpus = gpus;
  return made;
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
  const auto placed = place({wants(1, 1), wants(2, 1), wants(3, 1)},
                            {{"a", "0"}, {"b", "1"}}, {});
  EXPECT_EQ(numbers(placed), (list{1, 2}));
  EXPECT_EQ(placed[0].units.at(0).key, "a");
  EXPECT_EQ(placed[1].units.at(0).key, "b");
}

TEST(Schedule, ALargeJobIsNotStarvedBySmallOnes) {
  const auto placed = place({wants(1, 2), wants(2, 1)}, {{"a", "0"}}, {});
  EXPECT_TRUE(placed.empty());
  EXPECT_EQ(
      place({wants(1, 2)}, {{"a", "0"}, {"b", "1"}}, {}).at(0).units.size(),
      2u);
}

TEST(Schedule, JobsWithoutAGpuTakeSlotsAndDoNotWaitBehindOthers) {
  const auto slots = free_slots(2, {"slot:0"});
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].key, "slot:1");
  const auto placed = place({wants(1, 1), wants(2, 0), wants(3, 0)}, {}, slots);
  EXPECT_EQ(numbers(placed), (list{2}));
  EXPECT_TRUE(placed[0].units.at(0).index.empty());
}

}  // namespace
}  // namespace nexus::queue
