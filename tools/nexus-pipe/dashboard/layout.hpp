// A dashboard as lines of text, for a screen of any size. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dashboard/model.hpp"

namespace nexus::tool {

enum class text_style {
  plain,
  heading,
  faint,
  good,
  warning,
  bad,
  read,
  write
};

struct styled_text {
  std::string text;  // UTF-8 without control characters
  text_style style = text_style::plain;
};
using screen_line = std::vector<styled_text>;

struct screen_shape {
  std::size_t rows = 0;
  std::size_t columns = 0;
  bool unicode = true;  // false: ASCII alone
};

// Columns that a terminal needs for it: 2 for what is wide, 0 for what
// combines. Bytes that are no UTF-8 count as 1.
[[nodiscard]] std::size_t width_of(std::string_view text) noexcept;

// Cut to the width; control characters and broken UTF-8 become '?', and all
// that is not ASCII where that is asked for.
[[nodiscard]] std::string fitted(std::string_view text, std::size_t columns,
                                 bool unicode = true);

// At most as many lines as there are rows, none wider than the columns.
[[nodiscard]] std::vector<screen_line> lay_out(const dashboard_model& model,
                                               const screen_shape& shape);

}  // namespace nexus::tool
