// Many jobs of one line: the numbers of `add --array`, and where they go. Also
// sizes of memory. Pure text.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::queue {

inline constexpr std::size_t most_in_array = 10000;

// "0-9", "1,3,5-7", "0-100:10", in that order. invalid_argument: anything else,
// a number twice, or more than most_in_array.
[[nodiscard]] result<std::vector<std::int64_t>> parse_array(
    std::string_view text);

// The text with every {} replaced.
[[nodiscard]] std::string fill_in(std::string_view text, std::int64_t index);
[[nodiscard]] bool has_gap(std::string_view text) noexcept;

// MiB of "10G", "800M", "1T", also with a B or iB behind. invalid_argument:
// anything else.
[[nodiscard]] result<std::int64_t> parse_memory(std::string_view text);

}  // namespace nexus::queue
