// What `nexus help` prints.
#pragma once

#include <span>
#include <string_view>

namespace nexus::queue {

struct command_text {
  std::string_view name;
  std::string_view arguments;  // as in the list of commands
  std::string_view summary;
  std::string_view details;  // whole lines
};

[[nodiscard]] std::span<const command_text> command_texts() noexcept;
[[nodiscard]] const command_text& text_of(std::string_view command) noexcept;

}  // namespace nexus::queue
