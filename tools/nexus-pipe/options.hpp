// One command's options on CLI11, whose types, exceptions and wording stay
// behind this header.
#pragma once

#include <memory>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "help.hpp"

namespace nexus::tool {

class option_set {
 public:
  explicit option_set(const command_help& help);
  ~option_set();

  // Heading in the help of what is added next. Empty: hidden.
  void group(std::string name);
  // names: "-o,--output", or a bare word for a positional argument. What they
  // write to must outlive parse().
  void flag(const char* names, bool& into, const char* text);
  void value(const char* names, std::optional<std::string>& into,
             const char* type, const char* text);
  // With a value after '=' alone: "--stats=5". implied: what "--stats" means.
  void optional_value(const char* name, std::optional<std::string>& into,
                      const char* type, const char* implied, const char* text);
  void list(const char* names, std::vector<std::string>& into, const char* type,
            const char* text);

  // Fills what was added, or help_text where help was asked for.
  status parse(std::span<const char* const> arguments,
               std::optional<std::string>& help_text);

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

// A usage error: what is wrong, and where to read on.
[[nodiscard]] status usage_error(std::string message,
                                 std::string_view command = {});

}  // namespace nexus::tool
