#include "engine/device_health.hpp"

#include <algorithm>
#include <cmath>

namespace nexus {

namespace {

struct backoff {
  double first;
  double limit;
};

constexpr backoff brief_backoff{0.010, 0.100};

backoff backoff_of(fault_kind kind) {
  switch (kind) {
    case fault_kind::none:
    case fault_kind::no_memory:
      return {0.050, 2};
    case fault_kind::crashed:
      return {0.1, 5};
    case fault_kind::failed:
      return {1, 60};
    case fault_kind::lost:
      return {30, 600};
  }
  return brief_backoff;
}

double pause(const backoff& b, int strikes) {
  return std::min(b.limit, std::ldexp(b.first, std::min(strikes, 30)));
}

}  // namespace

void device_health::fault(fault_kind kind, double now, bool last, bool probe) {
  if (active() && !probe && kind <= kind_) return;
  if (kind == fault_kind::crashed && crashes_again(now))
    kind = fault_kind::lost;
  strikes_ = kind == kind_ ? strikes_ + 1 : 0;
  kind_ = kind;
  brief_ = last;
  const double brief = pause(brief_backoff, strikes_);
  until_ = now + (last ? brief : pause(backoff_of(kind), strikes_));
  retry_at_ = std::min(until_, now + brief);
}

// More than three times in ten seconds, this one included.
bool device_health::crashes_again(double now) {
  constexpr double while_long = 10;
  std::rotate(crashes_.begin(), crashes_.end() - 1, crashes_.end());
  crashes_.front() = now;
  return now - crashes_.back() <= while_long;
}

void device_health::end_probe(bool well) {
  if (!probing_) return;
  probing_ = false;
  if (!well) return;
  const auto crashes = crashes_;
  *this = device_health{};
  crashes_ = crashes;
}

void device_health::stay_away(double now, bool last) {
  if (!probing_) return;
  probing_ = false;
  fault(kind_, now, last, true);
}

}  // namespace nexus
