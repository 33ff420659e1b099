#include "progress.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace nexus::tool {
namespace {

TEST(FormatBytes, HasThreeDigitsAndCarriesIntoTheNextUnit) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(10'234), "9.99 KiB");
  EXPECT_EQ(format_bytes(10'236), "10.0 KiB");
  EXPECT_EQ(format_bytes(102'348), "99.9 KiB");
  EXPECT_EQ(format_bytes(102'352), "100 KiB");
  EXPECT_EQ(format_bytes(1'048'063), "1023 KiB");
  EXPECT_EQ(format_bytes(1'048'064), "1.00 MiB");
  EXPECT_EQ(format_bytes(1ull << 30), "1.00 GiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()),
            "16.0 EiB");
}

TEST(FormatDuration, RoundsUpToWholeSeconds) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(0.01), "0:01");
  EXPECT_EQ(format_duration(59.5), "1:00");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3723), "1:02:03");
}

TEST(FormatDuration, SurvivesWhatNoRunTakes) {
  EXPECT_EQ(format_duration(-5), "0:00");
  EXPECT_EQ(format_duration(1e300), "99999:00:00");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()),
            "99999:00:00");
}

TEST(RateEstimator, SaysNothingBeforeTwoSamplesApart) {
  rate_estimator rate;
  EXPECT_FALSE(rate.bytes_per_second());
  rate.add(1.0, 500);
  EXPECT_FALSE(rate.bytes_per_second());
  rate.add(1.0, 900);  // no time has passed
  EXPECT_FALSE(rate.bytes_per_second());
}

TEST(RateEstimator, TellsAnEvenRateFromTheFirstIntervalOn) {
  rate_estimator rate;
  for (int i = 0; i <= 50; ++i) {
    rate.add(i * 0.1, static_cast<std::uint64_t>(i) * 1000);
    if (i == 0) continue;
    EXPECT_NEAR(*rate.bytes_per_second(), 10'000, 0.1) << i;
  }
}

TEST(RateEstimator, StartsAtTheFirstSampleNotAtZero) {
  rate_estimator rate;
  rate.add(100, 1'000'000);
  rate.add(101, 1'000'100);
  EXPECT_NEAR(*rate.bytes_per_second(), 100, 0.01);
}

TEST(RateEstimator, ForgetsAnOldRateWithinSomeSeconds) {
  rate_estimator rate;
  double now = 0;
  std::uint64_t bytes = 0;
  for (int i = 0; i < 100; ++i) rate.add(now += 0.1, bytes += 1000);
  const double before = *rate.bytes_per_second();
  rate.add(now += 0.1, bytes);
  EXPECT_GT(*rate.bytes_per_second(), before * 0.9);  // one stall is smoothed
  for (int i = 0; i < 150; ++i) rate.add(now += 0.1, bytes);
  EXPECT_LT(*rate.bytes_per_second(), before * 0.05);
}

TEST(RateEstimator, TakesNoFallForProgress) {
  rate_estimator rate;
  rate.add(0, 1000);
  rate.add(1, 2000);
  rate.add(2, 500);
  EXPECT_NEAR(*rate.bytes_per_second(), 1000, 0.1);
}

progress_view half_way() {
  return {"encrypt", 4, 1ull << 30, 2ull << 30, 512.0 * (1 << 20)};
}

TEST(FormatProgress, ShowsBarNumbersRateAndTimeLeft) {
  EXPECT_EQ(format_progress(half_way(), 80),
            "encrypt  50% [========>       ] 1.00 GiB of 2.00 GiB, 512 MiB/s, "
            "0:02 left");
}

TEST(FormatProgress, LeavesTheBarOutWhereItDoesNotFit) {
  EXPECT_EQ(format_progress(half_way(), 71),
            "encrypt  50% 1.00 GiB of 2.00 GiB, 512 MiB/s, 0:02 left");
}

TEST(FormatProgress, IsAlwaysShorterThanTheTerminal) {
  for (unsigned columns = 0; columns < 200; ++columns) {
    const std::string line = format_progress(half_way(), columns);
    EXPECT_LT(line.size(), std::max(columns, 2u)) << columns;
  }
}

TEST(FormatProgress, SaysWhatThereIsWithoutATotal) {
  progress_view view = half_way();
  view.total_bytes.reset();
  EXPECT_EQ(format_progress(view, 80), "encrypt 1.00 GiB, 512 MiB/s, 0:04");
  view.bytes_per_second.reset();
  EXPECT_EQ(format_progress(view, 80), "encrypt 1.00 GiB, 0:04");
}

TEST(FormatProgress, DoesNotDivideByAMissingRateOrTotal) {
  progress_view view = half_way();
  view.bytes_per_second = 0;
  EXPECT_EQ(format_progress(view, 60), "encrypt  50% 1.00 GiB of 2.00 GiB");
  view.total_bytes = 0;
  view.bytes = 0;
  EXPECT_EQ(format_progress(view, 60), "encrypt 100% 0 B of 0 B");
}

TEST(FormatProgress, StopsAtOneHundredWhereTheInputGrew) {
  progress_view view = half_way();
  view.bytes = 3ull << 30;
  EXPECT_EQ(format_progress(view, 60),
            "encrypt 100% 3.00 GiB of 3.00 GiB, 512 MiB/s");
}

TEST(FormatProgress, ReachesOneHundredOnlyAtTheEnd) {
  progress_view view = half_way();
  view.bytes = *view.total_bytes - 1;
  EXPECT_EQ(format_progress(view, 20).substr(0, 12), "encrypt  99%");
  view.bytes = *view.total_bytes;
  EXPECT_EQ(format_progress(view, 20).substr(0, 12), "encrypt 100%");
}

TEST(FormatProgress, KeepsTheBarsLengthWhileNumbersChange) {
  progress_view view = half_way();
  const auto end = [&view] { return format_progress(view, 80).find(']'); };
  const auto expected = end();
  view.bytes = 1'000;
  EXPECT_EQ(end(), expected);
  view.bytes_per_second = 1;
  EXPECT_EQ(end(), expected);
  view.bytes = *view.total_bytes;
  EXPECT_EQ(end(), expected);
}

}  // namespace
}  // namespace nexus::tool
