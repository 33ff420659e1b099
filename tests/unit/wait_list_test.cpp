// Coroutines that wait for one another, on a loop that the test turns itself.
#include "async/wait_list.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/detached.hpp>
#include <numeric>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WaitList : public testing::Test {
 public:
  test_loop loop_;
  wait_list list_;
  std::vector<int> log_;

  void wait_once(int number) {
    auto waiter = [](WaitList& self, int mine) -> task<void> {
      co_await self.list_.wait();
      self.log_.push_back(mine);
    };
    asio::co_spawn(loop_.context, waiter(*this, number), asio::detached);
    loop_.settle();
  }
};

TEST_F(WaitList, NobodyGoesOnBeforeTheyAreNotified) {
  wait_once(1);
  loop_.settle();
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_FALSE(list_.empty());
}

TEST_F(WaitList, FirstComeFirstResumed) {
  for (const int number : {3, 1, 2}) wait_once(number);
  list_.notify_all();
  EXPECT_TRUE(list_.empty());
  EXPECT_THAT(log_, IsEmpty()) << "resumed inside of notify_all";
  loop_.settle();
  EXPECT_THAT(log_, ElementsAre(3, 1, 2));
}

TEST_F(WaitList, ANotificationIsNotKeptForThoseWhoComeLater) {
  list_.notify_all();
  wait_once(1);
  EXPECT_THAT(log_, IsEmpty());
  list_.notify_all();
  loop_.settle();
  EXPECT_THAT(log_, ElementsAre(1));
}

TEST_F(WaitList, WhoWaitsAgainNeedsAnotherNotification) {
  auto twice = [](WaitList& self) -> task<void> {
    co_await self.list_.wait();
    self.log_.push_back(1);
    co_await self.list_.wait();
    self.log_.push_back(2);
  };
  asio::co_spawn(loop_.context, twice(*this), asio::detached);
  loop_.settle();
  list_.notify_all();
  loop_.settle();
  EXPECT_THAT(log_, ElementsAre(1));
  list_.notify_all();
  loop_.settle();
  EXPECT_THAT(log_, ElementsAre(1, 2));
}

class Turnstile : public testing::Test {
 public:
  test_loop loop_;
  turnstile turns_;
  std::vector<int> through_;
  std::vector<int> away_;

  void come(int number) {
    auto visitor = [](Turnstile& self, int mine) -> task<void> {
      const bool my_turn =
          co_await self.turns_.wait(static_cast<std::uint64_t>(mine));
      (my_turn ? self.through_ : self.away_).push_back(mine);
      if (my_turn) self.turns_.advance();
    };
    asio::co_spawn(loop_.context, visitor(*this, number), asio::detached);
  }
};

TEST_F(Turnstile, AnyOrderOfArrivalGivesTheOrderOfTheNumbers) {
  for (int window = 1; window <= 5; ++window) {
    std::vector<int> arrival(static_cast<std::size_t>(window));
    std::iota(arrival.begin(), arrival.end(), 0);
    const std::vector<int> sorted = arrival;
    do {
      for (const bool one_by_one : {false, true}) {
        turns_ = turnstile();
        through_.clear();
        for (const int number : arrival) {
          come(number);
          if (one_by_one) loop_.settle();
        }
        loop_.settle();
        ASSERT_EQ(through_, sorted) << testing::PrintToString(arrival);
        ASSERT_THAT(away_, IsEmpty());
      }
    } while (std::next_permutation(arrival.begin(), arrival.end()));
  }
}

TEST_F(Turnstile, NobodyPassesWhileTheOneBeforeHoldsTheTurn) {
  auto holder = [](turnstile& turns) -> task<bool> {
    co_return co_await turns.wait(0);
  };
  EXPECT_TRUE(loop_.run(holder(turns_)));
  come(1);
  come(2);
  loop_.settle();
  EXPECT_THAT(through_, IsEmpty());
  turns_.advance();
  loop_.settle();
  EXPECT_THAT(through_, ElementsAre(1, 2));
}

TEST_F(Turnstile, AGapHoldsUpWhoeverComesBehindIt) {
  for (const int number : {0, 1, 3, 4}) come(number);
  loop_.settle();
  EXPECT_THAT(through_, ElementsAre(0, 1));
  come(2);
  loop_.settle();
  EXPECT_THAT(through_, ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(Turnstile, OpeningItTurnsEveryoneAway) {
  for (const int number : {2, 5, 3}) come(number);
  loop_.settle();
  turns_.open();
  loop_.settle();
  EXPECT_THAT(through_, IsEmpty());
  EXPECT_THAT(away_, testing::UnorderedElementsAre(2, 3, 5));
  for (const int number : {0, 1, 4}) come(number);
  loop_.settle();
  EXPECT_THAT(through_, IsEmpty()) << "someone came through afterwards";
  EXPECT_THAT(away_, testing::SizeIs(6));
}

TEST_F(Turnstile, OpeningItWithinATurnTurnsAwayThoseBehindAlone) {
  auto last = [](Turnstile& self) -> task<void> {
    const bool my_turn = co_await self.turns_.wait(0);
    if (my_turn) self.through_.push_back(0);
    self.turns_.open();
  };
  come(1);
  asio::co_spawn(loop_.context, last(*this), asio::detached);
  loop_.settle();
  EXPECT_THAT(through_, ElementsAre(0));
  EXPECT_THAT(away_, ElementsAre(1));
}

}  // namespace
}  // namespace nexus::test
