// What the parsers of the commands have in common.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "arguments.hpp"
#include "help.hpp"
#include "options.hpp"
#include "words.hpp"

namespace nexus::tool {

using argument_list = std::span<const char* const>;

// Takes the arguments in, then lets `finish(word_reader&)` fill `into`.
template <class Arguments, class Finish>
result<command> parsed(option_set& options, argument_list arguments,
                       Arguments& into, Finish finish) {
  std::optional<std::string> help;
  if (status s = options.parse(arguments, help); !s.ok()) return s;
  if (help) return command(text_request{*std::move(help)});
  word_reader reader;
  finish(reader);
  if (!reader.ok()) return reader.failure();
  return command(std::move(into));
}

// Of those that have a file of their own.
[[nodiscard]] result<command> parse_bench(const command_help& help,
                                          argument_list given);

}  // namespace nexus::tool
