// How long a device takes for one operation, learned while it works:
// seconds = overhead + bytes * seconds_per_byte.
#pragma once

#include <cstdint>

namespace nexus {

struct rate_prior {
  double overhead = 0;          // seconds
  double seconds_per_byte = 0;  // of one lane
};

// One finished job. Times in seconds on the scheduler's clock.
struct rate_sample {
  std::uint64_t bytes = 0;
  double placed = 0;  // in the lane's queue
  double began = 0;   // when the job before it had ended; >= placed
  double ended = 0;
};

// An exponentially weighted least-squares line. Robust: a sample off by more
// than a factor of two counts as off by two, and only a second one that began
// after the first had ended moves the model all the way: lanes that one hiccup
// held up together are one piece of evidence, not many. A job that did not
// queue and was quicker than thought is believed at once.
class rate_model {
 public:
  rate_model() = default;
  explicit rate_model(const rate_prior& prior);

  void add(const rate_sample& sample);

  // Expected seconds; by the prior as long as nothing was measured.
  [[nodiscard]] double seconds(std::uint64_t size) const {
    return overhead_ + slope_ * static_cast<double>(size);
  }
  [[nodiscard]] double prior_seconds(std::uint64_t size) const;
  [[nodiscard]] bool measured() const { return weight_ > 0; }
  // Measured on sizes like this; otherwise seconds() is a long shot.
  [[nodiscard]] bool knows(std::uint64_t size) const {
    return measured() && size / reach <= largest_ && smallest_ / reach <= size;
  }
  // A guess on the safe side also for sizes that are far from those measured:
  // no less than the smallest took, or in proportion to what the largest took.
  [[nodiscard]] double generous_seconds(std::uint64_t size) const;
  // When the last sample came in.
  [[nodiscard]] double updated() const { return updated_; }

 private:
  enum class trend { none, slower, faster };
  static constexpr std::uint64_t reach = 4;

  bool accept_outlier(const rate_sample& sample, double ratio);
  void rescale(double factor);
  void fold(double bytes, double seconds);
  void fit();

  rate_prior prior_;
  double overhead_ = 0;
  double slope_ = 0;
  double updated_ = 0;
  std::uint64_t smallest_ = 0;  // bytes measured
  std::uint64_t largest_ = 0;

  trend suspicion_ = trend::none;
  double suspected_ratio_ = 1;
  double suspected_at_ = 0;

  // Decayed sums over the samples, each weighted by 1 / expectation squared,
  // so that small jobs count as much as large ones.
  double weight_ = 0;
  double sum_n_ = 0;
  double sum_nn_ = 0;
  double sum_t_ = 0;
  double sum_nt_ = 0;
};

}  // namespace nexus
