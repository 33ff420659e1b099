#include "log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t most_lines = 2048;
constexpr std::chrono::seconds patience{2};
constexpr int slice_ms = 50;

const char* name_of_level(log_level level) noexcept {
  switch (level) {
    case log_level::error:
      return "error";
    case log_level::hint:
      return "hint";
    case log_level::warning:
      return "warning";
    case log_level::info:
      return "info";
    case log_level::note:
      return "note";
    case log_level::data:
      break;
  }
  return "data";
}

std::string time_text(std::chrono::system_clock::time_point time) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto since = duration_cast<milliseconds>(time.time_since_epoch());
  const auto seconds = static_cast<std::time_t>(since.count() / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> fraction;
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ",
                static_cast<int>(since.count() % 1000));
  return std::string(text.data(), size) + fraction.data();
}

// "[W0] text" as the name and the text; the name is empty where there is none.
std::pair<std::string_view, std::string_view> split_worker(
    std::string_view text) noexcept {
  const std::size_t end = text.find("] ");
  if (!text.starts_with('[') || end == std::string_view::npos)
    return {{}, text};
  const std::string_view name = text.substr(1, end - 1);
  const bool known = name.starts_with('W') || name.starts_with("GPU");
  const std::string_view digits =
      name.substr(std::min(name.size(), name.find_first_of("0123456789")));
  if (!known || digits.empty() ||
      digits.find_first_not_of("0123456789") != std::string_view::npos)
    return {{}, text};
  return {name, text.substr(end + 2)};
}

}  // namespace

void make_printable(std::string& text) noexcept {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
}

std::string plain_text(const log_line& line) {
  std::string text = "nexus-pipe: ";
  // To a person at a terminal, both are remarks.
  const bool remark = line.level == log_level::info;
  text.append(remark ? "note" : name_of_level(line.level)).append(": ");
  text.append(line.text);
  make_printable(text);
  return text;
}

std::string dated_text(const log_line& line) {
  std::string text = time_text(line.time);
  text.append(" ").append(name_of_level(line.level)).append(" ");
  text.append(line.text);
  make_printable(text);
  return text;
}

std::string json_text(const log_line& line) {
  const auto [worker, message] = split_worker(line.text);
  json object{{"time", time_text(line.time)},
              {"level", name_of_level(line.level)}};
  if (!worker.empty()) object["worker"] = worker;
  object["message"] = message;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool has_room(int fd, int milliseconds) noexcept {
  pollfd ready{fd, POLLOUT, 0};
  return ::poll(&ready, 1, milliseconds) > 0;
}

bool await_room(int fd, const std::stop_token& hurry) noexcept {
  while (!hurry.stop_requested()) {
    if (has_room(fd, slice_ms)) return true;
  }
  return has_room(fd);
}

// A write of up to PIPE_BUF bytes to what has room does not wait.
int write_patiently(int fd, std::string_view text,
                    const std::stop_token& hurry) {
  while (!text.empty()) {
    if (!await_room(fd, hurry)) return EAGAIN;
    const auto size = std::min<std::size_t>(text.size(), PIPE_BUF);
    const ssize_t written = ::write(fd, text.data(), size);
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EAGAIN && errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

result<std::unique_ptr<log_writer>> log_writer::open(
    const watch_arguments& arguments, shower show) {
  descriptor file;
  if (!arguments.log_file.empty()) {
    // A named pipe that nobody reads would be waited for without end.
    constexpr int flags =
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    const char* path = arguments.log_file.c_str();
    file = descriptor(::open(path, flags, 0666));
    if (file.get() < 0) {
      return system_failure("write", arguments.log_file, errno);
    }
  }
  return std::unique_ptr<log_writer>(
      new log_writer(arguments.format, std::move(file), std::move(show)));
}

log_writer::log_writer(log_format format, descriptor file, shower show)
    : format_(format), file_(std::move(file)), show_(std::move(show)) {
  lines_ = std::make_unique<background_queue<log_line>>(
      "nexus-log", most_lines,
      [this](std::vector<log_line>& batch, const std::stop_token& hurry) {
        for (const log_line& line : batch) handle(line, hurry);
      });
}

log_writer::~log_writer() {
  lines_->close(patience);
}

void log_writer::write(log_level level, std::string_view text) {
  lines_->push({level, std::chrono::system_clock::now(), std::string(text)});
}

void log_writer::handle(const log_line& line, const std::stop_token& hurry) {
  const std::uint64_t gone = lines_->dropped() + lost_;
  if (gone != said_) {
    put({log_level::warning, std::chrono::system_clock::now(),
         std::to_string(gone - said_) +
             " log lines were dropped: nobody read them in time"},
        hurry);
    said_ = gone;
  }
  put(line, hurry);
}

void log_writer::put(const log_line& line, const std::stop_token& hurry) {
  const bool json_form = format_ == log_format::json;
  const bool data = line.level == log_level::data;
  bool shown = true;
  if (to_file() && !data) {
    const std::string text =
        (json_form ? json_text(line) : dated_text(line)) + "\n";
    shown = write_patiently(file_.get(), text, hurry) == 0;
  }
  if (!to_file() || data || line.level <= log_level::warning) {
    std::string text = data                      ? line.text
                       : to_file() || !json_form ? plain_text(line)
                                                 : json_text(line);
    shown = show_(text.append("\n"), hurry) && shown;
  }
  if (!shown) ++lost_;
}

}  // namespace nexus::tool
