#include "times.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <ctime>

namespace nexus::queue {
namespace {

std::tm local(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

std::string show(const std::tm& parts, const char* format) {
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, format, &parts);
  return {text, size};
}

}  // namespace

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string show_time(std::int64_t ms) {
  return show(local(ms), "%Y-%m-%d %H:%M:%S");
}

std::string show_utc(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return show(parts, "%Y-%m-%dT%H:%M:%SZ");
}

std::string show_short_time(std::int64_t ms, std::int64_t now) {
  const std::tm then = local(ms);
  const std::tm today = local(now);
  const bool same =
      then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
  return show(then, same ? "%H:%M" : "%b %d %H:%M");
}

std::string show_duration(std::int64_t ms) {
  const std::int64_t s = ms < 0 ? 0 : ms / 1000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m {}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h {}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d {}h", s / 86400, s / 3600 % 24);
}

result<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  std::int64_t scale = 0;
  if (unit.empty() || unit == "s") scale = 1;
  if (unit == "m") scale = 60;
  if (unit == "h") scale = 3600;
  if (unit == "d") scale = 86400;
  constexpr std::int64_t most = std::int64_t{10} * 366 * 86400;
  if (error != std::errc{} || scale == 0 || value <= 0 ||
      value > most / scale) {
    return status(status_code::invalid_argument,
                  fmt::format("\"{}\" is no duration", text),
                  "such as 90s, 15m, 2h or 1d");
  }
  return value * scale;
}

}  // namespace nexus::queue
