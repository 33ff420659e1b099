// What the model makes of samples: lines, noise, spikes and changes.
#include "engine/rate_model.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nexus {
namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr rate_prior prior{20e-6, 1e-9};

// Feeds jobs that follow one another, none of them queued.
class feeder {
 public:
  explicit feeder(rate_model& model) : model_(model) {}

  void run(std::uint64_t bytes, double seconds, int times = 1) {
    for (; times > 0; --times) {
      model_.add({bytes, now_, now_, now_ + seconds});
      now_ += seconds;
    }
  }
  [[nodiscard]] double now() const { return now_; }

 private:
  rate_model& model_;
  double now_ = 1;
};

TEST(RateModel, GoesByThePriorUntilMeasured) {
  const rate_model model(prior);
  EXPECT_FALSE(model.measured());
  EXPECT_FALSE(model.knows(mib));
  EXPECT_DOUBLE_EQ(model.seconds(mib), 20e-6 + 1e-9 * mib);
}

TEST(RateModel, BelievesTheFirstSample) {
  rate_model model(prior);
  feeder(model).run(4 * mib, 100);  // 25000 times the prior
  EXPECT_TRUE(model.measured());
  EXPECT_NEAR(model.seconds(4 * mib), 100, 1e-6);
}

TEST(RateModel, TellsOverheadFromRateOnceSizesDiffer) {
  rate_model model(prior);
  feeder feed(model);
  for (int i = 0; i < 20; ++i) {
    for (const std::uint64_t n : {1 * mib, 16 * mib, 4 * mib}) {
      feed.run(n, 0.002 + static_cast<double>(n) / 5e9);
    }
  }
  EXPECT_NEAR(model.seconds(0), 0.002, 1e-5);
  EXPECT_NEAR(model.seconds(64 * mib), 0.002 + 64.0 * mib / 5e9, 1e-4);
}

TEST(RateModel, KnowsOnlySizesNearThoseItSaw) {
  rate_model model(prior);
  feeder(model).run(4 * mib, 0.01);
  EXPECT_TRUE(model.knows(16 * mib));
  EXPECT_TRUE(model.knows(1 * mib));
  EXPECT_FALSE(model.knows(64 * mib));
  EXPECT_FALSE(model.knows(64 * 1024));
}

TEST(RateModel, TakesAnUnseenSizeAtItsWord) {
  rate_model model(prior);
  feeder feed(model);
  feed.run(64 * 1024, 0.001, 5);
  ASSERT_GT(model.seconds(64 * mib), 0.5);
  feed.run(64 * mib, 0.1);
  EXPECT_NEAR(model.seconds(64 * mib), 0.1, 0.01);
  EXPECT_NEAR(model.seconds(64 * 1024), 0.001, 0.0002);
}

TEST(RateModel, AveragesNoise) {
  rate_model model(prior);
  feeder feed(model);
  std::mt19937 random(3);
  std::uniform_real_distribution<double> factor(0.7, 1.3);
  for (int i = 0; i < 200; ++i) feed.run(4 * mib, 0.01 * factor(random));
  EXPECT_NEAR(model.seconds(4 * mib), 0.01, 0.0015);
}

TEST(RateModel, OneSpikeDoesNotPoisonIt) {
  rate_model model(prior);
  feeder feed(model);
  feed.run(4 * mib, 0.01, 10);
  feed.run(4 * mib, 5.0);
  EXPECT_LT(model.seconds(4 * mib), 0.013);
  feed.run(4 * mib, 0.01, 5);
  EXPECT_NEAR(model.seconds(4 * mib), 0.01, 0.001);
}

TEST(RateModel, LanesThatOneHiccupHeldUpAreOnePieceOfEvidence) {
  rate_model model(prior);
  feeder feed(model);
  feed.run(4 * mib, 0.01, 10);
  const double t = feed.now();
  for (int lane = 0; lane < 16; ++lane) {
    model.add({4 * mib, t, t, t + 1 + lane * 1e-3});
  }
  EXPECT_LT(model.seconds(4 * mib), 0.013);
}

TEST(RateModel, BelievesASlowdownOnTheSecondIndependentSample) {
  rate_model model(prior);
  feeder feed(model);
  feed.run(4 * mib, 0.01, 10);
  feed.run(4 * mib, 0.1, 2);
  EXPECT_GT(model.seconds(4 * mib), 0.07);
  feed.run(4 * mib, 0.1, 8);
  EXPECT_NEAR(model.seconds(4 * mib), 0.1, 0.01);
}

TEST(RateModel, BelievesASpeedupOfAJobThatDidNotQueue) {
  rate_model model(prior);
  feeder feed(model);
  feed.run(4 * mib, 0.1, 10);
  feed.run(4 * mib, 0.001);
  EXPECT_NEAR(model.seconds(4 * mib), 0.001, 0.0005);
}

TEST(RateModel, CompletionsReportedTogetherDoNotLookInstant) {
  rate_model model(prior);
  double t = 1;
  // Three jobs each time, placed together and all reported at the end.
  for (int i = 0; i < 20; ++i) {
    model.add({4 * mib, t, t, t + 0.03});
    model.add({4 * mib, t, t + 0.03, t + 0.03});
    model.add({4 * mib, t, t + 0.03, t + 0.03});
    t += 0.03;
  }
  EXPECT_GT(model.seconds(4 * mib), 0.005);
  EXPECT_LT(model.seconds(4 * mib), 0.03);
}

TEST(RateModel, SurvivesZeroBytesAndZeroSeconds) {
  rate_model model(prior);
  for (int i = 0; i < 10; ++i) model.add({0, 1, 1, 1});
  EXPECT_GE(model.seconds(0), 0);
  EXPECT_LT(model.seconds(mib), 1e300);
  feeder(model).run(mib, 0.01, 4);
  EXPECT_GT(model.seconds(mib), 0.001);
  EXPECT_LT(model.seconds(mib), 0.1);
}

}  // namespace
}  // namespace nexus
