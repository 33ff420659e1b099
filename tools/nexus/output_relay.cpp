#include "output_relay.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nexus::queue {
namespace {

// How long a job waits for the eyes of an attached user.
constexpr int screen_patience_ms = 200;

void show(int screen, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(screen, text.data(), text.size());
    if (put > 0) {
      text.remove_prefix(static_cast<std::size_t>(put));
      continue;
    }
    if (put < 0 && errno == EINTR) continue;
    pollfd wait{screen, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&wait, 1, screen_patience_ms) <= 0) return;
  }
}

}  // namespace

result<output_relay> output_relay::open(const std::filesystem::path& log,
                                        int screen) {
  output_relay relay;
  relay.screen_ = screen;
  relay.log_ = file_descriptor(
      ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!relay.log_) return system_failure("write", log);
  relay.terminal_ =
      file_descriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[128];
  if (!relay.terminal_ || ::grantpt(relay.terminal()) != 0 ||
      ::unlockpt(relay.terminal()) != 0 ||
      ::ptsname_r(relay.terminal(), name, sizeof name) != 0) {
    return system_failure("make", "a terminal");
  }
  relay.job_side_ =
      file_descriptor(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!relay.job_side_) return system_failure("open", name);
  termios settings{};
  ::tcgetattr(relay.job_side(), &settings);
  // The log gets the bytes as they are; the screen ends lines itself.
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(relay.job_side(), TCSANOW, &settings);
  ::fcntl(relay.terminal(), F_SETFL, O_NONBLOCK);
  return relay;
}

void output_relay::copy_size(int from) noexcept {
  winsize size{};
  if (terminal_ && ::ioctl(from, TIOCGWINSZ, &size) == 0) {
    ::ioctl(terminal(), TIOCSWINSZ, &size);
  }
}

bool output_relay::relay() {
  if (!terminal_) return false;
  char block[65536];
  const ssize_t got = ::read(terminal(), block, sizeof block);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {  // EIO: nobody has the other side any more
    terminal_.reset();
    return false;
  }
  const std::string_view text(block, static_cast<std::size_t>(got));
  keep(text);
  show(screen_, text);
  return true;
}

void output_relay::keep(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(log_.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      // The job goes on; how much is missing is told with its end.
      if (lost_ == 0) problem_ = std::strerror(errno);
      lost_ += text.size();
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace nexus::queue
