#include "prover/task_team.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace nexus::prover {
namespace {

class team_of : public testing::TestWithParam<unsigned> {
 protected:
  std::unique_ptr<task_team> team = make_thread_team(GetParam());
};

INSTANTIATE_TEST_SUITE_P(sizes, team_of, testing::Values(0, 1, 2, 7));

TEST_P(team_of, runs_every_task_once) {
  for (const std::size_t count : {0, 1, 2, 5, 100, 1000}) {
    std::vector<std::atomic<int>> calls(count);
    team->run(count, [&](std::size_t task) { ++calls.at(task); });
    for (const auto& each : calls) {
      EXPECT_EQ(each, 1);
    }
  }
}

// Plain memory: what one run wrote the next one reads, on other threads.
TEST_P(team_of, a_run_sees_what_the_runs_before_it_did) {
  std::vector<std::size_t> from(50, 0);
  std::vector<std::size_t> to(50, 0);
  for (std::size_t round = 0; round < 200; ++round) {
    team->run(to.size(), [&](std::size_t task) {
      to[task] = from[(task + round) % from.size()] + 1;
    });
    std::swap(from, to);
  }
  EXPECT_EQ(from, std::vector<std::size_t>(50, 200));
}

TEST_P(team_of, leaves_out_what_has_not_begun_when_it_is_stopped) {
  std::atomic<bool> stop = false;
  const auto stopped = [&stop] { return stop.load(); };
  stopping_team polling(*team, stopped);
  std::atomic<std::size_t> done = 0;
  const auto body = [&](std::size_t) { stop = ++done == 10; };
  polling.run(10, body);
  EXPECT_EQ(done, 10U);
  polling.run(1000, body);
  EXPECT_EQ(done, 10U);
  stop = false;
  done = 0;
  polling.run(100000, body);
  EXPECT_GE(done, 10U);
  EXPECT_LE(done, 10U + 7U);  // those that had begun
}

TEST(thread_team, uses_its_threads) {
  const auto team = make_thread_team(3);
  std::atomic<int> inside = 0;
  // Each waits for the others, so that one thread alone would never end.
  team->run(3, [&](std::size_t) {
    ++inside;
    while (inside < 3) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(inside, 3);
}

TEST(thread_team, may_go_without_having_worked) {
  for (int i = 0; i < 50; ++i) {
    make_thread_team(4);
  }
}

}  // namespace
}  // namespace nexus::prover
