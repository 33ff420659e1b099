#include "hwinfo/size.hpp"

#include <charconv>
#include <nexus/hardware.hpp>
#include <optional>
#include <string_view>

namespace nexus {
namespace {

constexpr std::string_view units = "KMGT";
constexpr std::string_view digits = "0123456789";

std::string_view take_digits(std::string_view& rest) {
  const auto end = rest.find_first_not_of(digits);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(taken.size());
  return taken;
}

// "K", "KB", "KiB" and so on; 1 for nothing.
std::optional<std::uint64_t> unit_of(std::string_view suffix) {
  if (suffix.empty()) return 1;
  const auto at = units.find(suffix.front());
  if (at == units.npos) return std::nullopt;
  suffix.remove_prefix(1);
  if (!suffix.empty() && suffix != "B" && suffix != "iB") return std::nullopt;
  return std::uint64_t{1} << (10 * (at + 1));
}

// floor(0.decimals x unit). From the last digit to the first, since a floor of
// a floor loses nothing here, and no digit is too many.
std::uint64_t part_of(std::string_view decimals, std::uint64_t unit) {
  std::uint64_t part = 0;
  for (auto d = decimals.rbegin(); d != decimals.rend(); ++d) {
    part = (static_cast<std::uint64_t>(*d - '0') * unit + part) / 10;
  }
  return part;
}

std::optional<std::uint64_t> size_of(std::string_view text) {
  const std::string_view whole = take_digits(text);
  std::uint64_t count = 0;
  const char* end = whole.data() + whole.size();
  if (whole.empty()) return std::nullopt;
  if (std::from_chars(whole.data(), end, count).ec != std::errc{}) {
    return std::nullopt;
  }
  std::string_view decimals;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    decimals = take_digits(text);
    // A part of a byte, or a point with nothing after it.
    if (decimals.empty() || text.empty()) return std::nullopt;
  }
  const auto unit = unit_of(text);
  if (!unit || count > UINT64_MAX / *unit) return std::nullopt;
  // No overflow: the units are powers of two, so what is left of the range
  // above count holds every part of a unit.
  count = count * *unit + part_of(decimals, *unit);
  return count == 0 ? std::nullopt : std::optional(count);
}

}  // namespace

result<std::uint64_t> parse_size(std::string_view text) {
  if (const auto size = size_of(text)) return *size;
  std::string shown(text.substr(0, 40));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return status(status_code::invalid_argument,
                "'" + shown + "' is not a size in bytes",
                "write a number above 0, with K, M, G or T if wanted: 65536, "
                "128M, 1.5GiB");
}

std::string hwinfo::size_text(std::uint64_t bytes) {
  std::size_t at = 0;
  std::uint64_t unit = 1024;
  if (bytes < unit)
    return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  while (at + 1 < units.size() && bytes / unit >= 1024) {
    unit *= 1024;
    ++at;
  }
  const std::uint64_t tenth = bytes % unit * 10 / unit;
  std::string text = std::to_string(bytes / unit);
  if (tenth != 0) text += '.' + std::to_string(tenth);
  return text + ' ' + units[at] + "iB";
}

}  // namespace nexus
