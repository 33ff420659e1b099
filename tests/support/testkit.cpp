#include "support/testkit.hpp"

#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>
#include <utility>

namespace nexus::test {
namespace {

constexpr std::array names{
    std::pair{expectation::success, std::string_view("success")},
    std::pair{expectation::no_match, std::string_view("no match")},
    std::pair{expectation::hmac_failure, std::string_view("HMAC failure")},
    std::pair{expectation::header_failure, std::string_view("header failure")},
    std::pair{expectation::armor_failure, std::string_view("armor failure")},
    std::pair{expectation::payload_failure,
              std::string_view("payload failure")},
};

status bad(std::string message) {
  return status(status_code::invalid_data, "testkit: " + std::move(message));
}

status unknown(std::string message) {
  return status(status_code::unsupported, "testkit: " + std::move(message));
}

bool parse_hex(std::string_view text, bytes& out) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (text.size() % 2 != 0) return false;
  for (; !text.empty(); text.remove_prefix(2)) {
    const std::size_t high = digits.find(text[0]);
    const std::size_t low = digits.find(text[1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      return false;
    }
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return true;
}

bool parse_digest(std::string_view text, test_vector& out) {
  bytes digest;
  if (!parse_hex(text, digest) || digest.size() != 32) return false;
  std::copy(digest.begin(), digest.end(), out.payload.emplace().begin());
  return true;
}

bool parse_expectation(std::string_view text, expectation& out) {
  for (const auto& [value, name] : names) {
    if (name != text) continue;
    out = value;
    return true;
  }
  return false;
}

result<bytes> inflate_all(byte_view data) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return bad("zlib does not start");
  stream.next_in = const_cast<Bytef*>(u8(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  bytes out;
  int state = Z_OK;
  while (state == Z_OK) {
    const std::size_t before = out.size();
    out.resize(before + (std::size_t{1} << 20));
    stream.next_out = u8(out.data() + before);
    stream.avail_out = 1u << 20;
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return bad("wrong zlib data");
  return out;
}

status take_pair(std::string_view key, std::string_view value, test_vector& out,
                 bool& compressed) {
  bool known = true;
  if (key == "expect") {
    known = parse_expectation(value, out.expect);
  } else if (key == "payload") {
    known = parse_digest(value, out);
  } else if (key == "file key") {
    known = parse_hex(value, out.file_key);
  } else if (key == "identity") {
    out.identities.emplace_back(value);
  } else if (key == "passphrase") {
    out.passphrases.emplace_back(value);
  } else if (key == "armored") {
    known = value == "yes";
    out.armored = true;
  } else if (key == "compressed") {
    known = value == "zlib";
    compressed = true;
  } else if (key == "comment") {
    out.comment = value;
  } else {
    return unknown("key '" + std::string(key) + "'");
  }
  return known ? status{} : unknown("value of '" + std::string(key) + "'");
}

bool starts_with(const std::string& text, std::string_view prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace

std::string_view name_of(expectation e) noexcept {
  for (const auto& [value, name] : names) {
    if (value == e) return name;
  }
  return "?";
}

result<test_vector> parse_test_vector(byte_view text) {
  test_vector out;
  bool compressed = false;
  bool expected = false;
  std::string_view rest = as_text(text);
  for (;;) {
    const std::size_t lf = rest.find('\n');
    if (lf == std::string_view::npos) return bad("no empty line");
    const std::string_view line = rest.substr(0, lf);
    rest.remove_prefix(lf + 1);
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return bad("a line is no pair");
    const std::string_view key = line.substr(0, colon);
    status taken = take_pair(key, line.substr(colon + 2), out, compressed);
    if (!taken.ok()) return taken;
    expected = expected || key == "expect";
  }
  if (!expected) return bad("nothing is expected");
  const byte_view file = as_bytes(rest);
  if (!compressed) {
    out.file.assign(file.begin(), file.end());
    return out;
  }
  auto inflated = inflate_all(file);
  if (!inflated.ok()) return inflated.error();
  out.file = std::move(*inflated);
  return out;
}

result<age::decrypt_options> keys_of(const test_vector& vector) {
  age::decrypt_options options;
  for (const std::string& text : vector.identities) {
    auto parsed = age::identity::parse(text);
    if (!parsed.ok()) return unknown("an identity of another type");
    options.identities.push_back(std::move(*parsed));
  }
  if (!vector.passphrases.empty()) {
    options.passphrase = [text = vector.passphrases.front()] {
      return result<secret_string>(secret_string(text));
    };
  }
  return options;
}

std::optional<expectation> category_of(const status& end) {
  if (end.ok()) return expectation::success;
  if (end.code() == status_code::wrong_key) return expectation::no_match;
  if (end.code() != status_code::invalid_data) return std::nullopt;
  const std::string& text = end.message();
  if (starts_with(text, "header: MAC")) return expectation::hmac_failure;
  if (starts_with(text, "header: ")) return expectation::header_failure;
  if (starts_with(text, "armor: ")) return expectation::armor_failure;
  if (starts_with(text, "payload: ")) return expectation::payload_failure;
  return std::nullopt;
}

std::array<std::byte, 32> sha256(byte_view data) {
  std::array<std::byte, 32> out{};
  SHA256(u8(data.data()), data.size(), u8(out.data()));
  return out;
}

}  // namespace nexus::test
