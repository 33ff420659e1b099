#include "prover/task_team.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace nexus::prover {
namespace {

class thread_team final : public task_team {
 public:
  explicit thread_team(unsigned threads) {
    helpers_.reserve(threads - 1);
    try {
      while (helpers_.size() + 1 < threads) {
        helpers_.emplace_back([this] { help(); });
      }
    } catch (const std::system_error&) {
      // The work is done by those who came.
    }
  }

  ~thread_team() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }

  void run(std::size_t count, task_ref body) override {
    std::unique_lock lock(mutex_);
    body_ = &body;
    count_ = count;
    next_ = 0;
    changed_.notify_all();
    work(lock);
    finished_.wait(lock, [this] { return running_ == 0; });
    body_ = nullptr;
  }

 private:
  // Takes tasks until none is left. lock: held on entry and on return.
  void work(std::unique_lock<std::mutex>& lock) {
    while (next_ < count_) {
      const std::size_t task = next_++;
      ++running_;
      const task_ref body = *body_;
      lock.unlock();
      body(task);
      lock.lock();
      --running_;
    }
    if (running_ == 0) {
      finished_.notify_one();
    }
  }

  void help() {
    std::unique_lock lock(mutex_);
    while (!ended_) {
      work(lock);
      changed_.wait(lock, [this] { return ended_ || next_ < count_; });
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable finished_;
  const task_ref* body_ = nullptr;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  bool ended_ = false;
  // The last member: its threads use the others.
  std::vector<std::jthread> helpers_;
};

}  // namespace

std::unique_ptr<task_team> make_thread_team(unsigned threads) {
  if (threads <= 1) {
    return std::make_unique<task_team>();
  }
  return std::make_unique<thread_team>(threads);
}

}  // namespace nexus::prover
