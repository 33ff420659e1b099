// The parent of concurrent coroutines: it ends only after all its children.
// Engine thread only.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <cstddef>
#include <exception>
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
  // Until no child is left.
  task<void> join() {
    while (children_ != 0) co_await done_.wait();
  }
  // For a child: until it is the only one left.
  task<void> join_others() {
    while (children_ != 1) co_await alone_.wait();
  }

 private:
  asio::any_io_executor executor_;
  std::size_t children_ = 0;
  wait_list done_;
  wait_list alone_;
};

}  // namespace nexus
