// Coroutines waiting for something to change. Engine thread only.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "async/completion.hpp"

namespace nexus {

// First come, first resumed. A waiter looks again at what it waited for.
class wait_list {
 public:
  task<void> wait() {
    auto start = [this](completion<bool> resume) {
      waiting_.push_back(std::move(resume));
    };
    co_await suspend<bool>(std::move(start));
  }
  void notify_all() {
    for (auto waiting = std::exchange(waiting_, {}); auto& resume : waiting)
      resume(true);
  }
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

 private:
  std::vector<completion<bool>> waiting_;  // empty, it needs no memory
};

// Lets numbered coroutines through one by one, in the order of their numbers.
class turnstile {
 public:
  // True once it is index's turn; false if the turnstile was opened instead.
  task<bool> wait(std::uint64_t index) {
    if (open_) co_return false;
    if (index == next_) co_return true;
    auto start = [this, index](completion<bool> resume) {
      waiting_.emplace(index, std::move(resume));
    };
    co_return co_await suspend<bool>(std::move(start));
  }
  // The holder of the turn is through.
  void advance() {
    ++next_;
    if (auto node = waiting_.extract(next_)) node.mapped()(true);
  }
  // Nobody waits here any more: all are turned away.
  void open() {
    open_ = true;
    for (auto waiting = std::exchange(waiting_, {});
         auto& [index, resume] : waiting)
      resume(false);
  }

 private:
  std::uint64_t next_ = 0;
  bool open_ = false;
  std::map<std::uint64_t, completion<bool>> waiting_;
};

}  // namespace nexus
