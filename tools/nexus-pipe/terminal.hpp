// The one place that prints messages and talks to the person at the terminal.
#pragma once

#include <termios.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nexus/secret.hpp>
#include <nexus/status.hpp>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "log.hpp"
#include "stop_event.hpp"

namespace nexus::tool {

// Messages go to standard error, one line each, as "nexus-pipe: error: ...".
// Control characters in them are shown as '?'. Thread-safe.
class terminal {
 public:
  terminal() = default;
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  // quiet drops warnings, verbose lets notes through. Before there are other
  // threads.
  void configure(bool quiet, bool verbose) noexcept;
  // From here on nobody who has something to say waits until it is written: a
  // thread of the log's does that, see log.hpp. Once. io_error: the log's file
  // cannot be written.
  status start_log(const watch_arguments& arguments);

  // The message and the hint; for internal errors a request to report it.
  void error(const status& failure);
  void warning(std::string_view text);
  void note(std::string_view text);
  // What a log tells that nobody has to ask for: in the log's file, or where
  // notes are or everything is told in lines.
  void info(std::string_view text);
  [[nodiscard]] bool tells_info() const noexcept { return tells_info_; }
  // Whether somebody gets such lines, on a screen or in a log.
  [[nodiscard]] bool wants_info() const noexcept {
    return tells_info_ || has_listener_;
  }
  // Gets a copy of each message, and what info() is told, on whichever thread
  // has something to say; has to return at once. Nothing: nobody. Returns once
  // the one before is not at work any more.
  void listen(std::function<void(const log_line&)> listener);
  // While something else is drawn on the terminal, what would be written there
  // waits: as much as there is room for, the latest. false: writes it.
  void hold_lines(bool held);
  // A line as it is, without the prefix.
  void plain(std::string_view text);
  // A line for programs. Dropped where it would be waited for.
  void data(std::string_view text);

  // A line at the bottom that is rewritten in place. Other messages clear it;
  // none is drawn while something is being asked.
  void show_progress(std::string_view line);
  void clear_progress();

  // Asks with the echo off, on the controlling terminal or else on standard
  // input where that is one, and erases the prompt. cancelled: stop was
  // requested. io_error: there is no terminal, or its input ended.
  [[nodiscard]] result<secret_string> ask_secret(std::string_view prompt,
                                                 const stop_event& stop);
  // Whether something was asked and answered.
  [[nodiscard]] bool asked() const noexcept { return asked_; }
  // To the person alone: never into a log. io_error: there is no terminal.
  status tell(std::string_view text);
  // Gives the terminal back as it was, where a prompt is open or a screen is
  // drawn. For a process about to end.
  void restore() noexcept;

 private:
  class prompt_guard;
  void print(log_level level, std::string_view text);
  void print_line(std::string line);
  bool show_line(std::string_view line, const std::stop_token& hurry);
  void share(log_level level, std::string_view text);
  bool held_back(std::string_view line);
  void restore_echo() noexcept;

  std::mutex mutex_;
  bool quiet_ = false;
  bool verbose_ = false;
  bool headless_ = false;
  bool tells_info_ = false;
  bool json_ = false;  // standard error gets the log as JSON
  bool progress_shown_ = false;
  bool asking_ = false;
  bool holding_ = false;
  std::deque<std::string> held_;
  std::atomic<bool> asked_{false};
  // Settings to restore, meant for the descriptor; -1: none.
  termios saved_{};
  std::atomic<int> silenced_{-1};
  std::mutex listener_mutex_;
  std::function<void(const log_line&)> listener_;
  std::atomic<bool> has_listener_{false};
  std::unique_ptr<log_writer> log_;  // its thread uses what is above
};

// All of it, to standard output. broken_pipe where nobody reads it any more.
status print_output(std::string_view text);

// Whether standard error is a terminal on which a line can be rewritten.
[[nodiscard]] bool draws_in_place() noexcept;

// Columns of the terminal on standard error; 80 where it does not say.
[[nodiscard]] unsigned terminal_columns() noexcept;

}  // namespace nexus::tool
