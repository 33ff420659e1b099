// The words of --help that are not an option's own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nexus::tool {

struct command_help {
  std::string_view name;
  std::string_view summary;  // one line, lower case
  std::string_view usage;    // what follows the command's name
  std::string_view details;  // paragraphs ahead of the options
  std::string_view examples;
};

// nullptr where there is no such command.
[[nodiscard]] const command_help* find_command(std::string_view name);

// `nexus-pipe --help`.
[[nodiscard]] std::string overview();

}  // namespace nexus::tool
