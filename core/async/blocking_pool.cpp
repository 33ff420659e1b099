#include "async/blocking_pool.hpp"

#include <system_error>

#include "async/thread_setup.hpp"

namespace nexus {

blocking_pool::blocking_pool(std::size_t max_threads, const char* name)
    : max_threads_(max_threads), name_(name) {}

blocking_pool::~blocking_pool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void blocking_pool::reserve(std::size_t threads) {
  const std::lock_guard lock(mutex_);
  while (threads_.size() < threads) threads_.emplace_back([this] { serve(); });
}

void blocking_pool::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    // Every queued piece of work should have a thread of its own to count on.
    if (queue_.size() >= idle_ && threads_.size() < max_threads_) {
      try {
        threads_.emplace_back([this] { serve(); });
      } catch (const std::system_error&) {
        // One of those that there are will come to it.
        if (threads_.empty()) throw;
      }
    }
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void blocking_pool::serve() {
  set_up_thread(name_);
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it captured goes before the lock is taken
    lock.lock();
  }
}

}  // namespace nexus
