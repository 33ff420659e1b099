#include "streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "terminal.hpp"

namespace nexus::tool {
namespace {

// Nothing tells when a reader opens a named pipe.
constexpr int retry_milliseconds = 50;

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

// Whether two paths will lead to one file that does not exist yet.
bool is_same_new_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const auto whole = [&failed](const std::string& path) {
    return fs::weakly_canonical(fs::absolute(path, failed), failed);
  };
  const fs::path left = whole(a);
  if (failed || fs::exists(left, failed)) return false;
  const fs::path right = whole(b);
  return !failed && left == right;
}

status same_file(const std::string& name, const char* what) {
  return {status_code::invalid_argument, name + ": " + what,
          "write to another file"};
}

status check_output(const stream_arguments& arguments,
                    const std::vector<std::string>& keys) {
  const std::string output = arguments.output.value_or("-");
  const auto written = identify_path(output, STDOUT_FILENO);
  if (!written) return {};
  const std::string name = output == "-" ? "standard output" : output;
  if (identify_path(arguments.input, STDIN_FILENO) == written) {
    return same_file(name, "the output is the same file as the input");
  }
  for (const std::string& key : keys) {
    if (identify_path(key, STDIN_FILENO) != written) continue;
    return same_file(name, "the output would overwrite the keys in use");
  }
  return {};
}

// A file that is written beside the output, and what it is called.
struct side_file {
  const std::string& name;
  const std::string what;
};

// Whether it is one of the files that the run reads or writes.
status check_side_file(const side_file& file, const stream_arguments& arguments,
                       const std::vector<std::string>& keys) {
  const auto refused = [&file](const std::string& why) {
    return same_file(file.name, ("the " + file.what + why).c_str());
  };
  const std::string output = arguments.output.value_or("-");
  if (output != "-" && is_same_new_file(file.name, output)) {
    return refused(" is the same file as the output");
  }
  const auto written = identify_path(file.name, -1);
  if (!written) return {};
  if (identify_path(output, STDOUT_FILENO) == written) {
    return refused(" is the same file as the output");
  }
  if (identify_path(arguments.input, STDIN_FILENO) == written) {
    return refused(" is the same file as the input");
  }
  for (const std::string& key : keys) {
    if (identify_path(key, STDIN_FILENO) != written) continue;
    return refused(" would overwrite the keys in use");
  }
  return {};
}

bool is_same(const std::string& a, const std::string& b) {
  const auto left = identify_path(a, -1);
  return left ? left == identify_path(b, -1) : is_same_new_file(a, b);
}

status check_side_files(const stream_arguments& arguments,
                        const std::vector<std::string>& keys) {
  const watch_arguments& watch = arguments.watch;
  const std::string none;
  const bool telemetry = arguments.telemetry_file != "-";
  const std::array<side_file, 4> files{
      {{telemetry ? arguments.telemetry_file : none, "telemetry"},
       {watch.trace_file, "trace"},
       {watch.metrics_file, "file of metrics"},
       {watch.log_file, "log"}}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].name.empty()) continue;
    status alone = check_side_file(files[i], arguments, keys);
    if (!alone.ok()) return alone;
    for (std::size_t j = 0; j < i; ++j) {
      if (files[j].name.empty() || !is_same(files[i].name, files[j].name))
        continue;
      const std::string why =
          "the " + files[i].what + " is the same file as the " + files[j].what;
      return same_file(files[i].name, why.c_str());
    }
  }
  return {};
}

// What is typed or shown on a terminal would meet what is drawn there.
status check_dashboard(const stream_arguments& arguments, bool to_terminal) {
  if (!arguments.watch.dashboard) return {};
  const bool typed = arguments.input == "-" && ::isatty(STDIN_FILENO) != 0;
  if (!typed && !to_terminal) return {};
  return {status_code::invalid_argument,
          std::string("--dashboard: the ") + (typed ? "input" : "output") +
              " is a terminal",
          typed ? "name the input, or read it from a pipe"
                : "name the output with -o FILE, or write it to a pipe"};
}

