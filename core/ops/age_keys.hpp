// File keys in and out of stanzas, and the payload key (C2SP age
// specification, "Recipient types" and "Payload").
#pragma once

#include <nexus/age.hpp>
#include <vector>

#include "base/bytes.hpp"
#include "format/age_header.hpp"

namespace nexus {

using payload_key = secret_array<32>;

// One X25519 stanza per recipient, or one scrypt stanza. May take a second
// and ask for the passphrase. invalid_argument: neither or both were given,
// an empty passphrase, a cost out of range.
[[nodiscard]] result<std::vector<age_stanza>> wrap_file_key(
    const age::encrypt_options& options, const file_key& key);

// Tries the identities, or the passphrase where the file has one, and checks
// the header's MAC. wrong_key: nothing fits, with a hint. invalid_data: a
// stanza of a known type is malformed, scrypt is not alone, its cost is too
// high, or the MAC is wrong.
[[nodiscard]] result<file_key> unwrap_file_key(
    const age_header& header, byte_view head,
    const age::decrypt_options& options);

// HKDF-SHA-256(file key, salt = nonce, info = "payload").
[[nodiscard]] payload_key derive_payload_key(
    const file_key& key, std::span<const std::byte, 16> nonce);

}  // namespace nexus
