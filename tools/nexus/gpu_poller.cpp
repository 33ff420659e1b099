#include "gpu_poller.hpp"

#include <chrono>

#include "gpu_look.hpp"

namespace nexus::queue {

gpu_poller::gpu_poller(config rules)
    : rules_(std::move(rules)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void gpu_poller::set_rules(config rules) {
  const std::lock_guard guard(mutex_);
  rules_ = std::move(rules);
  asked_ = true;
  wake_.notify_all();
}

void gpu_poller::look_now() {
  const std::lock_guard guard(mutex_);
  asked_ = true;
  wake_.notify_all();
}

bool gpu_poller::take(gpu_snapshot& into) {
  const std::lock_guard guard(mutex_);
  if (!fresh_) return false;
  into = latest_;
  fresh_ = false;
  return true;
}

void gpu_poller::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    asked_ = false;
    const config rules = rules_;
    lock.unlock();
    gpu_snapshot seen = look_at_gpus(rules, stop);
    lock.lock();
    latest_ = std::move(seen);
    fresh_ = true;
    wake_.wait_for(lock, stop,
                   std::chrono::duration<double>(rules_.poll_seconds),
                   [this] { return asked_; });
  }
}

}  // namespace nexus::queue
