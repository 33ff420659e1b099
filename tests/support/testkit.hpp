// Reads test vectors of the CCTV age testkit (C2SP, "age test vectors"): lines
// of "key: value", an empty line, then a file that is to be decrypted.
#pragma once

#include <array>
#include <cstddef>
#include <nexus/age.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace nexus::test {

enum class expectation {
  success,
  no_match,
  hmac_failure,
  header_failure,
  armor_failure,
  payload_failure,
};

[[nodiscard]] std::string_view name_of(expectation e) noexcept;

struct test_vector {
  expectation expect = expectation::success;
  // SHA-256 of all that is released, failure or not.
  std::optional<std::array<std::byte, 32>> payload;
  std::vector<std::string> identities;
  std::vector<std::string> passphrases;
  bytes file_key;  // of any length; empty where none is told
  bool armored = false;
  std::string comment;
  bytes file;  // decompressed
};

// unsupported: a key or value that this reader does not know, to be skipped.
// invalid_data: not a vector.
[[nodiscard]] result<test_vector> parse_test_vector(byte_view text);

// Options with the keys of the vector; the first passphrase answers the
// prompt. unsupported: an identity of a type that the library does not have.
[[nodiscard]] result<age::decrypt_options> keys_of(const test_vector& vector);

// What a run that ended so would be called; by the code and the stable start
// of the message. Empty: neither the data nor the key.
[[nodiscard]] std::optional<expectation> category_of(const status& end);

[[nodiscard]] std::array<std::byte, 32> sha256(byte_view data);

}  // namespace nexus::test
