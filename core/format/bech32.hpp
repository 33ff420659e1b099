// Bech32 (BIP-173) as age uses it: without the limit of 90 characters, and for
// secrets as well, so no copy of the data is left behind.
#pragma once

#include <cstddef>
#include <nexus/secret.hpp>
#include <nexus/status.hpp>
#include <string_view>

#include "base/bytes.hpp"

namespace nexus {

// The human-readable part: what stands before the last '1'. Empty where there
// is none, or where text is not Bech32 with a right checksum.
[[nodiscard]] std::string_view bech32_prefix(std::string_view text);

// In upper case throughout where the prefix has an upper-case letter. prefix:
// characters 0x21 to 0x7E, at least one, not of mixed case.
[[nodiscard]] secret_string encode_bech32(std::string_view prefix,
                                          byte_view data);

// Fills out, which must fit exactly. invalid_data, with a message that says
// what is wrong and holds nothing of the text: mixed case, a character outside
// of the alphabet, a wrong checksum, another prefix or length, unused bits
// that are not zero. out holds zeros then.
[[nodiscard]] status decode_bech32(std::string_view text,
                                   std::string_view prefix, byte_span out);

}  // namespace nexus
