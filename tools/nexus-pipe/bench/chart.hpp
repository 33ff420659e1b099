// Charts as SVG text for a page that has their classes in its style. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::tool::bench {

// For text and for attributes in double quotes. Control characters become
// spaces; bytes that are not ASCII stay, as the page is UTF-8.
[[nodiscard]] std::string escaped(std::string_view text);

// A number for SVG: at most two decimals, never an exponent; 0 for what is not
// finite.
[[nodiscard]] std::string coordinate(double value);

// Marks of an axis from 0 to at least `most`, in steps of 1, 2 or 5 times a
// power of ten, about `count` of them. {0, 1} where most is not above 0.
[[nodiscard]] std::vector<double> even_marks(double most, unsigned count);

// The powers of ten around [least, most], both above 0: {0.1, 1, 10}.
[[nodiscard]] std::vector<double> decade_marks(double least, double most);

struct chart_point {
  double x = 0;
  double y = 0;
  double low = 0;  // of the spread
  double high = 0;
};

struct chart_series {
  std::string name;
  std::vector<chart_point> points;  // by rising x
};

struct chart_mark {
  double at = 0;
  std::string text;
};

struct line_chart {
  std::string id;           // of the page's elements, unique in it
  std::string title;        // read aloud
  std::string description;  // read aloud: what it shows
  std::string x_label;
  std::string y_label;
  std::vector<chart_mark> x_marks;  // at least one, by rising place
  std::vector<chart_series> series;
  std::optional<chart_mark> level;  // a horizontal line to compare with
  std::optional<double> slope;      // of a line from the origin, the same
};
[[nodiscard]] std::string draw(const line_chart& chart);

struct dot_row {
  std::string name;
  double value = 0;  // above 0
  double low = 0;
  double high = 0;
  std::string text;  // the value in words
};

// Values of very different sizes, on a scale of powers of ten.
struct dot_chart {
  std::string id;
  std::string title;
  std::string description;
  std::string x_label;
  std::vector<dot_row> rows;
};
[[nodiscard]] std::string draw(const dot_chart& chart);

}  // namespace nexus::tool::bench
