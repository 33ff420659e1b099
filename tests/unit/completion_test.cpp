// The way from a coroutine to a callback and back, above all where it ends
// before it has begun.
#include "async/completion.hpp"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

template <class Start>
task<std::string> outcome(Start start) {
  try {
    const int value = co_await suspend<int>(std::move(start));
    co_return std::to_string(value);
  } catch (const std::bad_alloc&) {
    co_return "out of memory";
  }
}

TEST(Completion, WhatTheStartThrowsIsThrownInTheCoroutine) {
  test_loop loop;
  auto start = [](completion<int>) { throw std::bad_alloc(); };
  EXPECT_EQ(loop.run(outcome(start)), "out of memory");
  auto after = [](completion<int> resume) { resume(7); };
  EXPECT_EQ(loop.run(outcome(after)), "7") << "the loop is of no use any more";
}

TEST(Completion, AlsoWhereWhatHeldItGoesWithTheException) {
  test_loop loop;
  auto start = [](completion<int> resume) {
    std::vector<std::shared_ptr<completion<int>>> kept;
    kept.push_back(std::make_shared<completion<int>>(std::move(resume)));
    throw std::bad_alloc();
  };
  EXPECT_EQ(loop.run(outcome(start)), "out of memory");
}

TEST(Completion, WhatWasHandedOnBeforeTheStartFailedStillResumes) {
  test_loop loop;
  completion<int> kept;
  auto start = [&kept](completion<int> resume) {
    kept = std::move(resume);
    throw std::bad_alloc();
  };
  std::optional<std::string> got;
  loop.start(outcome(start), &got);
  loop.settle();
  EXPECT_FALSE(got.has_value());
  kept(3);
  loop.settle();
  EXPECT_EQ(got, "3");
}

TEST(Completion, MayBeCalledFromWithinTheStartOrOnAnotherThread) {
  test_loop loop;
  std::thread helper;
  auto start = [&helper](completion<int> resume) {
    helper = std::thread(
        [mine = std::move(resume)]() mutable { std::exchange(mine, {})(5); });
    helper.join();
  };
  EXPECT_EQ(loop.run(outcome(start)), "5");
}

TEST(Completion, OneThatIsDroppedTakesTheCoroutineWithIt) {
  struct flag {
    bool& set;
    ~flag() { set = true; }
  };
  test_loop loop;
  bool gone = false;
  bool went_on = false;
  completion<int> kept;
  auto waiter = [](bool& ended, bool& on, completion<int>& keep) -> task<void> {
    const flag here{ended};
    auto start = [&keep](completion<int> resume) { keep = std::move(resume); };
    (void)co_await suspend<int>(std::move(start));
    on = true;
  };
  asio::co_spawn(loop.context, waiter(gone, went_on, kept), asio::detached);
  loop.settle();
  EXPECT_FALSE(gone);
  kept = {};
  loop.settle();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(went_on);

  // At once, too.
  gone = false;
  auto hasty = [](bool& ended) -> task<void> {
    const flag here{ended};
    auto start = [](completion<int>) {};
    (void)co_await suspend<int>(std::move(start));
  };
  asio::co_spawn(loop.context, hasty(gone), asio::detached);
  loop.settle();
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace nexus::test
