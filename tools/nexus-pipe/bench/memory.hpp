// How fast this machine's memory moves bytes without doing anything to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/status.hpp>
#include <span>
#include <stop_token>

#include "bench/results.hpp"

namespace nexus::tool::bench {

// Anonymous pages that cost nothing before they are touched.
class pages {
 public:
  pages() = default;
  // out_of_memory where the system refuses.
  [[nodiscard]] static result<pages> reserve(std::uint64_t bytes);
  ~pages();
  pages(pages&& other) noexcept;
  pages& operator=(pages&& other) noexcept;

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

// Two buffers far larger than the caches, each cut into one slice a thread.
class memory_meter {
 public:
  // bytes: of each of the buffers, at least a page for each thread.
  [[nodiscard]] static result<memory_meter> create(std::uint64_t bytes);

  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return from_.bytes().size();
  }
  // One sample of copying and one of reading, of about `seconds` each, on as
  // many threads as the point says. cancelled where stop was requested.
  status sample(memory_point& into, double seconds,
                const std::stop_token& stop);

 private:
  pages from_;
  pages to_;
};

// Pseudo-random bytes, the same for the same seed; multiples of 8 bytes.
void fill(std::span<std::byte> bytes, std::uint64_t seed) noexcept;

}  // namespace nexus::tool::bench
