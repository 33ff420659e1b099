#include "engine/rate_model.hpp"

#include <algorithm>

namespace nexus {

namespace {

constexpr double decay = 0.8;  // of a sample's weight, per later sample
constexpr double outlier = 2;
constexpr double shortest = 1e-9;  // seconds; keeps the weights finite
// Relative spread of the sizes below which a slope would be fitted to noise.
constexpr double least_spread = 0.25;

}  // namespace

rate_model::rate_model(const rate_prior& prior)
    : prior_(prior),
      overhead_(prior.overhead),
      slope_(prior.seconds_per_byte) {}

double rate_model::prior_seconds(std::uint64_t bytes) const {
  return prior_.overhead + prior_.seconds_per_byte * static_cast<double>(bytes);
}

double rate_model::generous_seconds(std::uint64_t size) const {
  if (size <= largest_) return seconds(std::max(size, smallest_));
  const double times =
      static_cast<double>(size) / static_cast<double>(largest_ + 1);
  return std::max(seconds(size), seconds(largest_) * times);
}

void rate_model::add(const rate_sample& sample) {
  const double seconds = std::max(sample.ended - sample.began, shortest);
  const double bytes = static_cast<double>(sample.bytes);
  const bool first = !measured();
  const bool known = knows(sample.bytes);
  updated_ = sample.ended;
  smallest_ = first ? sample.bytes : std::min(smallest_, sample.bytes);
  largest_ = std::max(largest_, sample.bytes);
  if (first) rescale(seconds / std::max(this->seconds(sample.bytes), shortest));
  if (!known) {
    fold(bytes, seconds);
    return;
  }
  const double expected = std::max(this->seconds(sample.bytes), shortest);
  const double ratio = seconds / expected;
  if (ratio <= outlier && ratio >= 1 / outlier) {
    suspicion_ = trend::none;
    fold(bytes, seconds);
  } else if (accept_outlier(sample, ratio)) {
    const double now = std::max(this->seconds(sample.bytes), shortest);
    fold(bytes, std::clamp(seconds, now / outlier, now * outlier));
  }
}

// False: the sample repeats what is already suspected, and adds nothing.
bool rate_model::accept_outlier(const rate_sample& sample, double ratio) {
  const trend direction = ratio > 1 ? trend::slower : trend::faster;
  const bool slower = direction == trend::slower;
  if (!slower && sample.began <= sample.placed) {
    rescale(ratio);
    suspicion_ = trend::none;
    return true;
  }
  if (suspicion_ != direction) {
    suspicion_ = direction;
    suspected_ratio_ = ratio;
    suspected_at_ = sample.ended;
    return true;
  }
  // Of completions that are reported together all but the first look instant,
  // so that a faster device shows on a job placed after the suspicion only.
  if ((slower ? sample.began : sample.placed) < suspected_at_) return false;
  rescale(slower ? std::min(ratio, suspected_ratio_)
                 : std::max(ratio, suspected_ratio_));
  suspicion_ = trend::none;
  return true;
}

void rate_model::rescale(double factor) {
  overhead_ *= factor;
  slope_ *= factor;
  sum_t_ *= factor;
  sum_nt_ *= factor;
}

void rate_model::fold(double bytes, double seconds) {
  const double expected = std::max(overhead_ + slope_ * bytes, shortest);
  const double w = 1 / (expected * expected);
  weight_ = weight_ * decay + w;
  sum_n_ = sum_n_ * decay + w * bytes;
  sum_nn_ = sum_nn_ * decay + w * bytes * bytes;
  sum_t_ = sum_t_ * decay + w * seconds;
  sum_nt_ = sum_nt_ * decay + w * bytes * seconds;
  fit();
}

void rate_model::fit() {
  const double n = sum_n_ / weight_;
  const double t = sum_t_ / weight_;
  const double variance = sum_nn_ / weight_ - n * n;
  if (variance <= least_spread * least_spread * n * n) {
    // All of one size: nothing tells overhead from rate, so both scale.
    const double expected = std::max(overhead_ + slope_ * n, shortest);
    overhead_ *= t / expected;
    slope_ *= t / expected;
    return;
  }
  slope_ = (sum_nt_ / weight_ - n * t) / variance;
  slope_ = std::clamp(slope_, 0.0, t / n);
  overhead_ = t - slope_ * n;
}

}  // namespace nexus
