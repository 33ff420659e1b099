// Reads once a second how the machine is doing, on a helper thread: under
// pressure the kernel may take its time. Engine thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <nexus/hardware.hpp>

#include "async/blocking_pool.hpp"
#include "engine/load_control.hpp"

namespace nexus {

class load_watch {
 public:
  // The loop outlives the pool, and no handler runs once this is gone. heard
  // is called on the loop with each reading, from a second after start() on.
  load_watch(boost::asio::io_context& loop, blocking_pool& pool,
             hardware_roots roots,
             std::function<void(const hwinfo::pressure_reading&)> heard);
  load_watch(const load_watch&) = delete;
  load_watch& operator=(const load_watch&) = delete;

  void start();
  void stop();

 private:
  void schedule();
  void read();

  boost::asio::io_context& loop_;
  blocking_pool& pool_;
  boost::asio::steady_timer timer_;
  const hardware_roots roots_;
  const std::function<void(const hwinfo::pressure_reading&)> heard_;
  bool watching_ = false;
  bool reading_ = false;  // one at a time, however long it takes
};

}  // namespace nexus
