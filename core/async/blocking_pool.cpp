#include "async/blocking_pool.hpp"

#include <pthread.h>

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

void blocking_pool::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    // Every queued piece of work needs a thread of its own to count on.
    if (queue_.size() > idle_ && threads_.size() < max_threads_)
      threads_.emplace_back([this] { serve(); });
  }
  wake_.notify_one();
}

void blocking_pool::serve() {
  ::pthread_setname_np(::pthread_self(), name_);
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
