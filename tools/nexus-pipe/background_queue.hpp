// Work that must not hold up those who hand it over.
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace nexus::tool {

// A thread that takes no signals: the process's own go to signal_watch. name:
// at most 15 characters.
template <class Body>
std::thread start_quiet_thread(const char* name, Body body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const struct restore {
    const sigset_t& mask;
    ~restore() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } guard{before};
  std::thread thread(std::move(body));
  ::pthread_setname_np(thread.native_handle(), name);
  return thread;
}

// A bounded queue and one thread that empties it. What does not fit is dropped
// and counted.
template <class T>
class background_queue {
 public:
  // Gets all that has come meanwhile, in order, on the queue's thread. From the
  // stop on nobody waits for it any more: what takes long is to be left out.
  using handler = std::function<void(std::vector<T>&, const std::stop_token&)>;

  background_queue(const char* name, std::size_t capacity, handler handle)
      : capacity_(capacity), handle_(std::move(handle)) {
    thread_ = start_quiet_thread(name, [this] { work(); });
  }
  ~background_queue() { close(std::chrono::milliseconds(0)); }
  background_queue(const background_queue&) = delete;
  background_queue& operator=(const background_queue&) = delete;

  // (any thread) Waits for nothing but the queue's own bookkeeping. False: it
  // was dropped.
  bool push(T item) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      if (closing_ || items_.size() >= capacity_) {
        ++dropped_;
        return false;
      }
      wake = items_.empty();
      items_.push_back(std::move(item));
    }
    if (wake) filled_.notify_one();
    return true;
  }

  // (any thread) So far.
  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

  // Takes nothing more, waits so long for what is queued, then asks the handler
  // to hurry, and joins the thread. Once.
  void close(std::chrono::milliseconds patience) {
    if (!thread_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      closing_ = true;
      filled_.notify_one();
      emptied_.wait_for(lock, patience, [this] { return ended_; });
    }
    hurry_.request_stop();
    thread_.join();
  }

 private:
  void work() {
    std::vector<T> batch;
    std::unique_lock lock(mutex_);
    while (true) {
      filled_.wait(lock, [this] { return closing_ || !items_.empty(); });
      if (items_.empty()) break;
      batch.swap(items_);
      lock.unlock();
      handle_(batch, hurry_.get_token());
      batch.clear();
      lock.lock();
    }
    ended_ = true;
    emptied_.notify_all();
  }

  const std::size_t capacity_;
  const handler handle_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable emptied_;
  std::vector<T> items_;
  std::uint64_t dropped_ = 0;
  bool closing_ = false;
  bool ended_ = false;
  std::stop_source hurry_;
  std::thread thread_;
};

}  // namespace nexus::tool
