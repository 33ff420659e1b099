// Amounts of memory as people write them.
#pragma once

#include <cstdint>
#include <string>

namespace nexus::hwinfo {

// "12 MiB", "1.5 GiB", "700 bytes": one decimal, rounded down, none where it
// is 0.
std::string size_text(std::uint64_t bytes);

}  // namespace nexus::hwinfo
