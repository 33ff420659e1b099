#include "dashboard/screen.hpp"

#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "dashboard/ncurses_calls.hpp"
#include "dashboard/terminal_guard.hpp"
#include "files.hpp"
#include "log.hpp"

namespace nexus::tool {
namespace {

constexpr int largest = 1000;  // rows or columns: no real screen has more

status refused(std::string message, const char* hint) {
  return {status_code::invalid_argument, "--dashboard: " + std::move(message),
          hint};
}

descriptor open_terminal() {
  const int fd = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0 || ::isatty(STDERR_FILENO) == 0) return descriptor(fd);
  return descriptor(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
}

// Without the "$<5>" that ask for time to pass.
void append_sequence(std::string& into, const char* text) {
  if (text == nullptr || text == reinterpret_cast<const char*>(-1)) return;
  std::string_view rest(text);
  while (!rest.empty()) {
    const std::size_t end = rest.starts_with("$<") ? rest.find('>') : rest.npos;
    if (end != rest.npos) {
      rest.remove_prefix(end + 1);
    } else {
      into.push_back(rest.front());
      rest.remove_prefix(1);
    }
  }
}

}  // namespace

class screen::impl {
 public:
  impl(const ncurses_calls& calls, descriptor tty)
      : curses_(calls), tty_(std::move(tty)) {}
  ~impl() {
    leave();
    if (made_ != nullptr) curses_.delscreen(made_);
    if (out_ != nullptr) std::fclose(out_);
  }

  status check();
  bool enter();
  void leave();
  void draw(const std::vector<screen_line>& lines, const screen_shape& shape);

  const ncurses_calls& curses_;
  const descriptor tty_;
  bool on_ = false;
  bool fresh_ = true;  // all of it is to be drawn
  bool unicode_ = false;

 private:
  bool make();
  void choose_colors();
  [[nodiscard]] int attributes(text_style style) const noexcept;

