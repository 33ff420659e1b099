// Widths of text on a terminal.
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "dashboard/layout.hpp"

namespace nexus::tool {
namespace {

using range = std::pair<char32_t, char32_t>;

// Unicode's combining marks and East Asian wide characters, by their blocks.
constexpr std::array<range, 9> combining{{{0x300, 0x36f},
                                          {0x483, 0x489},
                                          {0x591, 0x5bd},
                                          {0x610, 0x61a},
                                          {0x64b, 0x65f},
                                          {0x1ab0, 0x1aff},
                                          {0x200b, 0x200f},
                                          {0x20d0, 0x20ff},
                                          {0xfe00, 0xfe0f}}};
constexpr std::array<range, 9> wide{{{0x1100, 0x115f},
                                     {0x2e80, 0x303e},
                                     {0x3041, 0xa4cf},
                                     {0xac00, 0xd7a3},
                                     {0xf900, 0xfaff},
                                     {0xfe30, 0xfe6f},
                                     {0xff00, 0xff60},
                                     {0x1f300, 0x1faff},
                                     {0x20000, 0x3fffd}}};

bool is_in(const auto& ranges, char32_t c) noexcept {
  return std::any_of(ranges.begin(), ranges.end(), [c](const range& one) {
    return c >= one.first && c <= one.second;
  });
}

struct letter {
  std::size_t bytes = 1;
  std::size_t columns = 1;
  bool good = false;  // may be shown as it is
};

// The first of a text that is not empty.
letter first_of(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) {
    return static_cast<std::uint8_t>(text[i]);
  };
  if (byte(0) < 0x80) return {1, 1, byte(0) >= 0x20 && byte(0) != 0x7f};
  const std::size_t size = byte(0) >= 0xf0   ? 4
                           : byte(0) >= 0xe0 ? 3
                           : byte(0) >= 0xc2 ? 2
                                             : 0;
  if (size == 0 || size > text.size() || byte(0) > 0xf4) return {};
  char32_t code = byte(0) & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  // C1 controls do what escape sequences do; surrogates are no characters, and
  // marks of direction would turn the line around.
  const bool bad = code < least[size] || code < 0xa0 || code > 0x10ffff ||
                   is_in(std::array<range, 3>{{{0xd800, 0xdfff},
                                               {0x202a, 0x202e},
                                               {0x2066, 0x2069}}},
                         code);
  if (bad) return {size, 1, false};
  return {size,
          is_in(combining, code) ? 0u
          : is_in(wide, code)    ? 2u
                                 : 1u,
          true};
}

}  // namespace

std::size_t width_of(std::string_view text) noexcept {
  std::size_t columns = 0;
  while (!text.empty()) {
    const letter one = first_of(text);
    columns += one.columns;
    text.remove_prefix(one.bytes);
  }
  return columns;
}

std::string fitted(std::string_view text, std::size_t columns, bool unicode) {
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const letter one = first_of(text);
    const bool shown = one.good && (unicode || one.bytes == 1);
    const std::size_t width = shown ? one.columns : 1;
    if (used + width > columns) break;
    used += width;
    shown ? out.append(text.substr(0, one.bytes)) : out.append("?");
    text.remove_prefix(one.bytes);
  }
  return out;
}

}  // namespace nexus::tool
