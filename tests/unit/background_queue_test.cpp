#include "background_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>

namespace nexus::tool {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

TEST(BackgroundQueue, HandsOverEverythingInOrder) {
  std::vector<int> got;
  background_queue<int> queue(
      "test", 100'000, [&got](std::vector<int>& batch, const std::stop_token&) {
        got.insert(got.end(), batch.begin(), batch.end());
      });
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(queue.push(i));
  queue.close(std::chrono::seconds(10));
  ASSERT_EQ(got.size(), 10'000u);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(got[static_cast<unsigned>(i)], i);
  EXPECT_EQ(queue.dropped(), 0u);
}

TEST(BackgroundQueue, DropsAndCountsWhatDoesNotFit) {
  std::binary_semaphore began{0};
  std::binary_semaphore go_on{0};
  std::atomic<std::size_t> got = 0;
  background_queue<int> queue(
      "test", 10, [&](std::vector<int>& batch, const std::stop_token&) {
        if (got == 0) {
          began.release();
          go_on.acquire();
        }
        got += batch.size();
      });
  queue.push(0);
  began.acquire();  // the handler has it, and the queue is empty
  int fit = 0;
  for (int i = 0; i < 25; ++i) fit += queue.push(i) ? 1 : 0;
  EXPECT_EQ(fit, 10);
  EXPECT_EQ(queue.dropped(), 15u);
  go_on.release();
  queue.close(std::chrono::seconds(10));
  EXPECT_EQ(got, 11u);
}

TEST(BackgroundQueue, TakesNothingMoreOnceItIsClosed) {
  background_queue<int> queue("test", 10,
                              [](std::vector<int>&, const std::stop_token&) {});
  queue.close(milliseconds(0));
  EXPECT_FALSE(queue.push(1));
  EXPECT_EQ(queue.dropped(), 1u);
  queue.close(milliseconds(0));
}

TEST(BackgroundQueue, HurriesAHandlerThatIsStuck) {
  std::atomic<bool> hurried = false;
  background_queue<int> queue(
      "test", 10, [&](std::vector<int>&, const std::stop_token& hurry) {
        while (!hurry.stop_requested())
          std::this_thread::sleep_for(milliseconds(1));
        hurried = true;
      });
  queue.push(1);
  const auto began = clock::now();
  queue.close(milliseconds(50));
  EXPECT_TRUE(hurried);
  EXPECT_GE(clock::now() - began, milliseconds(50));
  EXPECT_LT(clock::now() - began, std::chrono::seconds(10));
}

TEST(BackgroundQueue, TakesNoSignals) {
  sigset_t mask;
  sigemptyset(&mask);
  background_queue<int> queue("test", 10,
                              [&](std::vector<int>&, const std::stop_token&) {
                                ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
                              });
  queue.push(1);
  queue.close(std::chrono::seconds(10));
  EXPECT_EQ(sigismember(&mask, SIGINT), 1);
  EXPECT_EQ(sigismember(&mask, SIGUSR1), 1);
  sigset_t own;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGINT), 0);
}

}  // namespace
}  // namespace nexus::tool
