#include <unistd.h>

#include <algorithm>
#include <map>
#include <nexus/age.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "files.hpp"
#include "inspect_proofs.hpp"
#include "progress.hpp"
#include "stop_event.hpp"
#include "streams.hpp"
#include "text_guard.hpp"

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

// A file whose first bytes were looked at, from its beginning.
class peeked_file {
 public:
  explicit peeked_file(input_file& file) : file_(file) {}

  // Fewer only where the file ends before.
  result<std::span<const std::byte>> peek(std::size_t size) {
    std::vector<std::byte> more(size);
    while (head_.size() < size) {
      const auto got =
          file_.read(std::span(more).first(size - head_.size()), stop_);
      if (!got) return got.error();
      if (*got == 0) break;
      head_.insert(head_.end(), more.begin(),
                   more.begin() + static_cast<std::ptrdiff_t>(*got));
    }
    return std::span<const std::byte>(head_);
  }

  result<std::size_t> read(std::span<std::byte> into) {
    if (head_.empty()) return file_.read(into, stop_);
    const std::size_t size = std::min(into.size(), head_.size());
    std::copy_n(head_.begin(), size, into.begin());
    head_.erase(head_.begin(),
                head_.begin() + static_cast<std::ptrdiff_t>(size));
    return size;
  }

 private:
  input_file& file_;
  const stop_event stop_;
  std::vector<std::byte> head_;
};

result<std::string> describe_file(const proofs::read_function& read,
                                  bool is_proofs,
                                  const inspect_arguments& arguments,
                                  const std::string& name) {
  if (is_proofs) return describe_proofs(read, arguments, name);
  const result<age::description> file = age::inspect(read);
  if (!file) return file.error();
  return arguments.json ? describe_json(*file) : describe_text(*file, name);
}

bool extracts(const inspect_arguments& arguments) {
  return arguments.extract_proof || arguments.extract_public_values;
}

}  // namespace

int run_inspect(const inspect_arguments& arguments, terminal& out) {
  if (arguments.extract_proof && !arguments.output &&
      ::isatty(STDOUT_FILENO) != 0) {
    return fail(out, binary_output());
  }
  if (extracts(arguments)) {
    const std::string output = arguments.output.value_or("-");
    status distinct = check_distinct(output, {arguments.input});
    if (!distinct.ok()) return fail(out, distinct);
  }
  result<input_file> input = input_file::open(arguments.input);
  if (!input) return fail(out, input.error());
  peeked_file file(*input);
  constexpr std::size_t enough = 64;
  const auto head = file.peek(enough);
  if (!head) return fail(out, head.error());
  const bool is_proofs = proofs::is_proof_stream(*head);
  const proofs::read_function read = [&file](std::span<std::byte> into) {
    return file.read(into);
  };
  status outcome;
  if (extracts(arguments)) {
    outcome = extract(read, arguments);
  } else {
    const auto text = describe_file(read, is_proofs, arguments, input->name());
    outcome = text ? print_output(*text) : text.error();
  }
  return outcome.ok() ? 0 : fail(out, outcome);
}

}  // namespace nexus::tool
