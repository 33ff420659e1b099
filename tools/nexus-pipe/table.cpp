#include "table.hpp"

#include <algorithm>
#include <cstddef>

namespace nexus::tool {

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string table::text(const std::string& indent) const {
  std::vector<std::size_t> widths;
  std::vector<bool> shown;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    widths.resize(std::max(widths.size(), rows_[r].size()));
    shown.resize(widths.size());
    for (std::size_t c = 0; c < rows_[r].size(); ++c) {
      widths[c] = std::max(widths[c], rows_[r][c].size());
      if (!rows_[r][c].empty() && (r > 0 || rows_.size() == 1)) shown[c] = true;
    }
  }
  std::string all;
  for (const std::vector<std::string>& row : rows_) {
    std::string line = indent;
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (!shown[c]) continue;
      line += printable(row[c]);
      line.append(widths[c] - row[c].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  }
  return all;
}

}  // namespace nexus::tool
