#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "dashboard/terminal_guard.hpp"
#include "files.hpp"

namespace nexus::tool {
namespace {

constexpr std::string_view erase_line = "\r\x1b[K";
constexpr std::size_t most_held_lines = 1000;

// 0, or the errno of what stopped it.
int write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // a descriptor that others made so
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int open_controlling_terminal() noexcept {
  return ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

status no_terminal(const char* purpose) {
  return {status_code::io_error, std::string("no terminal to ") + purpose,
          "use --passphrase-file or --passphrase-fd"};
}

bool knows_escapes() noexcept {
  const char* kind = std::getenv("TERM");
  return kind != nullptr && std::string_view(kind) != "dumb";
}

// One line from a terminal.
result<secret_string> read_line(int fd, const stop_event& stop) {
  secret_string line;
  std::array<char, 256> part;
  while (true) {
    const result<bool> ready = stop.wait(fd, POLLIN);
    if (!ready) return ready.error();
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    std::string_view text(part.data(), static_cast<std::size_t>(got));
    const auto end = text.find('\n');
    line.append(text.substr(0, end));
    wipe(part.data(), part.size());
    if (end != std::string_view::npos) return line;
  }
  return status(status_code::io_error, "no passphrase was given");
}

}  // namespace

// Echo off, and nothing else drawn, while it lives.
class terminal::prompt_guard {
 public:
  prompt_guard(terminal& owner, int fd) : owner_(owner) {
    owner_.clear_progress();
    const std::lock_guard lock(owner_.mutex_);
    owner_.asking_ = true;
    if (::tcgetattr(fd, &owner_.saved_) != 0) return;
    termios silent = owner_.saved_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    owner_.silenced_ = fd;
    ::tcsetattr(fd, TCSADRAIN, &silent);
  }
  ~prompt_guard() {
    owner_.restore_echo();
    const std::lock_guard lock(owner_.mutex_);
    owner_.asking_ = false;
  }
  prompt_guard(const prompt_guard&) = delete;
  prompt_guard& operator=(const prompt_guard&) = delete;

 private:
  terminal& owner_;
};

void terminal::configure(bool quiet, bool verbose) noexcept {
  quiet_ = quiet;
  verbose_ = verbose;
}

status terminal::start_log(const watch_arguments& arguments) {
  headless_ = arguments.headless;
  const bool asked = !arguments.log_file.empty() || arguments.stats_seconds ||
                     arguments.format == log_format::json;
  if (!verbose_ && !headless_ && !asked) return {};
  auto opened = log_writer::open(
      arguments, [this](std::string_view line, const std::stop_token& hurry) {
        return show_line(line, hurry);
      });
  if (!opened) return opened.error();
  log_ = *std::move(opened);
  json_ = arguments.format == log_format::json && !log_->to_file();
  tells_info_ = log_->to_file() || (!quiet_ && (verbose_ || headless_));
  return {};
}

void terminal::listen(std::function<void(const log_line&)> listener) {
  const std::lock_guard lock(listener_mutex_);
  listener_ = std::move(listener);
  has_listener_ = listener_ != nullptr;
}

void terminal::share(log_level level, std::string_view text) {
  if (!has_listener_) return;
  const std::lock_guard lock(listener_mutex_);
  const auto now = std::chrono::system_clock::now();
  if (listener_) listener_({level, now, std::string(text)});
}

void terminal::hold_lines(bool held) {
  const std::lock_guard lock(mutex_);
  holding_ = held && ::isatty(STDERR_FILENO) != 0;
  if (holding_) return;
  for (const std::string& line : held_) write_all(STDERR_FILENO, line);
  held_.clear();
}

// Under the lock.
bool terminal::held_back(std::string_view line) {
  if (!holding_) return false;
  held_.emplace_back(line);
  if (held_.size() > most_held_lines) held_.pop_front();
  return true;
}

void terminal::error(const status& failure) {
  print(log_level::error, failure.message().empty() ? name_of(failure.code())
                                                    : failure.message());
  if (!failure.hint().empty()) print(log_level::hint, failure.hint());
  if (failure.kind() == error_kind::internal) {
    print(log_level::hint, "this is a defect of nexus-pipe: please report it");
  }
}

void terminal::warning(std::string_view text) {
  if (!quiet_) print(log_level::warning, text);
}

void terminal::note(std::string_view text) {
  if (verbose_) print(log_level::note, text);
}

void terminal::info(std::string_view text) {
  tells_info_ ? print(log_level::info, text) : share(log_level::info, text);
}

void terminal::plain(std::string_view text) {
  if (json_) return log_->write(log_level::info, text);
  std::string line(text);
  make_printable(line);
  if (log_) return log_->write(log_level::data, line);
  print_line(std::move(line));
}

void terminal::data(std::string_view text) {
  if (log_) return log_->write(log_level::data, text);
  std::stop_source hurry;
  hurry.request_stop();
  show_line(std::string(text) + "\n", hurry.get_token());
}

void terminal::print(log_level level, std::string_view text) {
  share(level, text);
  if (log_) return log_->write(level, text);
  print_line(plain_text({level, {}, std::string(text)}));
}

void terminal::print_line(std::string line) {
  line += '\n';
  const std::lock_guard lock(mutex_);
  if (held_back(line)) return;
  if (progress_shown_) line.insert(0, erase_line);
  progress_shown_ = false;
  write_all(STDERR_FILENO, line);
}

// False: given up. Waits for a reader without the lock, which those who draw
// want too. A write of up to PIPE_BUF bytes to what has room does not wait.
bool terminal::show_line(std::string_view line, const std::stop_token& hurry) {
  {
    const std::lock_guard lock(mutex_);
    if (held_back(line)) return true;
  }
  while (!line.empty()) {
    if (!await_room(STDERR_FILENO, hurry)) return false;
    const std::lock_guard lock(mutex_);
    if (!has_room(STDERR_FILENO)) continue;  // somebody drew meanwhile
    std::string piece(progress_shown_ ? erase_line : std::string_view());
    const auto part = line.substr(0, PIPE_BUF - piece.size());
    if (write_all(STDERR_FILENO, piece.append(part)) != 0) return false;
    progress_shown_ = false;
    line.remove_prefix(part.size());
  }
  return true;
}

void terminal::show_progress(std::string_view line) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || asking_ || !has_room(STDERR_FILENO)) return;
  std::string drawn(erase_line);
  write_all(STDERR_FILENO, drawn.append(line));
  progress_shown_ = true;
}

