// Host memory for payload. Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace nexus {

class buffer_pool;

// Who writes a buffer that other processes see: this process alone, or a device
// in a process of its own as well.
enum class buffer_use { input, output };

// A piece of memory on loan; goes back when it is destroyed.
class buffer {
 public:
  buffer() = default;
  ~buffer() { reset(); }
  buffer(buffer&& other) noexcept { swap(other); }
  buffer& operator=(buffer&& other) noexcept {
    reset();
    swap(other);
    return *this;
  }
  explicit operator bool() const noexcept { return data_ != nullptr; }
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Of the memory that is really there: the same for every loan of it.
  [[nodiscard]] std::size_t capacity() const noexcept;
  // The memfd behind it, or -1: memory of this process alone.
  [[nodiscard]] int fd() const noexcept { return fd_; }
  void reset() noexcept;

 private:
  friend class buffer_pool;
  void swap(buffer& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(fd_, other.fd_);
    std::swap(use_, other.use_);
  }
  buffer_pool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int fd_ = -1;
  buffer_use use_ = buffer_use::input;
};

// Lends buffers, the most recently used first: those are still in a cache.
// Page-aligned, on huge pages where they are large and not shared, left out of
// core dumps.
class buffer_pool {
 public:
  buffer_pool() = default;
  // Every buffer must be back.
  ~buffer_pool() { trim(); }
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;

  // Bytes to stay within: what is not on loan goes back to the system before
  // more is taken, and what comes back beyond them at once. 0: none.
  void set_limit(std::uint64_t limit) noexcept { limit_ = limit; }
  // From now on buffers are memfds, which a device in a process of its own
  // maps; where the system has no descriptors left, they are as before. What is
  // on loan stays as it is, and is not lent again.
  void share() noexcept;
  // Called with memory that is about to be unmapped. Must not throw.
  void on_unmap(std::function<void(std::byte*)> call) {
    on_unmap_ = std::move(call);
  }
  // Empty where the system has no memory.
  [[nodiscard]] buffer take(std::size_t size,
                            buffer_use use = buffer_use::input);
  // Gives what is not on loan back to the system.
  void trim() noexcept;
  // The same, but keeps what the limit allows, and gives back no more than
  // about `most` bytes. False: there is more to give.
  bool trim_to_limit(std::uint64_t most) noexcept;

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t peak_bytes() const noexcept { return peak_; }

 private:
  friend class buffer;
  struct block {
    std::byte* data = nullptr;
    int fd = -1;
  };
  using shelf = std::pair<std::size_t, buffer_use>;
  // Shared memory alone is not for every use.
  [[nodiscard]] shelf shelf_for(std::size_t rounded,
                                buffer_use use) const noexcept {
    return {rounded, shared_ ? use : buffer_use::input};
  }
  [[nodiscard]] block make(std::size_t rounded, buffer_use use) noexcept;
  void put_back(buffer& lent) noexcept;
  void unmap(const block& memory, std::size_t rounded) noexcept;

  std::map<shelf, std::vector<block>> free_;
  bool shared_ = false;
  std::function<void(std::byte*)> on_unmap_;
  std::uint64_t bytes_ = 0;  // on loan or free
  std::uint64_t peak_ = 0;
  std::uint64_t limit_ = 0;
};

}  // namespace nexus
