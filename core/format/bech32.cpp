#include "format/bech32.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace nexus {
namespace {

constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t checksum_size = 6;
constexpr std::uint8_t no_value = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(no_value);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    const char c = alphabet[i];
    values[static_cast<unsigned char>(c)] = static_cast<std::uint8_t>(i);
    if (c >= 'a' && c <= 'z') {
      values[static_cast<unsigned char>(c - 'a' + 'A')] =
          static_cast<std::uint8_t>(i);
    }
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> values = make_values();

std::uint8_t value_of(char c) noexcept {
  return values[static_cast<unsigned char>(c)];
}

constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
constexpr char to_lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr char to_upper(char c) noexcept {
  return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
}

// The BCH code of BIP-173 ("Checksum") over values of five bits. Seeded with
// the prefix, it tells about as much of a secret as the checksum does.
class checksum {
 public:
  explicit checksum(std::string_view prefix) noexcept {
    for (const char c : prefix)
      add(static_cast<unsigned char>(to_lower(c)) >> 5);
    add(0);
    for (const char c : prefix)
      add(static_cast<unsigned char>(to_lower(c)) & 31);
  }
  ~checksum() { wipe(&state_, sizeof state_); }
  checksum(const checksum&) = delete;
  checksum& operator=(const checksum&) = delete;

  void add(std::uint32_t value) noexcept {
    static constexpr std::array<std::uint32_t, 5> generator = {
        0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = state_ >> 25;
    state_ = (state_ & 0x1ffffff) << 5 ^ value;
    for (unsigned i = 0; i < generator.size(); ++i) {
      if ((top >> i & 1) != 0) state_ ^= generator[i];
    }
  }
  [[nodiscard]] std::uint32_t state() const noexcept { return state_; }

 private:
  std::uint32_t state_ = 1;
};

struct parts {
  std::string_view prefix;
  std::string_view data;  // without the checksum
  const char* wrong = nullptr;
};

// Splits, and checks all but the meaning of the data.
parts split(std::string_view text) {
  if (std::ranges::any_of(text, is_lower) &&
      std::ranges::any_of(text, is_upper)) {
    return {{}, {}, "upper and lower case are mixed"};
  }
  const std::size_t one = text.rfind('1');
  if (one == std::string_view::npos || one == 0) {
    return {{}, {}, "the prefix is missing"};
  }
  const std::string_view prefix = text.substr(0, one);
  const std::string_view rest = text.substr(one + 1);
  if (std::ranges::any_of(prefix,
                          [](char c) { return c < 0x21 || c > 0x7e; }) ||
      std::ranges::any_of(rest,
                          [](char c) { return value_of(c) == no_value; })) {
    return {{}, {}, "a character does not belong there"};
  }
  if (rest.size() < checksum_size) return {{}, {}, "it is too short"};
  checksum sum(prefix);
  for (const char c : rest) sum.add(value_of(c));
  if (sum.state() != 1) return {{}, {}, "the checksum is wrong"};
  return {prefix, rest.substr(0, rest.size() - checksum_size), nullptr};
}

bool same_prefix(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

// Groups of five bits to bytes; false where the bits left over are not zero.
// Precondition: out takes exactly the whole bytes.
bool regroup(std::string_view data, byte_span out) noexcept {
  std::uint32_t bits = 0;
  unsigned held = 0;
  std::size_t at = 0;
  for (const char c : data) {
    bits = (bits << 5 | value_of(c)) & 0xfff;
    held += 5;
    if (held >= 8) {
      held -= 8;
      out[at++] = static_cast<std::byte>(bits >> held & 0xff);
    }
  }
  const bool clean = (bits & ((1U << held) - 1)) == 0;
  wipe(&bits, sizeof bits);
  return clean;
}

}  // namespace

std::string_view bech32_prefix(std::string_view text) {
  return split(text).prefix;
}

secret_string encode_bech32(std::string_view prefix, byte_view data) {
  const bool upper = std::ranges::any_of(prefix, is_upper);
  secret_string text{prefix};
  text.push_back('1');
  checksum sum(prefix);
  const auto put = [&](std::uint32_t value) {
    const char c = alphabet[value];
    text.push_back(upper ? to_upper(c) : c);
  };
  std::uint32_t bits = 0;
  unsigned held = 0;
  const auto put_data = [&](std::uint32_t value) {
    sum.add(value);
    put(value);
  };
  for (const std::byte b : data) {
    bits = (bits << 8 | std::to_integer<std::uint32_t>(b)) & 0xfff;
    held += 8;
    for (; held >= 5; held -= 5) put_data(bits >> (held - 5) & 31);
  }
  if (held != 0) put_data(bits << (5 - held) & 31);
  wipe(&bits, sizeof bits);
  for (std::size_t i = 0; i < checksum_size; ++i) sum.add(0);
  const std::uint32_t last = sum.state() ^ 1;
  for (unsigned i = 0; i < checksum_size; ++i) put(last >> (25 - 5 * i) & 31);
  return text;
}

status decode_bech32(std::string_view text, std::string_view prefix,
                     byte_span out) {
  wipe(out);
  const parts p = split(text);
  const char* wrong = p.wrong;
  if (wrong == nullptr && !same_prefix(p.prefix, prefix)) {
    wrong = "the prefix is another one";
  }
  // At most four bits may be left over: a group more would be empty.
  if (wrong == nullptr && p.data.size() != ceil_div(out.size() * 8, 5)) {
    wrong = "the length is wrong";
  }
  if (wrong == nullptr && !regroup(p.data, out)) {
    wipe(out);
    wrong = "unused bits are not zero";
  }
  if (wrong != nullptr) return {status_code::invalid_data, wrong};
  return {};
}

}  // namespace nexus
