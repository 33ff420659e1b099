#include "engine/load_watch.hpp"

#include <boost/asio/post.hpp>
#include <chrono>
#include <optional>
#include <utility>

namespace nexus {
namespace {

constexpr auto period = std::chrono::seconds(1);

}  // namespace

load_watch::load_watch(
    boost::asio::io_context& loop, blocking_pool& pool, hardware_roots roots,
    std::function<void(const hwinfo::pressure_reading&)> heard)
    : loop_(loop),
      pool_(pool),
      timer_(loop),
      roots_(std::move(roots)),
      heard_(std::move(heard)) {}

void load_watch::start() {
  if (watching_) return;
  watching_ = true;
  schedule();
}

void load_watch::stop() {
  watching_ = false;
  timer_.cancel();
}

void load_watch::schedule() {
  timer_.expires_after(period);
  timer_.async_wait([this](const boost::system::error_code& stopped) {
    if (stopped || !watching_) return;
    if (!reading_) read();
    schedule();
  });
}

// The helper touches nothing of this object: it may be gone by then.
void load_watch::read() {
  auto look = [this, &loop = loop_, roots = roots_] {
    std::optional<hwinfo::pressure_reading> now;
    try {
      now = hwinfo::read_pressure(roots);
    } catch (...) {
      // No memory to read with: nothing is changed.
    }
    boost::asio::post(loop, [this, now = std::move(now)] {
      reading_ = false;
      if (watching_ && now) heard_(*now);
    });
  };
  reading_ = true;
  try {
    pool_.post(std::move(look));
  } catch (...) {
    reading_ = false;  // no thread for it; a second later there may be one
  }
}

}  // namespace nexus
