// Signals become a stop request.
#pragma once

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace nexus::tool {

// SIGPIPE and SIGXFSZ: the write fails with an error instead.
void ignore_write_signals() noexcept;

// While it lives, SIGUSR1 asks for a report, the first SIGINT, SIGTERM or
// SIGHUP requests a stop, and the next one ends the process at once. Those that
// the parent had set to be ignored (nohup, a shell's background job) stay
// ignored. Has to be made before any other thread: they inherit its mask.
class signal_watch {
 public:
  // before_exit runs ahead of the end at once.
  explicit signal_watch(std::function<void()> before_exit);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

  [[nodiscard]] std::stop_token token() const noexcept {
    return stop_.get_token();
  }
  // (any thread) Whether nothing would be lost if the process ended: then a
  // stop that takes longer than half a second, such as the derivation of a key,
  // which cannot be interrupted, ends the process.
  void set_dispensable(bool is) noexcept { dispensable_ = is; }
  // (any thread) Does what a SIGINT does.
  void interrupt();
  // What SIGUSR1 asks for, on the watching thread; nothing at first. Returns
  // once the one before is not at work any more.
  void on_report(std::function<void()> report);
  // The signal that requested the stop; 0: none did.
  [[nodiscard]] int caught() const noexcept { return caught_; }

 private:
  void watch();
  void take(int number);
  [[noreturn]] void leave(int number);

  std::function<void()> before_exit_;
  std::mutex report_mutex_;
  std::function<void()> report_;
  std::stop_source stop_;
  std::atomic<int> caught_{0};
  std::atomic<bool> closing_{false};
  std::atomic<bool> dispensable_{false};
  int any_signal_ = 0;  // one of set_; 0: set_ is empty
  sigset_t set_{};
  std::thread thread_;
};

}  // namespace nexus::tool