  std::FILE* out_ = nullptr;
  SCREEN* made_ = nullptr;
  std::string reset_;
  bool colors_ = false;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
};

status screen::impl::check() {
  const char* kind = std::getenv("TERM");
  const std::string name = kind == nullptr ? "" : kind;
  constexpr const char* hint = "--headless tells in lines what is done";
  int found = 0;
  if (name.empty() ||
      curses_.setupterm(name.c_str(), tty_.get(), &found) != OK) {
    std::string shown = name;
    make_printable(shown);
    return refused(
        "the terminal is of no known kind (TERM is \"" + shown + "\")", hint);
  }
  std::string moves;
  append_sequence(moves, curses_.tigetstr("cup"));
  if (moves.empty())
    return refused(
        "this terminal cannot move its cursor (TERM is \"" + name + "\")",
        hint);
  // What gives the terminal back: attributes, colours, cursor, screen.
  for (const char* each : {"sgr0", "op", "cnorm", "rmcup"})
    append_sequence(reset_, curses_.tigetstr(each));
  std::setlocale(LC_CTYPE, "");
  unicode_ = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  return {};
}

bool screen::impl::make() {
  const int copy = ::fcntl(tty_.get(), F_DUPFD_CLOEXEC, 3);
  out_ = ::fdopen(copy, "r+");
  if (out_ == nullptr) return false;
  // It takes signals where nobody has, but here they have their places.
  std::array<std::pair<int, struct sigaction>, 3> actions{
      {{SIGINT, {}}, {SIGTERM, {}}, {SIGWINCH, {}}}};
  for (auto& [number, action] : actions) ::sigaction(number, nullptr, &action);
  made_ = curses_.newterm(nullptr, out_, out_);
  for (auto& [number, action] : actions) ::sigaction(number, &action, nullptr);
  if (made_ == nullptr) return false;
  curses_.cbreak();
  curses_.noecho();
  curses_.curs_set(0);
  choose_colors();
  return true;
}

void screen::impl::choose_colors() {
  const char* none = std::getenv("NO_COLOR");
  const bool wanted = none == nullptr || *none == '\0';
  colors_ = wanted && curses_.has_colors() && curses_.start_color() == OK;
  if (!colors_) return;
  const bool defaults = curses_.use_default_colors() == OK;
  const short back = defaults ? -1 : COLOR_BLACK;
  short pair = 1;
  for (const short color : {COLOR_CYAN, COLOR_GREEN, COLOR_YELLOW, COLOR_RED,
                            COLOR_BLUE, COLOR_MAGENTA})
    curses_.init_pair(pair++, color, back);
}

int screen::impl::attributes(text_style style) const noexcept {
  const auto colored = [this](int pair, int otherwise) {
    return colors_ ? static_cast<int>(NCURSES_BITS(pair, 0)) : otherwise;
  };
  constexpr int bold = static_cast<int>(A_BOLD);
  switch (style) {
    case text_style::plain:
      return 0;
    case text_style::heading:
      return colored(1, 0) | bold;
    case text_style::faint:
      return static_cast<int>(A_DIM);
    case text_style::good:
      return colored(2, 0);
    case text_style::warning:
      return colored(3, bold);
    case text_style::bad:
      return colored(4, bold) | bold;
    case text_style::read:
      return colored(2, 0);
    case text_style::write:
      return colored(6, 0);
  }
  return 0;
}

bool screen::impl::enter() {
  if (on_) return true;
  termios before{};
  if (::tcgetattr(tty_.get(), &before) != 0) return false;
  guard_terminal(tty_.get(), before, reset_);
  on_ = made_ != nullptr || make();
  if (on_) return true;
  reset_terminal();
  release_terminal();
  return false;
}

void screen::impl::leave() {
  if (!on_) return;
  on_ = false;
  curses_.endwin();
  release_terminal();
}

void screen::impl::draw(const std::vector<screen_line>& lines,
                        const screen_shape& shape) {
  if (std::exchange(rows_, shape.rows) != shape.rows ||
      std::exchange(columns_, shape.columns) != shape.columns)
    curses_.resizeterm(static_cast<int>(shape.rows),
                       static_cast<int>(shape.columns));
  WINDOW* all = *curses_.stdscr;
  curses_.werase(all);
  for (std::size_t row = 0; row < lines.size(); ++row) {
    if (curses_.wmove(all, static_cast<int>(row), 0) != OK) break;
    for (const styled_text& part : lines[row]) {
      curses_.wattrset(all, attributes(part.style));
      curses_.waddnstr(all, part.text.data(),
                       static_cast<int>(part.text.size()));
    }
  }
  if (std::exchange(fresh_, false)) curses_.clearok(all, true);
  curses_.wrefresh(all);
}

screen::screen() = default;
screen::~screen() = default;

result<std::unique_ptr<screen>> screen::open() {
  descriptor tty = open_terminal();
  if (tty.get() < 0)
    return refused("there is no terminal to draw on",
                   "--headless tells in lines what is done");
  const ncurses_calls* calls = load_ncurses();
  if (calls == nullptr)
    return refused("libncursesw.so.6 is not installed",
                   "Debian's package is libncursesw6");
  std::unique_ptr<screen> made(new screen);
  made->impl_ = std::make_unique<impl>(*calls, std::move(tty));
  if (status s = made->impl_->check(); !s.ok()) return s;
  return result<std::unique_ptr<screen>>(std::move(made));
}

bool screen::enter() {
  impl_->fresh_ = true;
  return impl_->enter();
}

void screen::leave() {
  impl_->leave();
}

bool screen::is_on() const noexcept {
  return impl_->on_;
}

bool screen::in_foreground() const noexcept {
  return ::tcgetpgrp(impl_->tty_.get()) == ::getpgrp();
}

screen_shape screen::shape() const noexcept {
  winsize size{};
  ::ioctl(impl_->tty_.get(), TIOCGWINSZ, &size);
  const auto within = [](unsigned short given, int otherwise) {
    return static_cast<std::size_t>(given == 0 ? otherwise
                                               : std::min<int>(given, largest));
  };
  return {within(size.ws_row, 24), within(size.ws_col, 80), impl_->unicode_};
}

void screen::draw(const std::vector<screen_line>& lines,
                  const screen_shape& shape) {
  if (!impl_->on_ || !has_room(impl_->tty_.get())) return;
  impl_->draw(lines, shape);
}

void screen::forget() noexcept {
  impl_->fresh_ = true;
}

int screen::keys() const noexcept {
  return impl_->on_ ? impl_->tty_.get() : -1;
}

std::string screen::typed() {
  std::array<char, 64> keys;
  const ssize_t got = ::read(impl_->tty_.get(), keys.data(), keys.size());
  // Arrows and the like come as an escape and letters.
  if (got <= 0 || keys[0] == '\x1b') return {};
  return {keys.data(), static_cast<std::size_t>(got)};
}

void screen::unblock() noexcept {
  ::tcflow(impl_->tty_.get(), TCOON);
  ::tcflush(impl_->tty_.get(), TCOFLUSH);
}

void screen::reset_now() noexcept {
  reset_terminal();
}

bool screen::asked_to_pause() noexcept {
  return take_pause_request();
}

void screen::pause() {
  stop_process();
}

bool screen::was_continued() noexcept {
  return take_continuation();
}

}  // namespace nexus::tool
