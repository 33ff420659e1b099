// One line of a dashboard, filled from the left and never too wide.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "dashboard/layout.hpp"

namespace nexus::tool {

class line_writer {
 public:
  line_writer(std::size_t columns, bool unicode)
      : columns_(columns), unicode_(unicode) {}

  // What does not fit is cut.
  void add(std::string_view text, text_style style = text_style::plain);
  // Nothing where it is past that already.
  void pad_to(std::size_t column);
  // At the right edge, after a space at least; left out where it does not fit.
  void add_right(std::string_view text, text_style style = text_style::plain);
  // A filled part of a bar; part: 0 to 1.
  void gauge(double part, std::size_t columns, text_style style);
  // One row of a curve that is several rows high; row 0 is the lowest.
  void curve(const std::vector<double>& values, double most, std::size_t rows,
             std::size_t row, text_style style);

  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  [[nodiscard]] screen_line take() && { return std::move(line_); }

 private:
  const std::size_t columns_;
  const bool unicode_;
  std::size_t used_ = 0;
  screen_line line_;
};

}  // namespace nexus::tool
