#include "isolate/channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace nexus::isolate {
namespace {

constexpr std::size_t max_descriptors = 64;  // of one packet

union control_room {
  cmsghdr align;
  char room[CMSG_SPACE(sizeof(int) * max_descriptors)];
};

// Takes what came along, so that nothing leaks whatever becomes of it.
void take_descriptors(msghdr& header, std::vector<descriptor>& into) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr;
       at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
      into.emplace_back(fd);
    }
  }
}

}  // namespace

void descriptor::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

std::optional<std::pair<descriptor, descriptor>> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return std::nullopt;
  return std::pair(descriptor(ends[0]), descriptor(ends[1]));
}

channel_state send_packet(int socket, std::span<const std::byte> data,
                          std::span<const int> descriptors) {
  iovec part{const_cast<std::byte*>(data.data()), data.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  control_room control{};
  if (!descriptors.empty()) {
    if (descriptors.size() > max_descriptors) return channel_state::garbage;
    header.msg_control = control.room;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* at = CMSG_FIRSTHDR(&header);
    at->cmsg_level = SOL_SOCKET;
    at->cmsg_type = SCM_RIGHTS;
    at->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(at), descriptors.data(), descriptors.size_bytes());
  }
  for (;;) {
    const ssize_t sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(data.size())) return channel_state::ok;
    if (sent >= 0) return channel_state::garbage;
    if (errno != EINTR) return channel_state::closed;
  }
}

bool send_if_room(int socket, std::span<const std::byte> data) noexcept {
  return ::send(socket, data.data(), data.size(),
                MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(data.size());
}

channel_state receive_packet(int socket, std::span<std::byte> data,
                             std::size_t& size,
                             std::vector<descriptor>* descriptors) {
  iovec part{data.data(), data.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  control_room control{};
  if (descriptors != nullptr) {
    header.msg_control = control.room;
    header.msg_controllen = sizeof control.room;
  }
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return channel_state::closed;
  if (descriptors != nullptr) take_descriptors(header, *descriptors);
  // An empty packet and the end look alike; nobody sends the former.
  if (got == 0) return channel_state::closed;
  size = static_cast<std::size_t>(got);
  const bool cut = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  return cut ? channel_state::garbage : channel_state::ok;
}

}  // namespace nexus::isolate
