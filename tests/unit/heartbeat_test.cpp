// How late the loop serves a timer, told by a loop that is late on purpose.
#include "engine/heartbeat.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;

class Heartbeat : public testing::Test {
 public:
  telemetry report() const {
    telemetry t;
    beat_.report(t);
    return t;
  }
  bool until_beats(std::uint64_t n) {
    return loop_.until([this, n] { return report().loop_beats >= n; });
  }
  // Keeps the loop from serving anything.
  void stall(std::chrono::milliseconds time) {
    asio::post(loop_.context, [time] { std::this_thread::sleep_for(time); });
  }

  test_loop loop_;
  int ticks_ = 0;
  heartbeat beat_{loop_.context, [this] { ++ticks_; }};
};

TEST_F(Heartbeat, NothingBeatsBeforeItIsStarted) {
  loop_.spin(30ms);
  const telemetry t = report();
  EXPECT_EQ(t.loop_beats, 0u);
  EXPECT_EQ(t.loop_stall_p99_seconds, 0.0);
  EXPECT_EQ(t.loop_stall_max_seconds, 0.0);
}

TEST_F(Heartbeat, BeatsEveryTenMillisecondsAtMost) {
  const auto begin = std::chrono::steady_clock::now();
  beat_.start();
  ASSERT_TRUE(until_beats(10));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 99ms);
}

TEST_F(Heartbeat, TicksWithEveryTenthBeat) {
  beat_.start();
  ASSERT_TRUE(until_beats(9));
  EXPECT_EQ(ticks_, 0);
  ASSERT_TRUE(until_beats(25));
  EXPECT_EQ(ticks_, static_cast<int>(report().loop_beats / 10));
}

TEST_F(Heartbeat, AStallIsSeen) {
  beat_.start();
  ASSERT_TRUE(until_beats(2));
  stall(150ms);
  ASSERT_TRUE(until_beats(4));
  EXPECT_GE(report().loop_stall_max_seconds, 0.139);
  EXPECT_LT(report().loop_stall_max_seconds, 10.0);
}

// One beat in two hundred is late: the largest tells, the 99th percentile not.
TEST_F(Heartbeat, OneStallDoesNotMoveThePercentile) {
  beat_.start();
  ASSERT_TRUE(until_beats(2));
  stall(200ms);
  ASSERT_TRUE(until_beats(4));
  telemetry t = report();
  EXPECT_EQ(t.loop_stall_p99_seconds, t.loop_stall_max_seconds)
      << "of four beats one is more than one in a hundred";
  ASSERT_TRUE(until_beats(250));
  t = report();
  EXPECT_GE(t.loop_stall_max_seconds, 0.18);
  EXPECT_LT(t.loop_stall_p99_seconds, t.loop_stall_max_seconds);
}

TEST_F(Heartbeat, StopsAndStartsAgain) {
  beat_.start();
  ASSERT_TRUE(until_beats(3));
  beat_.stop();
  loop_.settle();
  const auto before = report().loop_beats;
  loop_.spin(50ms);
  EXPECT_EQ(report().loop_beats, before);
  beat_.start();
  ASSERT_TRUE(until_beats(before + 2));
}

TEST_F(Heartbeat, StartedTwiceItBeatsOnce) {
  const auto begin = std::chrono::steady_clock::now();
  beat_.start();
  beat_.start();
  beat_.stop();
  beat_.start();
  ASSERT_TRUE(until_beats(12));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 119ms);
}

TEST_F(Heartbeat, MayBeStoppedFromItsTick) {
  heartbeat* self = nullptr;
  int ticks = 0;
  heartbeat once(loop_.context, [&] {
    ++ticks;
    self->stop();
  });
  self = &once;
  once.start();
  ASSERT_TRUE(loop_.until([&ticks] { return ticks > 0; }));
  loop_.spin(150ms);
  EXPECT_EQ(ticks, 1);
  telemetry t;
  once.report(t);
  EXPECT_EQ(t.loop_beats, 10u);
}

TEST_F(Heartbeat, MayGoWhileTheLoopRunsOn) {
  {
    heartbeat brief(loop_.context, [] {});
    brief.start();
    loop_.spin(15ms);
  }
  loop_.spin(30ms);
}

}  // namespace
}  // namespace nexus::test
