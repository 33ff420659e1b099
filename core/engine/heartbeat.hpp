// Measures how late the engine's thread serves a timer, as a proxy for how
// late it serves everything else. Engine thread only.
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

  void start();
  void stop();
  void report(telemetry& into) const;

 private:
  void schedule();
  void note(double late_seconds);

  boost::asio::steady_timer timer_;
  std::function<void()> tick_;
  bool beating_ = false;
  std::uint64_t beats_ = 0;
  double max_ = 0;
  // Beats by lateness: bucket i holds those below 2^i * 15.625 microseconds.
  std::array<std::uint64_t, 24> buckets_{};
};

}  // namespace nexus
