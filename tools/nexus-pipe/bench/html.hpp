// Pieces of HTML. Whatever comes in as text is escaped here. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nexus::tool::bench {

struct html_column {
  std::string name;
  bool number = false;  // stands to the right
};

struct html_table {
  std::string caption;
  std::vector<html_column> columns;
  std::vector<std::vector<std::string>> rows;
};
// In a box of its own that scrolls where it is too wide.
[[nodiscard]] std::string to_html(const html_table& table);

[[nodiscard]] std::string element(std::string_view tag, std::string_view text);
[[nodiscard]] std::string paragraph(std::string_view kind,
                                    std::string_view text);
// A name and its value, for within a <dl>.
[[nodiscard]] std::string entry(std::string_view name, std::string_view value);

}  // namespace nexus::tool::bench
