// Rows of text in aligned columns.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace nexus::tool {

// Control characters, which a driver's or a file's name may hold, as '?'.
[[nodiscard]] std::string printable(std::string text);

class table {
 public:
  void add(std::vector<std::string> cells) {
    rows_.push_back(std::move(cells));
  }
  // Two spaces between columns, none at the end of a line. All printable().
  // Columns that are empty in every row but the first, their heading, are left
  // out.
  [[nodiscard]] std::string text(const std::string& indent) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace nexus::tool
