#include "engine/heartbeat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace nexus {
namespace {

constexpr auto period = std::chrono::milliseconds(10);
constexpr std::uint64_t beats_per_tick = 10;
constexpr double first_bucket = 1.0 / 64000;

}  // namespace

heartbeat::heartbeat(boost::asio::io_context& loop, std::function<void()> tick)
    : timer_(loop), tick_(std::move(tick)) {}

heartbeat::~heartbeat() {
  if (schedstat_ >= 0) ::close(schedstat_);
}

void heartbeat::start() {
  if (beating_) return;
  beating_ = true;
  if (schedstat_ < 0)
    schedstat_ = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  waited_ = waited_for_processor();
  schedule();
}

void heartbeat::stop() {
  beating_ = false;
  timer_.cancel();
}

void heartbeat::schedule() {
  timer_.expires_after(period);
  timer_.async_wait([this](const boost::system::error_code& stopped) {
    if (stopped || !beating_) return;
    const std::chrono::duration<double> late =
        std::chrono::steady_clock::now() - timer_.expiry();
    const double waited = waited_for_processor();
    note(std::max(0.0, late.count() - (waited - waited_)));
    waited_ = waited;
    if (beats_ % beats_per_tick == 0) tick_();
    schedule();
  });
}

// Seconds since the thread began: the second number, in nanoseconds.
double heartbeat::waited_for_processor() {
  char text[96] = {};
  if (schedstat_ < 0 || ::pread(schedstat_, text, sizeof text - 1, 0) <= 0)
    return 0;
  const char* second = std::strchr(text, ' ');
  return second == nullptr ? 0 : std::strtod(second, nullptr) * 1e-9;
}

void heartbeat::note(double late_seconds) {
  ++beats_;
  max_ = std::max(max_, late_seconds);
  std::size_t bucket = 0;
  for (double limit = first_bucket;
       limit < late_seconds && bucket + 1 < buckets_.size(); limit *= 2)
    ++bucket;
  ++buckets_[bucket];
}

void heartbeat::report(telemetry& into) const {
  into.loop_beats = beats_;
  into.loop_stall_max_seconds = max_;
  std::uint64_t seen = 0;
  double limit = first_bucket;
  for (const std::uint64_t count : buckets_) {
    seen += count;
    if (seen * 100 >= beats_ * 99) break;
    limit *= 2;
  }
  into.loop_stall_p99_seconds = beats_ == 0 ? 0 : std::min(limit, max_);
}

}  // namespace nexus
