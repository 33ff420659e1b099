// When a device that failed may be asked again.
#pragma once

#include <array>

namespace nexus {

// crashed: its process died, and another can be started.
enum class fault_kind { none, no_memory, crashed, failed, lost };

// Quarantine with exponential back-off; after it the device is asked how it is,
// and a single job probes it. Times in seconds on the scheduler's clock.
class device_health {
 public:
  // last: no other device could take over, so that this one pauses briefly.
  // probe: the job was one. Others were under way at the first fault already,
  // and prolong nothing unless theirs is worse.
  void fault(fault_kind kind, double now, bool last, bool probe);
  void begin_probe() { probing_ = active(); }
  // Precedes fault(). Well: all is forgiven.
  void end_probe(bool well);
  // Instead of a probe: it says itself that it is not well yet. last: as above.
  void stay_away(double now, bool last);

  [[nodiscard]] bool active() const { return kind_ != fault_kind::none; }
  [[nodiscard]] bool probing() const { return probing_; }
  [[nodiscard]] bool quarantined() const {
    return kind_ > fault_kind::crashed && !brief_;
  }
  // The end of the quarantine or back-off.
  [[nodiscard]] double until() const { return until_; }
  // From when on it may be asked if no other device is left; <= until().
  [[nodiscard]] double retry_at() const { return retry_at_; }

 private:
  fault_kind kind_ = fault_kind::none;
  bool brief_ = false;
  bool probing_ = false;
  int strikes_ = 0;
  double until_ = 0;
  double retry_at_ = 0;
  // When its process last died, the latest first: not forgiven with the rest.
  std::array<double, 4> crashes_ = {never, never, never, never};

  static constexpr double never = -1e18;
  [[nodiscard]] bool crashes_again(double now);
};

}  // namespace nexus
