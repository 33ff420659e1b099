#include "dashboard/terminal_guard.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace nexus::tool {
namespace {

// SIGINT, SIGTERM and SIGHUP end the run first, see signals.hpp.
constexpr std::array ending{SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
                            SIGSEGV, SIGSYS, SIGALRM, SIGXCPU, SIGUSR2};

// All that handlers look at.
std::atomic<int> guarded{-1};
termios settings_before;
std::array<char, 256> reset_sequence;
std::size_t reset_size = 0;
std::atomic<bool> pause_asked{false};
std::atomic<bool> continued{false};
std::array<struct sigaction, ending.size()> actions_before;
struct sigaction pause_before;
struct sigaction continue_before;

void note_pause(int) {
  pause_asked = true;
}

void note_continuation(int) {
  continued = true;
}

void on_ending(int number, siginfo_t* facts, void*) {
  const int error = errno;
  reset_terminal();
  const auto at = std::find(ending.begin(), ending.end(), number);
  const auto which = static_cast<std::size_t>(at - ending.begin());
  ::sigaction(number, &actions_before[which], nullptr);
  // A fault happens again on return. What was sent has to be sent again, by the
  // kernel, too, as at a limit of processor time.
  constexpr std::array faults = {SIGSEGV, SIGBUS,  SIGFPE,
                                 SIGILL,  SIGTRAP, SIGSYS};
  const bool is_fault =
      facts->si_code > 0 &&
      std::find(faults.begin(), faults.end(), number) != faults.end();
  if (!is_fault) ::raise(number);
  errno = error;
}

void handle(int number, void (*handler)(int), struct sigaction& before) {
  ::sigaction(number, nullptr, &before);
  if (before.sa_handler == SIG_IGN && number == SIGTSTP) return;
  struct sigaction mine{};
  mine.sa_handler = handler;
  mine.sa_flags = SA_RESTART;
  ::sigaction(number, &mine, nullptr);
}

}  // namespace

void guard_terminal(int fd, const termios& settings,
                    std::string_view sequence) {
  settings_before = settings;
  reset_size = std::min(sequence.size(), reset_sequence.size());
  std::memcpy(reset_sequence.data(), sequence.data(), reset_size);
  for (std::size_t i = 0; i < ending.size(); ++i) {
    ::sigaction(ending[i], nullptr, &actions_before[i]);
    if (actions_before[i].sa_handler == SIG_IGN) continue;
    struct sigaction mine{};
    mine.sa_sigaction = on_ending;
    mine.sa_flags = SA_SIGINFO;
    ::sigaction(ending[i], &mine, nullptr);
  }
  handle(SIGTSTP, note_pause, pause_before);
  handle(SIGCONT, note_continuation, continue_before);
  guarded = fd;
}

void release_terminal() noexcept {
  guarded = -1;
  for (std::size_t i = 0; i < ending.size(); ++i)
    ::sigaction(ending[i], &actions_before[i], nullptr);
  ::sigaction(SIGTSTP, &pause_before, nullptr);
  ::sigaction(SIGCONT, &continue_before, nullptr);
}

void reset_terminal() noexcept {
  const int fd = guarded.exchange(-1);
  if (fd < 0) return;
  pollfd room{fd, POLLOUT, 0};
  if (::poll(&room, 1, 0) <= 0) ::tcflush(fd, TCOFLUSH);
  [[maybe_unused]] const auto n =
      ::write(fd, reset_sequence.data(), reset_size);
  ::tcsetattr(fd, TCSANOW, &settings_before);
}

bool take_pause_request() noexcept {
  return pause_asked.exchange(false);
}

bool take_continuation() noexcept {
  return continued.exchange(false);
}

void stop_process() noexcept {
  // Some other thread takes it, and all of them stop.
  ::kill(::getpid(), SIGTSTP);
  ::poll(nullptr, 0, 50);
}

}  // namespace nexus::tool
