#include "signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace nexus::tool {

void ignore_write_signals() noexcept {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

signal_watch::signal_watch(std::function<void()> before_exit)
    : before_exit_(std::move(before_exit)) {
  sigemptyset(&set_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    struct sigaction now{};
    ::sigaction(number, nullptr, &now);
    if (now.sa_handler == SIG_IGN) continue;
    sigaddset(&set_, number);
    any_signal_ = number;
  }
  if (any_signal_ == 0) return;
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  thread_ = std::thread([this] { watch(); });
}

signal_watch::~signal_watch() {
  if (!thread_.joinable()) return;
  closing_ = true;
  ::pthread_kill(thread_.native_handle(), any_signal_);
  thread_.join();
}

void signal_watch::on_report(std::function<void()> report) {
  const std::lock_guard lock(report_mutex_);
  report_ = std::move(report);
}

void signal_watch::watch() {
  while (true) {
    // Once stopped, it looks up again.
    const bool hurries = caught_ != 0 && dispensable_;
    const timespec patience{0, 500'000'000};
    const int number =
        ::sigtimedwait(&set_, nullptr, hurries ? &patience : nullptr);
    if (closing_) return;
    if (number < 0 && errno == EAGAIN && dispensable_) leave(caught_);
    if (number <= 0) continue;
    if (number == SIGUSR1) {
      const std::lock_guard lock(report_mutex_);
      if (report_) report_();
      continue;
    }
    take(number);
  }
}

void signal_watch::interrupt() {
  take(SIGINT);
}

void signal_watch::take(int number) {
  if (caught_.exchange(number) != 0) leave(number);
  stop_.request_stop();
}

void signal_watch::leave(int number) {
  before_exit_();
  ::_exit(128 + number);
}

}  // namespace nexus::tool
