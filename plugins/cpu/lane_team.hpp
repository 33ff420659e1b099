// Lanes without a job help those that have a long one: a proof is cut into
// loops of independent tasks, and whoever is free takes some.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

#include "prover/task_team.hpp"

namespace nexus::cpu {

// The loops that are under way. Any thread.
class work_board {
 public:
  // nudge: wakes at most so many threads to call help().
  explicit work_board(std::function<void(std::size_t)> nudge)
      : nudge_(std::move(nudge)) {}

  // As task_team::run(), with the help of others.
  void run(std::size_t count, prover::task_ref body);

  // Takes tasks until there have been none for a moment, or `wanted` is set.
  void help(const std::atomic<bool>& wanted);

 private:
  struct loop;
  loop* join();
  void leave(loop& from);

  const std::function<void(std::size_t)> nudge_;
  std::mutex mutex_;
  std::condition_variable left_;  // a helper has left a loop
  loop* first_ = nullptr;         // of those under way
  // Counts loops that begin, so that helpers can look without the mutex.
  std::atomic<std::size_t> begun_{0};
};

// What a prover on one of the lanes works with.
class lane_team final : public prover::task_team {
 public:
  explicit lane_team(work_board& board) noexcept : board_(board) {}
  void run(std::size_t count, prover::task_ref body) override {
    board_.run(count, body);
  }

 private:
  work_board& board_;
};

}  // namespace nexus::cpu
