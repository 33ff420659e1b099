// A scope ends after all of its children, whatever became of them.
#include "async/scope.hpp"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

class Scope : public testing::Test {
 public:
  test_loop loop_;
  scope children_{loop_.context.get_executor()};
  wait_list gate_;
  int ended_ = 0;
  bool joined_ = false;
  std::vector<std::string> thrown_;

  static task<void> child(Scope& self, bool fail) {
    co_await self.gate_.wait();
    ++self.ended_;
    if (fail) throw std::runtime_error("child " + std::to_string(self.ended_));
  }
  void spawn(task<void> work) {
    children_.spawn(std::move(work), [this](std::exception_ptr thrown) {
      EXPECT_FALSE(joined_) << "told of the failure after join()";
      try {
        std::rethrow_exception(std::move(thrown));
      } catch (const std::exception& e) {
        thrown_.push_back(e.what());
      }
    });
  }
  void join() {
    auto parent = [](Scope& self) -> task<void> {
      co_await self.children_.join();
      self.joined_ = true;
    };
    asio::co_spawn(loop_.context, parent(*this), asio::detached);
    loop_.settle();
  }
  void open_gate() {
    gate_.notify_all();
    loop_.settle();
  }
};

TEST_F(Scope, AChildMayWaitForAllTheOthers) {
  bool alone = false;
  auto first = [](Scope& self, bool& on) -> task<void> {
    co_await self.children_.join_others();
    on = true;
  };
  spawn(first(*this, alone));
  spawn(child(*this, false));
  spawn(child(*this, true));
  join();
  EXPECT_FALSE(alone);
  EXPECT_FALSE(joined_);
  open_gate();
  EXPECT_TRUE(alone);
  EXPECT_TRUE(joined_);
  EXPECT_EQ(thrown_.size(), 1u);
}

TEST_F(Scope, WithoutChildrenIsJoinedAtOnce) {
  join();
  EXPECT_TRUE(joined_);
}

TEST_F(Scope, IsJoinedAfterTheLastChildAlone) {
  wait_list late;
  auto straggler = [](wait_list& on, int& ended) -> task<void> {
    co_await on.wait();
    ++ended;
  };
  for (int i = 0; i < 3; ++i) spawn(child(*this, false));
  spawn(straggler(late, ended_));
  join();
  EXPECT_FALSE(joined_);
  open_gate();
  EXPECT_EQ(ended_, 3);
  EXPECT_FALSE(joined_) << "a child was still running";
  late.notify_all();
  loop_.settle();
  EXPECT_EQ(ended_, 4);
  EXPECT_TRUE(joined_);
  EXPECT_TRUE(thrown_.empty());
}

TEST_F(Scope, AChildThatThrowsIsReportedAndTheOthersAreJoined) {
  wait_list late;
  auto straggler = [](wait_list& on, int& ended) -> task<void> {
    co_await on.wait();
    ++ended;
  };
  spawn(child(*this, false));
  spawn(child(*this, true));
  spawn(straggler(late, ended_));
  join();
  open_gate();
  EXPECT_EQ(thrown_, std::vector<std::string>{"child 2"});
  EXPECT_FALSE(joined_) << "the straggler was left behind";
  late.notify_all();
  loop_.settle();
  EXPECT_TRUE(joined_);
  EXPECT_EQ(ended_, 3);
}

TEST_F(Scope, ThatThrowThroughoutIsJoinedToo) {
  for (int i = 0; i < 3; ++i) spawn(child(*this, true));
  join();
  open_gate();
  EXPECT_TRUE(joined_);
  EXPECT_EQ(thrown_.size(), 3u);
}

TEST_F(Scope, AChildOfAChildIsJoinedAsWell) {
  auto parent = [](Scope& self) -> task<void> {
    self.spawn(child(self, false));
    co_return;
  };
  spawn(parent(*this));
  join();
  EXPECT_FALSE(joined_);
  open_gate();
  EXPECT_EQ(ended_, 1);
  EXPECT_TRUE(joined_);
}

// Between the last child's end and the parent's turn another one begins.
TEST_F(Scope, AChildThatComesAsTheLastOneGoesIsJoinedAsWell) {
  wait_list second_gate;
  auto second = [](wait_list& on, int& ended) -> task<void> {
    co_await on.wait();
    ++ended;
  };
  auto first = [](Scope& self) -> task<void> {
    co_await self.gate_.wait();
    ++self.ended_;
  };
  spawn(first(*this));
  join();
  gate_.notify_all();
  // Turn by turn, so that the new child is spawned right after the first one
  // has said that it is through.
  while (ended_ == 0) {
    loop_.context.restart();
    loop_.context.poll_one();
  }
  spawn(second(second_gate, ended_));
  loop_.settle();
  EXPECT_FALSE(joined_);
  second_gate.notify_all();
  loop_.settle();
  EXPECT_TRUE(joined_);
  EXPECT_EQ(ended_, 2);
}

}  // namespace
}  // namespace nexus::test
