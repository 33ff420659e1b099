// Keys as text, and files of them. Nothing of a line ever goes into a message:
// it might be a secret key in the wrong place.
#include <algorithm>
#include <cstdint>
#include <nexus/age.hpp>
#include <utility>

#include "base/bytes.hpp"
#include "crypto/primitives.hpp"
#include "format/bech32.hpp"

namespace nexus::age {
namespace {

constexpr std::string_view recipient_prefix = "age";
constexpr std::string_view identity_prefix = "AGE-SECRET-KEY-";
constexpr std::size_t max_file = std::size_t{16} << 20;
constexpr std::size_t max_line = std::size_t{8} << 10;

// Case-insensitive for ASCII; start is in lower case.
bool begins(std::string_view text, std::string_view start) noexcept {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return text.size() >= start.size() &&
         std::ranges::equal(text.substr(0, start.size()), start, {}, lower);
}

struct other_key {
  std::string_view start;
  std::string_view what;
};

// Longest first where one begins another.
constexpr other_key other_recipients[] = {
    {"age1pq1", "post-quantum recipients (age1pq)"},
    {"age1tagpq1", "recipients of type age1tagpq"},
    {"age1tag1", "recipients of type age1tag"},
    {"ssh-", "SSH recipients"},
    {"ecdsa-sha2-", "SSH recipients"},
    {"sk-ssh-", "SSH recipients"},
    {"sk-ecdsa-", "SSH recipients"},
};

constexpr other_key other_identities[] = {
    {"age-secret-key-pq-1", "post-quantum identities"},
    {"age-plugin-", "plugin identities"},
    {"age-encryption.org/", "encrypted identity files"},
    {"-----begin age", "encrypted identity files"},
    {"-----begin", "SSH identities"},
};

status not_supported(std::string_view what, std::string_view use) {
  return {status_code::unsupported,
          std::string(what) + " are not supported yet",
          "use " + std::string(use)};
}

template <std::size_t N>
const other_key* find_other(const other_key (&keys)[N], std::string_view text) {
  const auto* found = std::ranges::find_if(
      keys, [&](const other_key& key) { return begins(text, key.start); });
  return found == std::end(keys) ? nullptr : found;
}

status malformed(std::string_view what, const status& why) {
  return {status_code::invalid_argument,
          "malformed " + std::string(what) + ": " + why.message()};
}

// Why text is not the recipient that decoding found it not to be.
status explain_recipient(std::string_view text, const status& why) {
  constexpr std::string_view use = "an X25519 recipient (age1...)";
  if (const other_key* other = find_other(other_recipients, text)) {
    return not_supported(other->what, use);
  }
  if (begins(text, "age-secret-key-") || begins(text, "age-plugin-")) {
    return {status_code::invalid_argument,
            "an identity, which is secret, where a recipient belongs",
            "age-keygen -y prints the recipient of an identity"};
  }
  const std::string_view prefix = bech32_prefix(text);
  if (begins(prefix, "age1")) return not_supported("plugin recipients", use);
  if (!begins(text, "age1")) {
    return {status_code::invalid_argument, "not a recipient",
            "recipients begin with age1"};
  }
  return malformed("recipient", why);
}

status explain_identity(std::string_view text, const status& why) {
  constexpr std::string_view use = "an X25519 identity (AGE-SECRET-KEY-1...)";
  if (const other_key* other = find_other(other_identities, text)) {
    return not_supported(other->what, use);
  }
  if (begins(text, "age1") || find_other(other_recipients, text) != nullptr) {
    return {status_code::invalid_argument,
            "a recipient, which is public, where an identity belongs",
            "identities begin with AGE-SECRET-KEY-1"};
  }
  if (!begins(text, "age-secret-key-")) {
    return {status_code::invalid_argument, "not an identity",
            "identities begin with AGE-SECRET-KEY-1"};
  }
  return malformed("identity", why);
}

// Bytes of the UTF-8 sequence that text begins with; 0 where it is not one
// (The Unicode Standard, table 3-7).
std::size_t utf8_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i, unsigned from, unsigned to) {
    return at(i) >= from && at(i) <= to;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned from = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned to = first == 0xed ? 0x9f : 0xbf;
    return follows(1, from, to) && follows(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned from = first == 0xf0 ? 0x90 : 0x80;
    const unsigned to = first == 0xf4 ? 0x8f : 0xbf;
    const bool fits = follows(1, from, to) && follows(2, 0x80, 0xbf) &&
                      follows(3, 0x80, 0xbf);
    return fits ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

status check_line(std::string_view line) {
  if (line.size() > max_line) {
    return {status_code::invalid_data, "the line is longer than 8 KiB"};
  }
  if (!is_utf8(line) || line.find('\0') != std::string_view::npos) {
    return {status_code::invalid_data, "not UTF-8 text",
            "save the file as UTF-8; PowerShell's > writes UTF-16"};
  }
  if (line.starts_with("\xef\xbb\xbf")) {
    return {status_code::invalid_data, "the file has a byte order mark",
            "save the file as UTF-8 without one"};
  }
  return {};
}

template <class Key>
status parse_line(std::string_view line, std::vector<Key>& keys) {
  if (status s = check_line(line); !s.ok()) return s;
  if (line.empty() || line.starts_with('#')) return {};
  auto key = Key::parse(line);
  if (key.ok()) {
    keys.push_back(std::move(key).value());
    return {};
  }
  // On a command line a bad key is a wrong argument, in a file it is bad data.
  const status s = key.error();
  const bool argument = s.code() == status_code::invalid_argument;
  return {argument ? status_code::invalid_data : s.code(), s.message(),
          s.hint()};
}

template <class Key>
result<std::vector<Key>> parse_lines(std::string_view text,
                                     std::string_view name,
                                     std::string_view what) {
  const std::string where = std::string(name) + ": ";
  if (text.size() > max_file) {
    return status{status_code::invalid_data,
                  where + "the file is larger than 16 MiB"};
  }
  std::vector<Key> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (status s = parse_line(line, keys); !s.ok()) {
      return status{
          s.code(),
          where + "line " + std::to_string(number) + ": " + s.message(),
          s.hint()};
    }
  }
  if (keys.empty()) {
    return status{status_code::invalid_data,
                  where + "no " + std::string(what) + " in the file"};
  }
  return keys;
}

}  // namespace

result<recipient> recipient::parse(std::string_view text) {
  recipient parsed;
  const status s = decode_bech32(text, recipient_prefix, parsed.key_);
  if (!s.ok()) return explain_recipient(text, s);
  return parsed;
}

recipient recipient::from_public_key(
    std::span<const std::byte, 32> key) noexcept {
  recipient made;
  std::ranges::copy(key, made.key_.begin());
  return made;
}

std::string recipient::to_string() const {
  return std::string(encode_bech32(recipient_prefix, key_).view());
}

result<identity> identity::generate() {
  identity made;
  if (status s = fill_random(made.key_.span()); !s.ok()) return s;
  return made;
}

result<identity> identity::parse(std::string_view text) {
  identity parsed;
  const status s = decode_bech32(text, identity_prefix, parsed.key_.span());
  if (!s.ok()) return explain_identity(text, s);
  return parsed;
}

secret_string identity::to_string() const {
  return encode_bech32(identity_prefix, key_.view());
}

recipient identity::to_recipient() const {
  return recipient::from_public_key(x25519_public_key(key_.view()));
}

result<std::vector<recipient>> parse_recipients(std::string_view text,
                                                std::string_view name) {
  return parse_lines<recipient>(text, name, "recipients");
}

result<std::vector<identity>> parse_identities(std::string_view text,
                                               std::string_view name) {
  return parse_lines<identity>(text, name, "identities");
}

}  // namespace nexus::age
