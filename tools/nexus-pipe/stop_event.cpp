#include "stop_event.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace nexus::tool {

stop_event::stop_event(std::stop_token stop) : stop_(std::move(stop)) {
  if (!stop_.stop_possible()) return;
  wake_ = descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  on_stop_.emplace(stop_, [fd = wake_.get()] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
  });
}

result<bool> stop_event::wait(int fd, short events, int milliseconds) const {
  while (true) {
    if (stop_.stop_requested())
      return status(status_code::cancelled, "stopped");
    std::array<pollfd, 2> ready{{{fd, events, 0}, {wake_.get(), POLLIN, 0}}};
    const int count = ::poll(ready.data(), ready.size(), milliseconds);
    if (count < 0 && errno != EINTR) {
      return system_failure("wait for", "a descriptor", errno);
    }
    if (count == 0) return false;
    if (ready[0].revents != 0) return true;
  }
}

}  // namespace nexus::tool
