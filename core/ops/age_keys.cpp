#include "ops/age_keys.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/base64.hpp"

namespace nexus {
namespace {

constexpr std::string_view x25519_type = "X25519";
constexpr std::string_view x25519_info = "age-encryption.org/v1/X25519";
constexpr std::string_view scrypt_type = "scrypt";
constexpr std::string_view scrypt_info = "age-encryption.org/v1/scrypt";
constexpr std::size_t body_size = file_key::size() + aead_tag_size;
// The largest cost to encrypt with, and the largest that scrypt here can do.
constexpr int max_written_log_n = 22;
constexpr int max_possible_log_n = 30;
// Every wrapping key is used once, so its nonce may be fixed.
constexpr std::array<std::byte, 12> zero_nonce{};

bytes seal_body(const secret_array<32>& wrap_key, const file_key& key) {
  bytes body(body_size);
  seal_chacha20_poly1305(wrap_key.view(), zero_nonce, key.view(), body);
  return body;
}

bool open_body(const secret_array<32>& wrap_key, byte_view body,
               file_key& key) {
  return open_chacha20_poly1305(wrap_key.view(), zero_nonce, body, key.span());
}

// HKDF-SHA-256(shared, salt = share || recipient, info).
secret_array<32> x25519_wrap_key(const secret_array<32>& shared,
                                 std::span<const std::byte, 32> share,
                                 std::span<const std::byte, 32> recipient) {
  std::array<std::byte, 64> salt{};
  std::ranges::copy(share, salt.begin());
  std::ranges::copy(recipient, salt.begin() + 32);
  return hkdf_sha256(shared.view(), salt, as_bytes(x25519_info));
}

result<secret_array<32>> scrypt_wrap_key(std::string_view passphrase,
                                         std::span<const std::byte, 16> salt,
                                         int log_n) {
  const byte_view label = as_bytes(scrypt_info);
  bytes labelled(label.begin(), label.end());
  append(labelled, salt);
  return scrypt(passphrase, labelled, log_n);
}

result<age_stanza> wrap_for_recipient(const age::encrypt_options& options,
                                      const age::recipient& recipient,
                                      const file_key& key) {
  secret_array<32> ephemeral;
  if (options.fixed) {
    std::ranges::copy(options.fixed->ephemeral, ephemeral.data());
  } else if (status s = fill_random(ephemeral.span()); !s.ok()) {
    return s;
  }
  const auto share = x25519_public_key(ephemeral.view());
  const auto shared = x25519(ephemeral.view(), recipient.public_key());
  if (!shared.ok()) {
    return status{status_code::invalid_argument,
                  "a recipient is not a usable key: its point is of low order",
                  "remove " + recipient.to_string()};
  }
  const auto wrap_key =
      x25519_wrap_key(shared.value(), share, recipient.public_key());
  return age_stanza{std::string(x25519_type),
                    {encode_base64(share)},
                    seal_body(wrap_key, key)};
}

result<age_stanza> wrap_with_passphrase(const age::encrypt_options& options,
                                        const file_key& key) {
  if (options.scrypt_log_n < 1 || options.scrypt_log_n > max_written_log_n) {
    return status{status_code::invalid_argument,
                  "scrypt cost " + std::to_string(options.scrypt_log_n) +
                      " is out of range",
                  "use 1 to " + std::to_string(max_written_log_n)};
  }
  std::array<std::byte, 16> salt{};
  if (options.fixed) {
    salt = options.fixed->salt;
  } else if (status s = fill_random(salt); !s.ok()) {
    return s;
  }
  const auto passphrase = options.passphrase();
  if (!passphrase.ok()) return passphrase.error();
  if (passphrase.value().empty()) {
    return status{status_code::invalid_argument, "the passphrase is empty"};
  }
  const auto wrap_key =
      scrypt_wrap_key(passphrase.value().view(), salt, options.scrypt_log_n);
  if (!wrap_key.ok()) return wrap_key.error();
  return age_stanza{std::string(scrypt_type),
                    {encode_base64(salt), std::to_string(options.scrypt_log_n)},
                    seal_body(wrap_key.value(), key)};
}

struct x25519_stanza {
  std::array<std::byte, 32> share{};
  byte_view body;
};

struct scrypt_stanza {
  std::array<std::byte, 16> salt{};
  int log_n = 0;
  byte_view body;
};

// The stanzas of a header by what they are.
struct known_stanzas {
  std::vector<x25519_stanza> x25519;
  std::optional<scrypt_stanza> scrypt;
  // Types for a hint, each once and the first few alone: the file chooses how
  // many there are.
  std::vector<std::string_view> unknown;
};

constexpr std::size_t max_unknown = 5;

status malformed(const age_stanza& stanza, std::string_view what) {
  return {status_code::invalid_data,
          "age header: " + stanza.type + " stanza: " + std::string(what)};
}

// Before any key is tried: a body that could hold another plaintext size would
// make the AEAD an oracle that tells keys apart.
status check_shape(const age_stanza& stanza, std::size_t arguments) {
  if (stanza.args.size() != arguments) {
    return malformed(stanza, "the number of arguments is wrong");
  }
  if (stanza.body.size() != body_size) {
    return malformed(stanza, "the body is not 32 bytes long");
  }
  return {};
}

bool decode_exactly(std::string_view text, byte_span out) {
  const auto data = decode_base64(text);
  if (!data || data->size() != out.size()) return false;
  std::ranges::copy(*data, out.begin());
  return true;
}

// Of ^[1-9][0-9]*$; anything else is 0. More than int holds is its maximum.
int parse_log_n(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || text[0] == '0' || !std::ranges::all_of(text, is_digit)) {
    return 0;
  }
  int value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? value : std::numeric_limits<int>::max();
}

result<x25519_stanza> read_x25519(const age_stanza& stanza) {
  if (status s = check_shape(stanza, 1); !s.ok()) return s;
  x25519_stanza known{{}, stanza.body};
  if (!decode_exactly(stanza.args[0], known.share)) {
    return malformed(stanza, "the share is not 32 bytes of canonical base64");
  }
  return known;
}

result<scrypt_stanza> read_scrypt(const age_stanza& stanza, int max_log_n) {
  if (status s = check_shape(stanza, 2); !s.ok()) return s;
  scrypt_stanza known{{}, parse_log_n(stanza.args[1]), stanza.body};
  if (!decode_exactly(stanza.args[0], known.salt)) {
    return malformed(stanza, "the salt is not 16 bytes of canonical base64");
  }
  if (known.log_n == 0) {
    return malformed(stanza, "the cost is not a positive decimal number");
  }
  if (known.log_n > max_log_n) {
    return status{status_code::invalid_data,
                  "age header: scrypt stanza: the cost is above the limit of " +
                      std::to_string(max_log_n),
                  "raise the limit if you trust the file; each step doubles "
                  "time and memory"};
  }
  return known;
}

result<known_stanzas> sort_stanzas(const age_header& header, int max_log_n) {
  known_stanzas all;
  for (const age_stanza& stanza : header.stanzas) {
    if (stanza.type == x25519_type) {
      auto known = read_x25519(stanza);
      if (!known.ok()) return known.error();
      all.x25519.push_back(known.value());
    } else if (stanza.type == scrypt_type) {
      if (header.stanzas.size() != 1) {
        return malformed(stanza, "it is not the only stanza");
      }
      auto known = read_scrypt(stanza, max_log_n);
      if (!known.ok()) return known.error();
      all.scrypt = known.value();
    } else if (all.unknown.size() < max_unknown &&
               std::ranges::find(all.unknown, stanza.type) ==
                   all.unknown.end()) {
      all.unknown.emplace_back(stanza.type);
    }
  }
  return all;
}

std::string list_types(const std::vector<std::string_view>& types) {
  constexpr std::size_t longest = 40;
  std::string text;
  for (const std::string_view type : types) {
    if (!text.empty()) text += ", ";
    text += type.substr(0, longest);
    if (type.size() > longest) text += "...";
  }
  if (types.size() == max_unknown) text += " and maybe more";
  return text;
}

status nothing_fits(const known_stanzas& stanzas, bool had_identities) {
  const std::string others = list_types(stanzas.unknown);
  if (stanzas.x25519.empty()) {
    return {status_code::wrong_key,
            "the file is not encrypted to any type of key that is supported",
            "its stanza types are " + others +
                "; use a program that has such a key"};
  }
  const std::string known =
      "the file is encrypted to " + std::to_string(stanzas.x25519.size()) +
      (stanzas.x25519.size() == 1 ? " X25519 key" : " X25519 keys");
  const std::string rest =
      others.empty() ? "" : " and to stanza types not supported: " + others;
  if (!had_identities) {
    return {status_code::wrong_key, "no identity was given",
            known + rest + "; give an identity file for one of them"};
  }
  return {status_code::wrong_key, "no identity given opens the file",
          known + rest + "; give another identity file"};
}

result<file_key> try_identities(const known_stanzas& stanzas,
                                const std::vector<age::identity>& identities) {
  for (const age::identity& identity : identities) {
    const age::recipient own = identity.to_recipient();
    for (const x25519_stanza& stanza : stanzas.x25519) {
      const auto shared = x25519(identity.secret_key(), stanza.share);
      if (!shared.ok()) {
        return status{status_code::invalid_data,
                      "age header: X25519 stanza: the share is a point of low "
                      "order"};
      }
      const auto wrap_key =
          x25519_wrap_key(shared.value(), stanza.share, own.public_key());
      file_key key;
      if (open_body(wrap_key, stanza.body, key)) return key;
    }
  }
  return nothing_fits(stanzas, !identities.empty());
}

result<file_key> try_passphrase(const scrypt_stanza& stanza,
                                const age::passphrase_prompt& prompt) {
  if (!prompt) {
    return status{status_code::wrong_key,
                  "the file is encrypted with a passphrase, and none was given",
                  "give the passphrase; identities do not open this file"};
  }
  const auto passphrase = prompt();
  if (!passphrase.ok()) return passphrase.error();
  // Never written with one, so there is no need to spend the second.
  if (passphrase.value().empty()) {
    return status{status_code::wrong_key, "the passphrase is empty"};
  }
  const auto wrap_key =
      scrypt_wrap_key(passphrase.value().view(), stanza.salt, stanza.log_n);
  if (!wrap_key.ok()) return wrap_key.error();
  file_key key;
  if (open_body(wrap_key.value(), stanza.body, key)) return key;
  return status{status_code::wrong_key, "the passphrase is wrong",
                "check the keyboard layout and upper case"};
}

}  // namespace

