#include "streams.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "terminal.hpp"

namespace nexus::tool {
namespace {

struct file_id {
  dev_t device;
  ino_t inode;
  bool operator==(const file_id&) const = default;
};

// Which regular file it is; nothing for anything else. Pipes and terminals may
// well stand at both ends.
std::optional<file_id> identify(const struct stat& facts) {
  if (!S_ISREG(facts.st_mode)) return std::nullopt;
  return file_id{facts.st_dev, facts.st_ino};
}

std::optional<file_id> identify(int fd) {
  struct stat facts{};
  if (::fstat(fd, &facts) != 0) return std::nullopt;
  return identify(facts);
}

std::optional<file_id> identify_path(const std::string& path, int standard) {
  if (path == "-") return identify(standard);
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return identify(facts);
}

status check_not_same(const stream_arguments& arguments,
                      const std::vector<std::string>& others) {
  const std::string output = arguments.output.value_or("-");
  const auto written = identify_path(output, STDOUT_FILENO);
  if (!written) return {};
  const std::string name = output == "-" ? "standard output" : output;
  if (identify_path(arguments.input, STDIN_FILENO) == written) {
    return {status_code::invalid_argument,
            name + ": the output is the same file as the input",
            "write to another file"};
  }
  for (const std::string& other : others) {
    if (identify_path(other, STDIN_FILENO) != written) continue;
    return {status_code::invalid_argument,
            name + ": the output would overwrite the keys in use",
            "write to another file"};
  }
  return {};
}

result<source> open_source(const std::string& path) {
  if (path != "-") return source::from_file(path);
  return source::from_descriptor(STDIN_FILENO, "standard input");
}

}  // namespace

result<stream_pair> open_streams(const stream_arguments& arguments,
                                 terminal_output policy,
                                 const std::vector<std::string>& others) {
  const bool to_terminal =
      arguments.output.value_or("-") == "-" && ::isatty(STDOUT_FILENO) != 0;
  const bool guarded = to_terminal && !arguments.output;
  if (guarded && policy == terminal_output::nothing) return binary_output();
  result<source> from = open_source(arguments.input);
  if (!from) return from.error();
  if (status s = check_not_same(arguments, others); !s.ok()) return s;

  if (arguments.output && arguments.output != "-") {
    return stream_pair{
        *std::move(from),
        sink::to_file(*arguments.output, {.sync = arguments.sync}), nullptr,
        false};
  }
  if (guarded && policy == terminal_output::text_only) {
    auto guard =
        std::make_unique<text_guard>([](std::span<const std::byte> data) {
          return print_output(
              {reinterpret_cast<const char*>(data.data()), data.size()});
        });
    auto write = [into = guard.get()](std::span<const std::byte> data) {
      return into->write(data);
    };
    return stream_pair{*std::move(from), sink::to_callback(std::move(write)),
                       std::move(guard), true};
  }
  return stream_pair{*std::move(from),
                     sink::to_descriptor(STDOUT_FILENO, "standard output"),
                     nullptr, to_terminal};
}

}  // namespace nexus::tool
