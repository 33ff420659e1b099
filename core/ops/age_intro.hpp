// The start of an age file as a user may have it: the header, or a hint at
// what the input is instead.
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "format/age_header.hpp"

namespace nexus {

// As parse_age_header, with messages that begin with "header: " (or "armor: "
// for armor that is mangled at its first line) and hints. Never empty if
// at_end. decoded: head is what armor held.
[[nodiscard]] result<std::optional<age_header>> read_age_header(byte_view head,
                                                                bool at_end,
                                                                bool decoded);

// The same failure with "header: " ahead of a message about the data.
[[nodiscard]] status in_header(const status& failure);

}  // namespace nexus
