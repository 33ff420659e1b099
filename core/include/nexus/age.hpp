// Keys and operations of the age v1 format (C2SP age specification): any age
// implementation reads what encrypt writes, and the other way round.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nexus/export.hpp>
#include <nexus/operation.hpp>
#include <nexus/secret.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::age {

// A public key that files are encrypted to (X25519, "age1...").
class NEXUS_API recipient {
 public:
  // Bech32, lower or upper case throughout.
  [[nodiscard]] static result<recipient> parse(std::string_view text);
  [[nodiscard]] static recipient from_public_key(
      std::span<const std::byte, 32> key) noexcept;
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::span<const std::byte, 32> public_key() const noexcept {
    return key_;
  }
  friend bool operator==(const recipient&, const recipient&) = default;

 private:
  std::array<std::byte, 32> key_{};
};

// A secret key that opens them ("AGE-SECRET-KEY-1..."). Wiped when it goes.
class NEXUS_API identity {
 public:
  // From the system's random generator. io_error where that fails.
  [[nodiscard]] static result<identity> generate();
  [[nodiscard]] static result<identity> parse(std::string_view text);
  [[nodiscard]] secret_string to_string() const;
  [[nodiscard]] recipient to_recipient() const;
  [[nodiscard]] std::span<const std::byte, 32> secret_key() const noexcept {
    return key_.view();
  }

 private:
  secret_array<32> key_;
};

// Files of keys: one a line, '#' comments and empty lines skipped, CRLF
// tolerated. name is used in messages ("NAME: line 3: ..."). Refused with
// invalid_data: no key at all, text that is not UTF-8, a line over 8 KiB.
[[nodiscard]] NEXUS_API result<std::vector<recipient>> parse_recipients(
    std::string_view text, std::string_view name);
[[nodiscard]] NEXUS_API result<std::vector<identity>> parse_identities(
    std::string_view text, std::string_view name);

// Asks whoever holds it. Called on a helper thread, which it may block.
using passphrase_prompt = std::function<result<secret_string>()>;

// For tests of identical output alone: replaces what is otherwise fresh from
// the system's random generator. Two files with the same key and nonce tell
// whoever has both what differs between them.
struct fixed_secrets {
  std::array<std::byte, 16> file_key{};
  std::array<std::byte, 16> nonce{};
  std::array<std::byte, 32> ephemeral{};  // of each X25519 stanza
  std::array<std::byte, 16> salt{};       // of the scrypt stanza
};

// What is checked of what a device made, on a helper thread before it is
// written: chunks of a segment are opened with the file's key and compared with
// the input, and lines of armor are encoded again. A segment in which one is
// wrong is done again elsewhere.
enum class output_check {
  none,
  // Of a segment by a device that is no processor of this process (a GPU's,
  // say): the first chunk, the last, and one that nobody can foretell. Garbage
  // is always found; of a segment of n chunks with one bad one inside, one in
  // n - 2. Of armor, 64 lines count as a chunk.
  sample,
  all,  // every chunk and line, whoever made it
};

struct encrypt_options {
  // Either recipients, at least one, or a passphrase.
  std::vector<recipient> recipients;
  passphrase_prompt passphrase;
  // log2 of scrypt's cost, 1 to 22; 18 takes 256 MiB and about a second.
  int scrypt_log_n = 18;
  bool armor = false;  // PEM text instead of binary
  output_check verify_output = output_check::sample;

  std::optional<fixed_secrets> fixed;  // for tests alone
};

struct decrypt_options {
  std::vector<identity> identities;
  // Used for a passphrase file alone; without one those are refused.
  passphrase_prompt passphrase;
  int max_scrypt_log_n = 22;
};

// Options are checked in the prologue: a run reports what is wrong with them.
// Parameters: the segment size is free; the output is the same for each.
[[nodiscard]] NEXUS_API std::unique_ptr<operation> make_encrypt(
    encrypt_options options);
// Armor is detected. Releases a chunk only once it is authenticated.
[[nodiscard]] NEXUS_API std::unique_ptr<operation> make_decrypt(
    decrypt_options options);

// What a file says of itself without a key.
struct description {
  bool armored = false;
  std::vector<std::string> stanza_types;
  std::uint64_t header_bytes = 0;    // binary form, without the nonce
  std::uint64_t armor_bytes = 0;     // what armor adds
  std::uint64_t overhead_bytes = 0;  // nonce and tags
  std::uint64_t payload_bytes = 0;   // plaintext
};
// read: fills part of a buffer, 0 at the end. Reads the whole stream, since
// only its length tells the sizes; invalid_data where they cannot be right.
[[nodiscard]] NEXUS_API result<description> inspect(
    const std::function<result<std::size_t>(std::span<std::byte>)>& read);

}  // namespace nexus::age
