#include "lane_team.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace nexus::cpu {
namespace {

// How long a helper looks out for the next loop: those of a proof follow each
// other within microseconds, and waking a thread takes tens of them.
constexpr std::chrono::microseconds patience{50};

}  // namespace

struct work_board::loop {
  loop(std::size_t count_, prover::task_ref body_) noexcept
      : count(count_), body(body_) {}

  // False: none is left.
  bool take_one() {
    const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
    if (task >= count) return false;
    body(task);
    return true;
  }
  [[nodiscard]] bool exhausted() const noexcept {
    return next.load(std::memory_order_relaxed) >= count;
  }

  const std::size_t count;
  const prover::task_ref body;
  std::atomic<std::size_t> next{0};
  // Under the board's mutex:
  std::size_t helpers = 0;
  loop* after = nullptr;
};

void work_board::run(std::size_t count, prover::task_ref body) {
  if (count == 0) return;
  loop mine(count, body);
  if (count > 1) {
    {
      const std::lock_guard lock(mutex_);
      mine.after = std::exchange(first_, &mine);
    }
    begun_.fetch_add(1, std::memory_order_release);
    nudge_(count - 1);
  }
  while (mine.take_one()) {
  }
  if (count == 1) return;
  std::unique_lock lock(mutex_);
  loop** at = &first_;
  while (*at != &mine) at = &(*at)->after;
  *at = mine.after;
  // What helpers computed is seen here: they left under the mutex.
  left_.wait(lock, [&mine] { return mine.helpers == 0; });
}

// A loop with tasks to take, which stays until leave(); or none.
work_board::loop* work_board::join() {
  const std::lock_guard lock(mutex_);
  for (loop* each = first_; each != nullptr; each = each->after) {
    if (each->exhausted()) continue;
    ++each->helpers;
    return each;
  }
  return nullptr;
}

void work_board::leave(loop& from) {
  const std::lock_guard lock(mutex_);
  if (--from.helpers == 0) left_.notify_all();
}

void work_board::help(const std::atomic<bool>& wanted) {
  using clock = std::chrono::steady_clock;
  auto since = clock::now();
  while (!wanted) {
    const std::size_t seen = begun_.load(std::memory_order_acquire);
    if (loop* found = join(); found != nullptr) {
      while (!wanted && found->take_one()) {
      }
      leave(*found);
      since = clock::now();
      continue;
    }
    while (begun_.load(std::memory_order_acquire) == seen) {
      if (wanted || clock::now() - since > patience) return;
      std::this_thread::yield();
    }
  }
}

}  // namespace nexus::cpu
