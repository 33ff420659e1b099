// Packets with descriptors, and what holds a descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace nexus::isolate {

// Owns a descriptor; -1: none.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() { reset(); }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  void reset(int fd = -1) noexcept;
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Two connected SOCK_SEQPACKET sockets, closed on exec. Empty where the system
// has none left.
[[nodiscard]] std::optional<std::pair<descriptor, descriptor>> socket_pair();

enum class channel_state {
  ok,
  closed,   // the other side is gone
  garbage,  // what came is no packet of this size
};

// Sends one packet, whole or not at all. Waits for room.
[[nodiscard]] channel_state send_packet(int socket,
                                        std::span<const std::byte> data,
                                        std::span<const int> descriptors = {});
// The same, but drops the packet where there is no room now: false.
bool send_if_room(int socket, std::span<const std::byte> data) noexcept;

// Receives one packet of at most data.size() bytes, and says how many they
// were. Descriptors that come along are appended; without room for them
// (NULL) they are garbage.
[[nodiscard]] channel_state receive_packet(
    int socket, std::span<std::byte> data, std::size_t& size,
    std::vector<descriptor>* descriptors = nullptr);

template <class T>
std::span<const std::byte> packet(const T& message) noexcept {
  return std::as_bytes(std::span(&message, 1));
}
template <class T>
std::span<std::byte> packet_room(T& message) noexcept {
  return std::as_writable_bytes(std::span(&message, 1));
}

}  // namespace nexus::isolate
