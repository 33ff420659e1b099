#include "bench/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace nexus::tool::bench {
namespace {

// Units of the drawing: about a pixel each on a telephone.
constexpr double width = 400;

// A box on the drawing and the values that stand at its edges.
struct frame {
  double left, top, right, bottom;
  double least_x, most_x, most_y;

  [[nodiscard]] double x(double value) const {
    const double range = most_x - least_x;
    const double part = range > 0 ? (value - least_x) / range : 0.5;
    return left + part * (right - left);
  }
  [[nodiscard]] double y(double value) const {
    const double part = most_y > 0 ? value / most_y : 0;
    return bottom - std::clamp(part, 0.0, 1.0) * (bottom - top);
  }
};

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + coordinate(value) + "\"";
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + kind + "\"" + attribute("x1", x1) +
         attribute("y1", y1) + attribute("x2", x2) + attribute("y2", y2) +
         "/>\n";
}

// anchor: start, middle or end.
std::string words(const char* kind, const char* anchor, double x, double y,
                  std::string_view text) {
  return std::string("<text class=\"") + kind + "\" text-anchor=\"" + anchor +
         "\"" + attribute("x", x) + attribute("y", y) + ">" + escaped(text) +
         "</text>\n";
}

// Series differ in their marks, too, for those who see no colours.
std::string mark(std::size_t series, double x, double y) {
  const std::string kind = "<path class=\"s" + std::to_string(series % 4) +
                           " dot\" d=\"M" + coordinate(x) + " " + coordinate(y);
  constexpr std::array shapes{"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
                              "m-3.5 -3.5h7v7h-7z", "m0 -4.5l4.5 8h-9z",
                              "m0 -5l5 5l-5 5l-5 -5z"};
  return kind + shapes[series % shapes.size()] + "\"/>\n";
}

std::string number(double value) {
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.6g", value);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string opening(const std::string& id, const std::string& title,
                    const std::string& description, double height) {
  const std::string name = escaped(id);
  return "<svg role=\"img\" viewBox=\"0 0 " + coordinate(width) + " " +
         coordinate(height) + "\" aria-labelledby=\"" + name + "-t " + name +
         "-d\">\n<title id=\"" + name + "-t\">" + escaped(title) +
         "</title>\n<desc id=\"" + name + "-d\">" + escaped(description) +
         "</desc>\n";
}

double highest(const line_chart& chart) {
  double most = chart.level ? chart.level->at : 0;
  if (chart.slope)
    most = std::max(most, *chart.slope * chart.x_marks.back().at);
  for (const chart_series& series : chart.series) {
    for (const chart_point& point : series.points) {
      most = std::max({most, point.y, point.high});
    }
  }
  return most;
}

std::string draw_axes(const line_chart& chart, const frame& box,
                      const std::vector<double>& marks) {
  std::string text;
  for (const double at : marks) {
    text += line("grid", box.left, box.y(at), box.right, box.y(at));
    text += words("tick", "end", box.left - 6, box.y(at) + 4, number(at));
  }
  for (const chart_mark& at : chart.x_marks) {
    text +=
        line("axis", box.x(at.at), box.bottom, box.x(at.at), box.bottom + 4);
    text += words("tick", "middle", box.x(at.at), box.bottom + 18, at.text);
  }
  text += line("axis", box.left, box.bottom, box.right, box.bottom);
  text += words("label", "middle", (box.left + box.right) / 2, box.bottom + 36,
                chart.x_label);
  return text + words("label", "start", 0, box.top - 12, chart.y_label);
}

std::string draw_series(const chart_series& series, std::size_t number_of,
                        const frame& box) {
  std::string path;
  std::string marks;
  for (const chart_point& point : series.points) {
    const double x = box.x(point.x);
    path += (path.empty() ? "M" : "L") + coordinate(x) + " " +
            coordinate(box.y(point.y));
    marks += line(("s" + std::to_string(number_of % 4) + " spread").c_str(), x,
                  box.y(point.low), x, box.y(point.high));
    marks += mark(number_of, x, box.y(point.y));
  }
  return "<path class=\"s" + std::to_string(number_of % 4) + " line\" d=\"" +
         path + "\"/>\n" + marks;
}

