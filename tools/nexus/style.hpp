// Colours, for terminals only.
#pragma once

#include <string>
#include <string_view>

namespace nexus::queue {

enum class paint {
  header,     // GPUs: white
  available,  // bright green
  command,    // bright white
  time,       // cyan
  queue,      // blue
  state,      // PAUSED and RUNNING: yellow
  error,      // red
  id          // magenta
};

class style {
 public:
  explicit style(bool colored) noexcept : colored_(colored) {}
  [[nodiscard]] std::string operator()(paint how, std::string_view text) const;

 private:
  bool colored_;
};

// Coloured where the descriptor is a terminal and NO_COLOR is not set.
[[nodiscard]] style style_for(int fd);

}  // namespace nexus::queue
