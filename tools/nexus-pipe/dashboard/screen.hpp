// A terminal's whole screen, through ncurses, which is loaded when a screen is
// opened and not before.
#pragma once

#include <memory>
#include <nexus/status.hpp>
#include <string>
#include <vector>

#include "dashboard/layout.hpp"

namespace nexus::tool {

// One per process, and used by one thread but for open() and reset_now().
class screen {
 public:
  // On the controlling terminal, or else standard error where that is one.
  // Nothing is drawn yet. Sets the process's LC_CTYPE to the user's: ahead of
  // other threads. invalid_argument: there is no terminal, or it cannot be
  // drawn on; unsupported: ncurses is not installed.
  [[nodiscard]] static result<std::unique_ptr<screen>> open();
  // Leaves, where it is still on.
  ~screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  // Takes the terminal over and gives it back. In between, whatever ends the
  // process by a signal that can be caught gives it back too. False: the
  // terminal cannot be taken.
  bool enter();
  void leave();
  [[nodiscard]] bool is_on() const noexcept;
  // Whether this process is in the terminal's foreground.
  [[nodiscard]] bool in_foreground() const noexcept;

  // As it is now.
  [[nodiscard]] screen_shape shape() const noexcept;
  // Left out where it would have to be waited for.
  // Made for that shape.
  void draw(const std::vector<screen_line>& lines, const screen_shape& shape);
  // Draws everything anew next time.
  void forget() noexcept;
  // Readable once something was typed; -1 while the screen is off.
  [[nodiscard]] int keys() const noexcept;
  // What was typed, as far as it is plain letters. keys() has to be readable.
  [[nodiscard]] std::string typed();

  // (any thread) Throws away what the terminal has not taken, so that nobody
  // waits for a reader.
  void unblock() noexcept;
  // (any thread, also a signal handler) Gives the terminal back at once.
  static void reset_now() noexcept;

  // SIGTSTP came: leave(), then pause().
  [[nodiscard]] bool asked_to_pause() noexcept;
  // Stops the process as SIGTSTP does by default; returns when it goes on.
  void pause();
  // SIGCONT came since the last call.
  [[nodiscard]] bool was_continued() noexcept;

 private:
  screen();
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace nexus::tool
