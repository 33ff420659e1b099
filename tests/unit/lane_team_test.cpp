// Lanes that help each other with loops of independent tasks.
#include "lane_team.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace nexus::cpu {
namespace {

using namespace std::chrono_literals;

// A thread that helps whenever it is nudged, like a lane without a job.
class helper_thread {
 public:
  explicit helper_thread(work_board& board) : board_(board) {}
  ~helper_thread() {
    wanted_ = true;
    ended_ = true;
    nudged_ = true;
    nudged_.notify_one();
    thread_.join();
  }
  helper_thread(const helper_thread&) = delete;
  helper_thread& operator=(const helper_thread&) = delete;

  void nudge() {
    nudged_ = true;
    nudged_.notify_one();
  }

 private:
  void serve() {
    for (;;) {
      nudged_.wait(false);
      nudged_ = false;
      if (ended_) return;
      board_.help(wanted_);
    }
  }

  work_board& board_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> nudged_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_{[this] { serve(); }};
};

TEST(LaneTeam, RunsEveryTaskOnceWithoutHelp) {
  std::size_t nudges = 0;
  work_board board([&nudges](std::size_t) { ++nudges; });
  lane_team team(board);
  for (const std::size_t count : {0u, 1u, 2u, 1000u}) {
    std::vector<int> calls(count);
    team.run(count, [&calls](std::size_t task) { ++calls[task]; });
    EXPECT_EQ(calls, std::vector<int>(count, 1));
  }
  EXPECT_EQ(nudges, 2u) << "one task alone is nobody else's business";
}

TEST(LaneTeam, RunsEveryTaskOnceWithHelpers) {
  std::vector<std::unique_ptr<helper_thread>> helpers;
  work_board board([&helpers](std::size_t) {
    for (auto& each : helpers) each->nudge();
  });
  for (int i = 0; i < 3; ++i) {
    helpers.push_back(std::make_unique<helper_thread>(board));
  }
  lane_team team(board);
  for (std::size_t round = 0; round < 300; ++round) {
    std::vector<int> calls(round);
    // Without a lock: that they are there for us is the board's doing.
    team.run(round, [&calls](std::size_t task) { ++calls[task]; });
    ASSERT_EQ(calls, std::vector<int>(round, 1));
  }
  helpers.clear();
}

TEST(LaneTeam, LetsOthersDoSomeOfTheWork) {
  std::unique_ptr<helper_thread> helper;
  work_board board([&helper](std::size_t) { helper->nudge(); });
  helper = std::make_unique<helper_thread>(board);
  const auto me = std::this_thread::get_id();
  std::atomic<int> others{0};
  // Our first task waits for one of somebody else's.
  board.run(2, [&](std::size_t) {
    if (std::this_thread::get_id() != me) ++others;
    for (int i = 0; i < 5000 && others == 0; ++i) {
      std::this_thread::sleep_for(1ms);
    }
  });
  helper.reset();  // ahead of the board
  EXPECT_EQ(others, 1);
}

TEST(LaneTeam, KeepsLoopsApart) {
  std::unique_ptr<helper_thread> helper;
  work_board board([&helper](std::size_t) { helper->nudge(); });
  helper = std::make_unique<helper_thread>(board);
  std::vector<std::thread> owners;
  std::vector<std::uint64_t> sums(4);
  for (std::size_t owner = 0; owner < sums.size(); ++owner) {
    owners.emplace_back([&board, &sum = sums[owner], owner] {
      for (int round = 0; round < 200; ++round) {
        std::atomic<std::uint64_t> total{0};
        board.run(50, [&](std::size_t task) { total += owner * 1000 + task; });
        sum += total;
      }
    });
  }
  for (auto& each : owners) each.join();
  helper.reset();
  for (std::size_t owner = 0; owner < sums.size(); ++owner) {
    EXPECT_EQ(sums[owner], 200 * (50 * 1000 * owner + 49 * 50 / 2));
  }
}

TEST(LaneTeam, HelpersLeaveForAJobOfTheirOwn) {
  std::atomic<bool> wanted{false};
  work_board board([](std::size_t) {});
  std::atomic<int> helped{0};
  const auto owner = std::this_thread::get_id();
  std::thread helper;
  board.run(1000, [&](std::size_t task) {
    if (std::this_thread::get_id() != owner) {
      ++helped;
      wanted = true;
      return;
    }
    if (task == 0) helper = std::thread([&] { board.help(wanted); });
    for (int i = 0; i < 5000 && helped == 0; ++i) {
      std::this_thread::sleep_for(1ms);
    }
  });
  helper.join();
  EXPECT_EQ(helped, 1);
}

TEST(LaneTeam, HelpersDoNotWaitForWork) {
  work_board board([](std::size_t) {});
  const std::atomic<bool> wanted{false};
  const auto begin = std::chrono::steady_clock::now();
  board.help(wanted);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
}

}  // namespace
}  // namespace nexus::cpu