result<std::vector<age_stanza>> wrap_file_key(
    const age::encrypt_options& options, const file_key& key) {
  const bool with_passphrase = static_cast<bool>(options.passphrase);
  if (options.recipients.empty() && !with_passphrase) {
    return status{status_code::invalid_argument,
                  "neither recipients nor a passphrase to encrypt to",
                  "give at least one recipient, or a passphrase"};
  }
  if (!options.recipients.empty() && with_passphrase) {
    return status{status_code::invalid_argument,
                  "both recipients and a passphrase to encrypt to",
                  "the format has a passphrase stand alone; give one of them"};
  }
  std::vector<age_stanza> stanzas;
  const auto add = [&](result<age_stanza> stanza) -> status {
    if (stanza.ok()) stanzas.push_back(std::move(stanza).value());
    return stanza.error();
  };
  if (with_passphrase) {
    if (status s = add(wrap_with_passphrase(options, key)); !s.ok()) return s;
  }
  for (const age::recipient& recipient : options.recipients) {
    status s = add(wrap_for_recipient(options, recipient, key));
    if (!s.ok()) return s;
  }
  return stanzas;
}

result<file_key> unwrap_file_key(const age_header& header, byte_view head,
                                 const age::decrypt_options& options) {
  if (options.max_scrypt_log_n < 1 ||
      options.max_scrypt_log_n > max_possible_log_n) {
    return status{status_code::invalid_argument,
                  "scrypt cost limit " +
                      std::to_string(options.max_scrypt_log_n) +
                      " is out of range",
                  "use 1 to " + std::to_string(max_possible_log_n)};
  }
  const auto stanzas = sort_stanzas(header, options.max_scrypt_log_n);
  if (!stanzas.ok()) return stanzas.error();
  auto key = stanzas.value().scrypt
                 ? try_passphrase(*stanzas.value().scrypt, options.passphrase)
                 : try_identities(stanzas.value(), options.identities);
  if (!key.ok()) return key;
  if (status s = verify_age_header(header, head, key.value()); !s.ok()) {
    return s;
  }
  return key;
}

payload_key derive_payload_key(const file_key& key,
                               std::span<const std::byte, 16> nonce) {
  return hkdf_sha256(key.view(), nonce, as_bytes("payload"));
}

}  // namespace nexus