// fifo: takes what a source of a named pipe borrows.
result<source> open_source(const std::string& path, descriptor& fifo) {
  if (path == "-") {
    return source::from_descriptor(STDIN_FILENO, "standard input");
  }
  if (!is_fifo(path)) return source::from_file(path);
  result<descriptor> opened = open_to_read(path);
  if (!opened) return opened.error();
  fifo = *std::move(opened);
  return source::from_descriptor(fifo.get(), path);
}

void make_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

// Whether there is a reader yet; then the sink is made.
result<bool> open_output_fifo(stream_pair& streams) {
  const std::string& path = streams.output_path;
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0 && (errno == ENXIO || errno == EINTR)) return false;
  if (fd < 0) return system_failure("write", path, errno);
  make_blocking(fd);
  streams.output_fifo = descriptor(fd);
  streams.to = sink::to_descriptor(fd, path);
  return true;
}

}  // namespace

result<stream_pair> open_streams(const stream_arguments& arguments,
                                 terminal_output policy,
                                 const std::vector<std::string>& others) {
  const bool to_terminal =
      arguments.output.value_or("-") == "-" && ::isatty(STDOUT_FILENO) != 0;
  if (status s = check_dashboard(arguments, to_terminal); !s.ok()) return s;
  const bool guarded = to_terminal && !arguments.output;
  if (guarded && policy == terminal_output::nothing) return binary_output();
  descriptor fifo;
  result<source> from = open_source(arguments.input, fifo);
  if (!from) return from.error();
  if (status s = check_output(arguments, others); !s.ok()) return s;
  if (status s = check_side_files(arguments, others); !s.ok()) return s;

  stream_pair streams{.from = *std::move(from),
                      .to = sink::discard(),
                      .guard = nullptr,
                      .to_terminal = to_terminal,
                      .input_fifo = std::move(fifo),
                      .output_fifo = descriptor(),
                      .output_path = {}};
  if (arguments.output && arguments.output != "-") {
    streams.to = sink::to_file(*arguments.output, {.sync = arguments.sync});
    if (is_fifo(*arguments.output)) streams.output_path = *arguments.output;
    return result<stream_pair>(std::move(streams));
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
    streams.to = sink::to_callback(std::move(write));
    streams.guard = std::move(guard);
    return result<stream_pair>(std::move(streams));
  }
  streams.to = sink::to_descriptor(STDOUT_FILENO, "standard output");
  return result<stream_pair>(std::move(streams));
}

result<stream_pair> open_input(const stream_arguments& arguments) {
  if (status s = check_dashboard(arguments, false); !s.ok()) return s;
  descriptor fifo;
  result<source> from = open_source(arguments.input, fifo);
  if (!from) return from.error();
  if (status s = check_side_files(arguments, {}); !s.ok()) return s;
  return stream_pair{.from = *std::move(from),
                     .to = sink::discard(),
                     .guard = nullptr,
                     .to_terminal = false,
                     .input_fifo = std::move(fifo),
                     .output_fifo = descriptor(),
                     .output_path = {}};
}

status check_distinct(const std::string& output,
                      const std::vector<std::string>& inputs) {
  const auto written = identify_path(output, STDOUT_FILENO);
  if (!written) return {};
  for (const std::string& input : inputs) {
    if (identify_path(input, STDIN_FILENO) != written) continue;
    return same_file(output == "-" ? "standard output" : output,
                     "the output is the same file as the input");
  }
  return {};
}

// Neither waits for the other: the peer may well open both in either order.
status connect(stream_pair& streams, const stop_event& stop) {
  bool input_waits = streams.input_fifo.get() >= 0;
  bool output_waits = !streams.output_path.empty();
  while (input_waits || output_waits) {
    if (output_waits) {
      const result<bool> opened = open_output_fifo(streams);
      if (!opened) return opened.error();
      output_waits = !*opened;
      if (!input_waits && !output_waits) break;
    }
    const result<bool> ready =
        stop.wait(input_waits ? streams.input_fifo.get() : -1, POLLIN,
                  output_waits ? retry_milliseconds : -1);
    if (!ready) return ready.error();
    if (*ready) input_waits = false;
  }
  if (streams.input_fifo.get() >= 0) make_blocking(streams.input_fifo.get());
  return {};
}

}  // namespace nexus::tool
