#include "dashboard/line_writer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace nexus::tool {
namespace {

constexpr std::array<const char*, 9> blocks{"\u0020", "\u2581", "\u2582",
                                            "\u2583", "\u2584", "\u2585",
                                            "\u2586", "\u2587", "\u2588"};
constexpr std::array<const char*, 9> plain_blocks{" ", ".", ".", ":", ":",
                                                  "-", "=", "+", "#"};

}  // namespace

void line_writer::add(std::string_view text, text_style style) {
  std::string shown = fitted(text, columns_ - used_, unicode_);
  if (shown.empty()) return;
  used_ += width_of(shown);
  line_.push_back({std::move(shown), style});
}

void line_writer::pad_to(std::size_t column) {
  if (column > used_) add(std::string(column - used_, ' '));
}

void line_writer::add_right(std::string_view text, text_style style) {
  const std::size_t width = width_of(text);
  if (used_ + 1 + width > columns_) return;
  pad_to(columns_ - width);
  add(text, style);
}

void line_writer::gauge(double part, std::size_t columns, text_style style) {
  const auto filled = static_cast<std::size_t>(
      std::lround(std::clamp(part, 0.0, 1.0) * static_cast<double>(columns)));
  std::string bar;
  for (std::size_t i = 0; i < filled; ++i) bar += unicode_ ? "\u2588" : "#";
  add(bar, style);
  bar.clear();
  for (std::size_t i = filled; i < columns; ++i)
    bar += unicode_ ? "\u2591" : ".";
  add(bar, text_style::faint);
}

void line_writer::curve(const std::vector<double>& values, double most,
                        std::size_t rows, std::size_t row, text_style style) {
  std::string drawn;
  const auto steps = static_cast<long>(rows * 8);
  for (const double value : values) {
    long height = most > 0 ? std::lround(value / most * double(steps)) : 0;
    if (value > 0) height = std::max(height, 1l);  // little is not nothing
    const auto part = static_cast<std::size_t>(
        std::clamp(height - static_cast<long>(row * 8), 0l, 8l));
    drawn += unicode_ ? blocks[part] : plain_blocks[part];
  }
  add(drawn, style);
}

}  // namespace nexus::tool
