#include <map>
#include <nexus/age.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "files.hpp"
#include "progress.hpp"
#include "stop_event.hpp"

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;

std::string describe_json(const age::description& file) {
  const json object = {{"version", "age-encryption.org/v1"},
                       {"armor", file.armored},
                       {"stanza_types", file.stanza_types},
                       {"sizes",
                        {{"header", file.header_bytes},
                         {"armor", file.armor_bytes},
                         {"overhead", file.overhead_bytes},
                         {"payload", file.payload_bytes}}}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string size_line(const char* label, std::uint64_t bytes) {
  std::string line = label;
  line.resize(14, ' ');
  line += std::to_string(bytes);
  if (bytes >= 1024) line += " (" + format_bytes(bytes) + ")";
  return line + "\n";
}

// Types are text from the file: visible ASCII by the format's own rule.
std::string stanza_line(const age::description& file) {
  std::map<std::string, std::size_t> counts;
  for (const std::string& type : file.stanza_types) ++counts[type];
  std::string line;
  for (const auto& [type, count] : counts) {
    if (!line.empty()) line += ", ";
    line += type;
    if (count > 1) line += " (" + std::to_string(count) + " times)";
  }
  return "keys          " + line + "\n";
}

std::string describe_text(const age::description& file,
                          const std::string& name) {
  return name + "\nformat        age-encryption.org/v1, " +
         (file.armored ? "armored" : "binary") + "\n" + stanza_line(file) +
         "\nbytes\n" + size_line("header", file.header_bytes) +
         size_line("armor", file.armor_bytes) +
         size_line("overhead", file.overhead_bytes) +
         size_line("payload", file.payload_bytes) +
         size_line("total", file.header_bytes + file.armor_bytes +
                                file.overhead_bytes + file.payload_bytes);
}

}  // namespace

int run_inspect(const inspect_arguments& arguments, terminal& out) {
  result<input_file> input = input_file::open(arguments.input);
  if (!input) return fail(out, input.error());
  const stop_event stop;
  const result<age::description> file = age::inspect(
      [&](std::span<std::byte> into) { return input->read(into, stop); });
  if (!file) return fail(out, file.error());
  const status printed =
      print_output(arguments.json ? describe_json(*file)
                                  : describe_text(*file, input->name()));
  return printed.ok() ? 0 : fail(out, printed);
}

}  // namespace nexus::tool
