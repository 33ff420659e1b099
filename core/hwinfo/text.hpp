// Reading the small text files of /proc and /sys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nexus::hwinfo {

// The whole file, at most 4 MiB of it; nullopt where it cannot be read.
std::optional<std::string> read_text(const std::string& path);

// A decimal number and nothing else but white space around it.
std::optional<std::uint64_t> parse_u64(std::string_view text);

// Takes the text up to the separator off the front of `rest`.
std::string_view take_until(std::string_view& rest, char separator);

// Takes the next word off the front of `rest`; empty at the end.
std::string_view take_word(std::string_view& rest);

// The number after `key` on the line that begins with it: "MemTotal: 12 kB",
// "inactive_file 4096". nullopt where there is none.
std::optional<std::uint64_t> field(std::string_view text, std::string_view key);

}  // namespace nexus::hwinfo
