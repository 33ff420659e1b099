// Base64 with the standard alphabet (RFC 4648, section 4), canonical only:
// one text per value, and nothing but the alphabet in it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace nexus {

// Characters that n bytes take, without and with '=' to a multiple of four.
constexpr std::size_t base64_size(std::size_t n) noexcept {
  return n / 3 * 4 + (n % 3 != 0 ? n % 3 + 1 : 0);
}
constexpr std::size_t padded_base64_size(std::size_t n) noexcept {
  return (n + 2) / 3 * 4;
}

[[nodiscard]] std::string encode_base64(byte_view data);
[[nodiscard]] std::string encode_padded_base64(byte_view data);

// Empty where text is not canonical: a character outside of the alphabet ('='
// and line ends are), a length of 4k + 1, or unused bits that are not zero.
[[nodiscard]] std::optional<bytes> decode_base64(std::string_view text);

// The same for text with its '=': the length is a multiple of four.
[[nodiscard]] std::optional<bytes> decode_padded_base64(std::string_view text);

// As decode_base64, onto the end of out; false leaves out as it was.
[[nodiscard]] bool append_base64(bytes& out, std::string_view text);

}  // namespace nexus
