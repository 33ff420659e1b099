// Work that blocks, beside the loop that waits for it.
#include "async/blocking_pool.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;

// Turns true soon.
template <class Condition>
bool soon(Condition holds) {
  for (int i = 0; i < 5000 && !holds(); ++i) std::this_thread::sleep_for(1ms);
  return holds();
}

TEST(BlockingPool, NeverRunsMoreThanItsLimitAtOnce) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::atomic<int> ended = 0;
  {
    blocking_pool pool(3, "test");
    for (int i = 0; i < 40; ++i) {
      pool.post([&] {
        const int running = ++now;
        for (int seen = most; seen < running;)
          if (most.compare_exchange_weak(seen, running)) break;
        // Until so many were seen, however busy the machine is.
        soon([&] { return most >= 3; });
        std::this_thread::sleep_for(1ms);
        --now;
        ++ended;
      });
    }
  }
  EXPECT_EQ(ended, 40) << "the pool did not wait for what was handed to it";
  EXPECT_EQ(most, 3);
}

// What waits for other work of the same pool must not wait for its thread.
TEST(BlockingPool, EveryPieceOfWorkGetsAThreadUpToTheLimit) {
  constexpr int pieces = 8;
  std::latch all(pieces);
  std::atomic<int> ended = 0;
  {
    blocking_pool pool(pieces, "test");
    for (int i = 0; i < pieces; ++i) {
      pool.post([&] {
        all.arrive_and_wait();
        ++ended;
      });
    }
    EXPECT_TRUE(soon([&] { return ended == pieces; }));
    if (ended != pieces) all.count_down(pieces - ended);
  }
}

TEST(BlockingPool, AnIdleThreadIsUsedAgain) {
  blocking_pool pool(100, "test");
  std::mutex mutex;
  std::set<std::thread::id> threads;
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> ended = false;
    pool.post([&] {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      ended = true;
    });
    ASSERT_TRUE(soon([&] { return ended.load(); }));
    std::this_thread::sleep_for(2ms);  // it goes to sleep
  }
  EXPECT_LE(threads.size(), 3u);
}

TEST(BlockingPool, WorkIsLetGoOfOnceItHasRun) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  blocking_pool pool(1, "test");
  pool.post([held = std::move(held)] {});
  EXPECT_TRUE(soon([&] { return watch.expired(); }));
}

// What goes with a piece of work may need the pool itself.
TEST(BlockingPool, WhatWorkHeldMayUseThePoolAsItGoes) {
  std::atomic<bool> ended = false;
  blocking_pool pool(1, "test");
  struct last_word {
    blocking_pool& pool;
    std::atomic<bool>& ended;
    ~last_word() {
      pool.post([&flag = ended] { flag = true; });
    }
  };
  pool.post([held = std::shared_ptr<last_word>(new last_word{pool, ended})] {});
  EXPECT_TRUE(soon([&] { return ended.load(); }));
}

TEST(BlockingPool, ThreadsBearTheName) {
  blocking_pool pool(1, "test-name");
  std::atomic<bool> ended = false;
  char name[16] = {};
  pool.post([&] {
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    ended = true;
  });
  ASSERT_TRUE(soon([&] { return ended.load(); }));
  EXPECT_STREQ(name, "test-name");
}

TEST(BlockingPool, RunReturnsTheValueOnTheLoopsThread) {
  test_loop loop;
  blocking_pool pool(2, "test");
  std::thread::id worker;
  auto caller = [&]() -> task<std::thread::id> {
    auto work = [&] {
      worker = std::this_thread::get_id();
      return std::string(100, 'x');
    };
    const std::string text = co_await pool.run(work);
    EXPECT_EQ(text, std::string(100, 'x'));
    co_return std::this_thread::get_id();
  };
  EXPECT_EQ(loop.run(caller()), std::this_thread::get_id());
  EXPECT_NE(worker, std::this_thread::get_id());
  EXPECT_NE(worker, std::thread::id());
}

TEST(BlockingPool, TheLoopGoesOnWhileWorkBlocks) {
  test_loop loop;
  blocking_pool pool(1, "test");
  std::latch gate(1);
  std::optional<int> answer;
  auto caller = [&]() -> task<int> {
    auto work = [&] {
      gate.wait();
      return 7;
    };
    co_return co_await pool.run(work);
  };
  loop.start(caller(), &answer);
  loop.spin(20ms);
  EXPECT_FALSE(answer.has_value());
  gate.count_down();
  EXPECT_TRUE(loop.until([&] { return answer.has_value(); }));
  EXPECT_EQ(answer, 7);
}

}  // namespace
}  // namespace nexus::test
