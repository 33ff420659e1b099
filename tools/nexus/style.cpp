#include "style.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace nexus::queue {

std::string style::operator()(paint how, std::string_view text) const {
  // In the order of `paint`.
  constexpr std::array<int, 8> codes = {37, 92, 97, 36, 34, 33, 31, 35};
  if (!colored_ || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(how)],
                     text);
}

style style_for(int fd) {
  const char* none = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return style(::isatty(fd) == 1 && (none == nullptr || *none == '\0') &&
               terminal != nullptr && std::string_view(terminal) != "dumb");
}

}  // namespace nexus::queue
