// Gives a terminal back whatever ends the process: signal handlers alone.
#pragma once

#include <termios.h>

#include <string_view>

namespace nexus::tool {

// From here on reset_terminal() and the signals that end a process write the
// sequence (256 bytes at most) to the descriptor and restore the settings. The
// signals' own actions follow. Notes SIGTSTP and SIGCONT too.
void guard_terminal(int fd, const termios& settings, std::string_view sequence);
// No longer.
void release_terminal() noexcept;
// (any thread, also a signal handler) Once.
void reset_terminal() noexcept;

// Whether it came since the last call.
[[nodiscard]] bool take_pause_request() noexcept;
[[nodiscard]] bool take_continuation() noexcept;
// Stops the process as SIGTSTP does by default.
void stop_process() noexcept;

}  // namespace nexus::tool
