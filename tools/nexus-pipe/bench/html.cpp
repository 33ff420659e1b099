#include "bench/html.hpp"

#include "bench/chart.hpp"

namespace nexus::tool::bench {

std::string to_html(const html_table& table) {
  std::string text =
      "<div class=\"wide\" role=\"region\" tabindex=\"0\" "
      "aria-label=\"" +
      escaped(table.caption) + "\">\n<table>\n" +
      element("caption", table.caption) + "<thead><tr>";
  const auto begin = [](const char* tag, const html_column& column) {
    return std::string("<") + tag + (column.number ? " class=\"number\"" : "");
  };
  for (const html_column& column : table.columns) {
    text += begin("th", column) + " scope=\"col\">" + escaped(column.name) +
            "</th>";
  }
  text += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size() && i < table.columns.size(); ++i) {
      text += begin("td", table.columns[i]) + ">" + escaped(row[i]) + "</td>";
    }
    text += "</tr>\n";
  }
  return text + "</tbody>\n</table>\n</div>\n";
}

std::string element(std::string_view tag, std::string_view text) {
  std::string out = "<";
  out.append(tag).append(">").append(escaped(text));
  return out.append("</").append(tag).append(">\n");
}

std::string paragraph(std::string_view kind, std::string_view text) {
  std::string out = "<p class=\"";
  out.append(kind).append("\">").append(escaped(text));
  return out.append("</p>\n");
}

std::string entry(std::string_view name, std::string_view value) {
  return element("dt", name) + element("dd", value);
}

}  // namespace nexus::tool::bench
