// Points in time, as milliseconds since 1970, and how people read them.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <string_view>

namespace nexus::queue {

[[nodiscard]] std::int64_t now_ms();

// Local time: "2024-10-24 15:30:15".
[[nodiscard]] std::string show_time(std::int64_t ms);
// "2024-10-24T15:30:15Z".
[[nodiscard]] std::string show_utc(std::int64_t ms);
// "15:30" where that was today, else "Oct 24 15:30".
[[nodiscard]] std::string show_short_time(std::int64_t ms, std::int64_t now);
// "12s", "3m 20s", "2h 15m", "3d 4h".
[[nodiscard]] std::string show_duration(std::int64_t ms);

// Seconds of "90", "90s", "15m", "2h", "1d". invalid_argument: anything else,
// or more than ten years.
[[nodiscard]] result<std::int64_t> parse_duration(std::string_view text);

}  // namespace nexus::queue
