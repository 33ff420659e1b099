// Measures how late the engine's thread serves a timer, as a proxy for how
// late it serves everything else. What the thread spent waiting for a processor
// is taken off where the kernel tells (/proc/thread-self/schedstat): that is
// the machine's doing, not ours. Engine thread only.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <nexus/telemetry.hpp>

namespace nexus {

class heartbeat {
 public:
  // tick is called about every 100 ms while the heart beats.
  heartbeat(boost::asio::io_context& loop, std::function<void()> tick);

  ~heartbeat();
  heartbeat(const heartbeat&) = delete;
  heartbeat& operator=(const heartbeat&) = delete;

  void start();
  void stop();
  void report(telemetry& into) const;

 private:
  void schedule();
  void note(double late_seconds);
  double waited_for_processor();

  boost::asio::steady_timer timer_;
  std::function<void()> tick_;
  bool beating_ = false;
  int schedstat_ = -1;
  double waited_ = 0;  // for a processor, until the beat before
  std::uint64_t beats_ = 0;
  double max_ = 0;
  // Beats by lateness: bucket i holds those below 2^i * 15.625 microseconds.
  std::array<std::uint64_t, 24> buckets_{};
};

}  // namespace nexus
