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
  // A checksum is hard to guess: one is put behind whatever stands there.
  const std::size_t half = size / 2;
  bytes tail(data == nullptr ? 0 : size - half);
  std::transform(data + half, data + size, tail.begin(),
                 [](std::uint8_t b) { return std::byte{b}; });
  const std::string_view prefix = text.substr(0, half);
  const bool fits = !prefix.empty() && std::ranges::all_of(prefix, [](char c) {
    return c >= 0x21 && c <= 0x7e;
  });
  const bool mixed =
      lower(prefix) != prefix &&
      std::ranges::any_of(prefix, [](char c) { return c >= 'a' && c <= 'z'; });
  if (fits && !mixed) check_text(encode_bech32(prefix, tail).view());

  const auto recipient = age::recipient::parse(text);
  if (recipient.ok()) FUZZ_CHECK(recipient->to_string() == lower(text));
  const auto identity = age::identity::parse(text);
  if (identity.ok())
    FUZZ_CHECK(lower(identity->to_string().view()) == lower(text));
  return 0;
}