void terminal::clear_progress() {
  const std::lock_guard lock(mutex_);
  if (progress_shown_) write_all(STDERR_FILENO, erase_line);
  progress_shown_ = false;
}

result<secret_string> terminal::ask_secret(std::string_view prompt,
                                           const stop_event& stop) {
  if (headless_) {
    return status(status_code::invalid_argument,
                  "--headless: no passphrase is asked for",
                  "use --passphrase-file or --passphrase-fd");
  }
  const descriptor opened(open_controlling_terminal());
  const bool fallback = opened.get() < 0;
  if (fallback && ::isatty(STDIN_FILENO) == 0) {
    return no_terminal("ask for the passphrase on");
  }
  const int in = fallback ? STDIN_FILENO : opened.get();
  const int out = fallback ? STDERR_FILENO : opened.get();

  const prompt_guard guard(*this, in);
  std::string question(prompt);
  make_printable(question);
  write_all(out, question);
  result<secret_string> answer = read_line(in, stop);
  write_all(out, knows_escapes() ? erase_line : "\n");
  if (answer) asked_ = true;
  return answer;
}

status terminal::tell(std::string_view text) {
  if (headless_) {
    return {status_code::invalid_argument,
            "--headless: there is nobody to show a passphrase to",
            "use --passphrase-file or --passphrase-fd"};
  }
  const descriptor opened(open_controlling_terminal());
  int out = opened.get();
  if (out < 0 && ::isatty(STDERR_FILENO) != 0) out = STDERR_FILENO;
  if (out < 0) return no_terminal("show the passphrase on");
  clear_progress();
  secret_string line(text);
  line.push_back('\n');
  const int failure = write_all(out, line.view());
  if (failure == 0) return {};
  return {status_code::io_error,
          std::string("cannot write to the terminal: ") + strerror(failure),
          {},
          failure};
}

void terminal::restore() noexcept {
  restore_echo();
  reset_terminal();
}

void terminal::restore_echo() noexcept {
  const int fd = silenced_.exchange(-1);
  if (fd >= 0) ::tcsetattr(fd, TCSADRAIN, &saved_);
}

status print_output(std::string_view text) {
  const int failure = write_all(STDOUT_FILENO, text);
  if (failure == 0) return {};
  return {failure == EPIPE ? status_code::broken_pipe : status_code::io_error,
          std::string("cannot write to standard output: ") + strerror(failure),
          {},
          failure};
}

bool draws_in_place() noexcept {
  if (::isatty(STDERR_FILENO) == 0) return false;
  const char* kind = std::getenv("TERM");
  return kind == nullptr || std::string_view(kind) != "dumb";
}

unsigned terminal_columns() noexcept {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 80;
  }
  return size.ws_col;
}

}  // namespace nexus::tool
