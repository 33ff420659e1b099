#include "format/base64.hpp"

#include <array>
#include <cstdint>

namespace nexus {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Above 63 in any value of a group tells that a character was wrong.
constexpr std::uint32_t wrong = 0x80;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(wrong);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] =
        static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> values = make_values();

std::uint32_t value_of(char c) noexcept {
  return values[static_cast<unsigned char>(c)];
}

// The two or three characters after the last whole group.
bool append_rest(bytes& out, std::string_view rest) {
  if (rest.empty()) return true;
  if (rest.size() == 1) return false;
  const std::uint32_t a = value_of(rest[0]);
  const std::uint32_t b = value_of(rest[1]);
  const std::uint32_t c = rest.size() == 3 ? value_of(rest[2]) : 0;
  if (((a | b | c) & wrong) != 0) return false;
  const std::uint32_t unused = rest.size() == 3 ? c & 0x03 : b & 0x0f;
  if (unused != 0) return false;
  out.push_back(static_cast<std::byte>(a << 2 | b >> 4));
  if (rest.size() == 3) {
    out.push_back(static_cast<std::byte>((b << 4 | c >> 2) & 0xff));
  }
  return true;
}

}  // namespace

std::string encode_base64(byte_view data) {
  std::string text;
  text.reserve(padded_base64_size(data.size()));
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const std::byte b : data) {
    bits = (bits << 8 | std::to_integer<std::uint32_t>(b)) & 0xffff;
    held += 8;
    while (held >= 6) {
      held -= 6;
      text.push_back(alphabet[bits >> held & 63]);
    }
  }
  if (held != 0) text.push_back(alphabet[bits << (6 - held) & 63]);
  return text;
}

std::string encode_padded_base64(byte_view data) {
  std::string text = encode_base64(data);
  text.resize(padded_base64_size(data.size()), '=');
  return text;
}

bool append_base64(bytes& out, std::string_view text) {
  const std::size_t before = out.size();
  std::uint32_t seen = 0;
  for (; text.size() >= 4; text.remove_prefix(4)) {
    const std::uint32_t a = value_of(text[0]);
    const std::uint32_t b = value_of(text[1]);
    const std::uint32_t c = value_of(text[2]);
    const std::uint32_t d = value_of(text[3]);
    seen |= a | b | c | d;
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    out.push_back(static_cast<std::byte>(group >> 16 & 0xff));
    out.push_back(static_cast<std::byte>(group >> 8 & 0xff));
    out.push_back(static_cast<std::byte>(group & 0xff));
  }
  if ((seen & wrong) == 0 && append_rest(out, text)) return true;
  out.resize(before);
  return false;
}

std::optional<bytes> decode_base64(std::string_view text) {
  bytes data;
  if (!append_base64(data, text)) return std::nullopt;
  return data;
}

std::optional<bytes> decode_padded_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string_view bare = text;
  for (int i = 0; i < 2 && !bare.empty() && bare.back() == '='; ++i) {
    bare.remove_suffix(1);
  }
  return decode_base64(bare);
}

}  // namespace nexus
