// Bytes as the library handles them: views, big-endian stores, conversions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus {

using bytes = std::vector<std::byte>;
using byte_view = std::span<const std::byte>;
using byte_span = std::span<std::byte>;

inline byte_view as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view as_text(byte_view data) noexcept {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

inline const unsigned char* u8(const std::byte* p) noexcept {
  return reinterpret_cast<const unsigned char*>(p);
}

inline unsigned char* u8(std::byte* p) noexcept {
  return reinterpret_cast<unsigned char*>(p);
}

inline void append(bytes& out, byte_view more) {
  out.insert(out.end(), more.begin(), more.end());
}

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) noexcept {
  return a / b + (a % b != 0);
}

constexpr std::uint64_t round_up(std::uint64_t a, std::uint64_t to) noexcept {
  return ceil_div(a, to) * to;
}

}  // namespace nexus
