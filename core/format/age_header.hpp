// The header of an age v1 file: text stanzas and a MAC (C2SP age
// specification, "Header"). Bytes to structs and back; no keys but the MAC's.
#pragma once

#include <array>
#include <cstddef>
#include <nexus/secret.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace nexus {

using file_key = secret_array<16>;

struct age_stanza {
  std::string type;
  std::vector<std::string> args;  // without the type
  bytes body;
};

struct age_header {
  std::vector<age_stanza> stanzas;  // at least one
  std::array<std::byte, 32> mac{};
  std::size_t size = 0;      // bytes of the whole header in the input
  std::size_t mac_size = 0;  // bytes that the MAC covers: up to and with "---"
};

// Strict and canonical. head: the first bytes of the file; at_end: there are
// no more. Empty: more bytes are needed. invalid_data: names what is wrong and
// at which byte. A header over 16 MiB is refused.
[[nodiscard]] result<std::optional<age_header>> parse_age_header(byte_view head,
                                                                 bool at_end);

// The header with its MAC under the file key.
[[nodiscard]] bytes serialize_age_header(const std::vector<age_stanza>& stanzas,
                                         const file_key& key);

// invalid_data where the MAC of the header at the start of head is wrong.
[[nodiscard]] status verify_age_header(const age_header& header, byte_view head,
                                       const file_key& key);

}  // namespace nexus