std::string draw_legend(const line_chart& chart, double y) {
  std::string text;
  double x = 72;  // behind the unit
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    text += mark(i, x, y - 4);
    text += words("tick", "start", x + 9, y, chart.series[i].name);
    x += 24 + 7 * static_cast<double>(chart.series[i].name.size());
  }
  return text;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (code < 0x20 || code == 0x7f) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

std::string coordinate(double value) {
  if (!std::isfinite(value) || std::fabs(value) > 1e9) return "0";
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.2f", value);
  std::string made(text.data(), static_cast<std::size_t>(size));
  made.erase(made.find_last_not_of('0') + 1);
  if (made.back() == '.') made.pop_back();
  return made == "-0" ? "0" : made;
}

std::vector<double> even_marks(double most, unsigned count) {
  if (!(most > 0) || !std::isfinite(most) || count == 0) return {0, 1};
  const double rough = most / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999999) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> marks{0};
  while (marks.back() < most * 0.999999) {
    marks.push_back(step * static_cast<double>(marks.size()));
  }
  return marks;
}

std::vector<double> decade_marks(double least, double most) {
  if (!(least > 0) || !(most >= least) || !std::isfinite(most)) return {1, 10};
  const int first = static_cast<int>(std::floor(std::log10(least)));
  int last = static_cast<int>(std::ceil(std::log10(most)));
  if (last == first) ++last;
  std::vector<double> marks;
  for (int i = first; i <= last; ++i) marks.push_back(std::pow(10, i));
  return marks;
}

std::string draw(const line_chart& chart) {
  constexpr double height = 260;
  const std::vector<double> marks = even_marks(highest(chart), 4);
  const frame box{44,
                  28,
                  width - 24,
                  height - 44,
                  chart.x_marks.front().at,
                  chart.x_marks.back().at,
                  marks.back()};
  std::string text = opening(chart.id, chart.title, chart.description, height);
  text += draw_axes(chart, box, marks);
  if (chart.series.size() > 1) text += draw_legend(chart, box.top - 12);
  if (chart.level) {
    const double y = box.y(chart.level->at);
    text += line("level", box.left, y, box.right, y);
    text += words("tick", "end", box.right, y - 5, chart.level->text);
  }
  if (chart.slope) {
    const double end = chart.x_marks.back().at;
    text += line("level", box.x(0), box.y(0), box.x(end),
                 box.y(*chart.slope * end));
  }
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    text += draw_series(chart.series[i], i, box);
  }
  return text + "</svg>\n";
}

std::string draw(const dot_chart& chart) {
  constexpr double row_height = 28;
  constexpr double top = 8;
  double least = 0;
  double most = 0;
  for (const dot_row& row : chart.rows) {
    const double low = row.low > 0 ? row.low : row.value;
    least = least == 0 ? low : std::min(least, low);
    most = std::max({most, row.high, row.value});
  }
  const std::vector<double> marks = decade_marks(least, most);
  const double bottom =
      top + row_height * static_cast<double>(chart.rows.size());
  const frame box{118,
                  top,
                  width - 76,
                  bottom,
                  std::log10(marks.front()),
                  std::log10(marks.back()),
                  1};
  std::string text =
      opening(chart.id, chart.title, chart.description, bottom + 44);
  for (const double at : marks) {
    const double x = box.x(std::log10(at));
    text += line("grid", x, top, x, bottom);
    text += words("tick", "middle", x, bottom + 18, number(at));
  }
  text += words("label", "middle", (box.left + box.right) / 2, bottom + 36,
                chart.x_label);
  double y = top + row_height / 2;
  for (const dot_row& row : chart.rows) {
    const auto place = [&box](double value) {
      return box.x(std::log10(std::max(value, 1e-12)));
    };
    text += words("tick", "end", box.left - 10, y + 4, row.name);
    text += line("s0 spread", place(row.low), y, place(row.high), y);
    text += mark(0, place(row.value), y);
    text += words("value", "start", box.right + 8, y + 4, row.text);
    y += row_height;
  }
  return text + "</svg>\n";
}

}  // namespace nexus::tool::bench
