// The parent of concurrent coroutines: it ends only after all its children.
// Engine thread only.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "async/completion.hpp"
#include "async/wait_list.hpp"

namespace nexus {

class scope {
 public:
  explicit scope(asio::any_io_executor executor)
      : executor_(std::move(executor)) {}
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  // on_failure is called with what a child threw, before join() returns.
  template <class OnFailure>
  void spawn(task<void> child, OnFailure on_failure) {
    keep_memory_ready();
    ++children_;
    try {
      asio::co_spawn(executor_, std::move(child),
                     [this, on_failure](std::exception_ptr thrown) mutable {
                       if (thrown) on_failure(std::move(thrown));
                       --children_;
                       if (children_ == 1) alone_.notify_all();
                       if (children_ == 0) done_.notify_all();
                     });
    } catch (...) {
      --children_;  // out of memory: it never began
      throw;
    }
  }
  // Until no child is left. What throws is the call, not the waiting: without
  // memory it tries again, on the engine's thread.
  task<void> join() {
    while (children_ != 0) {
      try {
        co_await done_.wait();
      } catch (const std::bad_alloc&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
  // For a child: until it is the only one left.
  task<void> join_others() {
    while (children_ != 1) co_await alone_.wait();
  }

 private:
  // Where co_spawn finds no memory for what it posts, it ends the process. Asio
  // keeps two freed blocks for each thread and purpose: so it is two blocks
  // that are surely large enough. Throws std::bad_alloc.
  static void keep_memory_ready() {
    keep_ready<asio::detail::thread_info_base::default_tag>();
    keep_ready<asio::detail::thread_info_base::executor_function_tag>();
  }
  template <class Purpose>
  static void keep_ready() {
    using memory = asio::detail::thread_info_base;
    constexpr std::size_t size = 512;
    auto* const here = asio::detail::thread_context::top_of_thread_call_stack();
    void* first = memory::allocate(Purpose(), here, size);
    void* second = nullptr;
    try {
      second = memory::allocate(Purpose(), here, size);
    } catch (...) {
      memory::deallocate(Purpose(), here, first, size);
      throw;
    }
    memory::deallocate(Purpose(), here, second, size);
    memory::deallocate(Purpose(), here, first, size);
  }

  asio::any_io_executor executor_;
  std::size_t children_ = 0;
  wait_list done_;
  wait_list alone_;
};

}  // namespace nexus
