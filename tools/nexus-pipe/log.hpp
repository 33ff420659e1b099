// Log lines: their forms, and a thread that writes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "background_queue.hpp"
#include "files.hpp"

namespace nexus::tool {

// data: a line of JSON already, as it is.
enum class log_level { error, hint, warning, info, note, data };

struct log_line {
  log_level level = log_level::info;
  std::chrono::system_clock::time_point time;
  std::string text;  // may begin with a worker's name: "[W0] segment 3 ..."
};

// Without a line end. On a terminal: "nexus-pipe: note: [W0] ...".
[[nodiscard]] std::string plain_text(const log_line& line);
// "2026-11-21T12:30:00.123Z note [W0] ...", control characters as '?'.
[[nodiscard]] std::string dated_text(const log_line& line);
// {"time": ..., "level": "note", "worker": "W0", "message": ...}; the worker
// only where the text names one.
[[nodiscard]] std::string json_text(const log_line& line);

// Control characters in it become '?': names may hold escape sequences.
void make_printable(std::string& text) noexcept;

// Whether some of a text can be written without waiting, or none ever.
[[nodiscard]] bool has_room(int fd, int milliseconds = 0) noexcept;
// Waits for that; once there is a hurry, it only looks.
[[nodiscard]] bool await_room(int fd, const std::stop_token& hurry) noexcept;

// As much as the descriptor takes without anybody waiting for its reader
// longer than until `hurry`. 0, or an errno; EAGAIN: given up.
int write_patiently(int fd, std::string_view text,
                    const std::stop_token& hurry);

// Lines to standard error, or to a file with errors and warnings on standard
// error too. Whoever logs never waits: lines that nobody reads in time are
// dropped, and their number is said as soon as one goes through.
class log_writer {
 public:
  // show: writes to standard error, all or nothing; false: given up.
  using shower = std::function<bool(std::string_view, const std::stop_token&)>;
  // The file is appended to. io_error: it cannot be.
  [[nodiscard]] static result<std::unique_ptr<log_writer>> open(
      const watch_arguments& arguments, shower show);
  // Waits two seconds at most for what is left.
  ~log_writer();
  log_writer(const log_writer&) = delete;
  log_writer& operator=(const log_writer&) = delete;

  // (any thread)
  void write(log_level level, std::string_view text);
  [[nodiscard]] bool to_file() const noexcept { return file_.get() >= 0; }

 private:
  log_writer(log_format format, descriptor file, shower show);
  void handle(const log_line& line, const std::stop_token& hurry);
  void put(const log_line& line, const std::stop_token& hurry);

  const log_format format_;
  const descriptor file_;
  const shower show_;
  std::uint64_t lost_ = 0;  // by the thread itself, when it gave up
  std::uint64_t said_ = 0;  // of those that were dropped
  std::unique_ptr<background_queue<log_line>> lines_;
};

}  // namespace nexus::tool
