// Threads for whatever may block: prompts, user callbacks, fsync, file I/O
// where io_uring is not to be had.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "async/completion.hpp"

namespace nexus {

// Thread-safe. A thread is made when a call finds none idle, up to a limit,
// and lives until the pool goes; the pool waits for what was handed to it.
class blocking_pool {
 public:
  explicit blocking_pool(std::size_t max_threads, const char* name);
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  // Makes that many threads now. Throws std::system_error where it cannot.
  void reserve(std::size_t threads);
  // Throws std::system_error where there is no thread and none can be made.
  void post(std::function<void()> work);

  // Runs fn() on a thread of the pool and resumes with what it returned; fn
  // must not throw.
  template <class Fn>
  auto run(Fn fn) -> task<decltype(fn())> {
    using value = decltype(fn());
    auto start = [this, &fn](completion<value> resume) {
      // std::function wants copies, and a completion has none.
      auto shared = std::make_shared<completion<value>>(std::move(resume));
      post([shared, &fn] { (*shared)(fn()); });
    };
    co_return co_await suspend<value>(std::move(start));
  }

 private:
  void serve();

  const std::size_t max_threads_;
  const char* const name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::size_t idle_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace nexus
