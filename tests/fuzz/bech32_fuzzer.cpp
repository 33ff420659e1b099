// Bech32 and keys in it: a text that is accepted is the only one, but for its
// case.
#include <algorithm>
#include <nexus/age.hpp>
#include <string>
#include <vector>

#include "format/bech32.hpp"
#include "fuzz_check.hpp"

namespace {

using namespace nexus;

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return made;
}

void check_text(std::string_view text) {
  const std::string_view prefix = bech32_prefix(text);
  if (prefix.empty()) {
    bytes out(32);
    FUZZ_CHECK(!decode_bech32(text, "age", out).ok());
    return;
  }
  // The characters after the prefix and the "1", less six of checksum.
  const std::size_t characters = text.size() - prefix.size() - 7;
  bytes out(characters * 5 / 8, std::byte{0xff});
  const status decoded = decode_bech32(text, prefix, out);
  if (decoded.ok()) {
    FUZZ_CHECK(lower(encode_bech32(prefix, out).view()) == lower(text));
  } else {
    FUZZ_CHECK(std::ranges::all_of(
        out, [](std::byte b) { return b == std::byte{0}; }));
  }
  bytes other(out.size() + 1);
  FUZZ_CHECK(!decode_bech32(text, prefix, other).ok());
}

// Any prefix and groups of five bits, with a right checksum behind them
// (BIP-173, "Checksum"): random bytes hardly ever come with one.
std::string with_checksum(std::string_view prefix, byte_view groups) {
  std::vector<std::uint32_t> values;
  for (const char c : prefix) values.push_back(static_cast<unsigned>(c) >> 5);
  values.push_back(0);
  for (const char c : prefix) values.push_back(static_cast<unsigned>(c) & 31);
  std::string text(prefix);
  text += '1';
  constexpr char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  auto put = [&](std::uint32_t value) { text += letters[value]; };
  for (const std::byte group : groups) {
    values.push_back(std::to_integer<std::uint32_t>(group) & 31);
    put(values.back());
  }
  values.insert(values.end(), 6, 0);
  constexpr std::uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                         0x3d4233dd, 0x2a1462b3};
  std::uint32_t sum = 1;
  for (const std::uint32_t value : values) {
    const std::uint32_t top = sum >> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (unsigned i = 0; i < 5; ++i)
      if ((top >> i & 1) != 0) sum ^= generator[i];
  }
  sum ^= 1;
  for (unsigned i = 0; i < 6; ++i) put(sum >> (25 - 5 * i) & 31);
  return text;
}

void check_round_trip(const std::uint8_t* data, std::size_t size) {
  const byte_view secret(reinterpret_cast<const std::byte*>(data), size);
  const secret_string text = encode_bech32("age", secret);
  FUZZ_CHECK(bech32_prefix(text.view()) == "age");
  bytes out(size);
  FUZZ_CHECK(decode_bech32(text.view(), "age", out).ok());
  FUZZ_CHECK(std::ranges::equal(out, secret));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_text(text);
  check_round_trip(data, size);
  // The first byte says how much of the rest is the prefix, in lower case.
  if (size > 1) {
    const std::size_t half = std::min<std::size_t>(1 + data[0] % 20, size - 1);
    std::string prefix;
    for (std::size_t i = 0; i < half; ++i) {
      const char c = static_cast<char>(0x21 + data[1 + i] % 94);
      prefix += c >= 'A' && c <= 'Z' ? 'x' : c;
    }
    const byte_view groups(reinterpret_cast<const std::byte*>(data) + 1 + half,
                           size - 1 - half);
    const std::string made = with_checksum(prefix, groups);
    FUZZ_CHECK(bech32_prefix(made) == prefix);
    check_text(made);
  }

  const auto recipient = age::recipient::parse(text);
  if (recipient.ok()) FUZZ_CHECK(recipient->to_string() == lower(text));
  const auto identity = age::identity::parse(text);
  if (identity.ok())
    FUZZ_CHECK(lower(identity->to_string().view()) == lower(text));
  return 0;
}
