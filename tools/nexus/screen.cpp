#include "screen.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "files.hpp"
#include "program.hpp"

namespace nexus::queue {
namespace {

constexpr std::chrono::seconds patience(10);

// Not the user's own: settings such as `zombie` keep sessions for ever.
constexpr std::string_view default_screenrc =
    "startup_message off\n"
    "defscrollback 10000\n"
    "vbell off\n";

status ensure_screenrc(const home& where) {
  if (::access(where.screenrc().c_str(), F_OK) == 0) return {};
  return replace_file(where.screenrc(), default_screenrc);
}

}  // namespace

status check_screen() {
  if (!find_program("screen").empty()) return {};
  return {status_code::unsupported, "screen is not installed",
          "on Debian: apt-get install screen"};
}

status start_session(const home& where, std::string_view name,
                     const std::vector<std::string>& words) {
  if (status missing = check_screen(); !missing.ok()) return missing;
  if (status failed = ensure_screenrc(where); !failed.ok()) return failed;
  std::vector<std::string> all = {"env",
                                  "-u",
                                  "NEXUS_JOB_ID",
                                  "-u",
                                  "STY",
                                  "-u",
                                  "WINDOW",
                                  "NEXUS_HOME=" + where.root.string(),
                                  "screen",
                                  "-c",
                                  where.screenrc().string(),
                                  "-dmS",
                                  std::string(name)};
  all.insert(all.end(), words.begin(), words.end());
  const auto ran = run_program(all, patience);
  if (!ran) return ran.error();
  if (ran->timed_out || ran->exit_status != 0) {
    return {status_code::io_error,
            fmt::format("screen failed to start the session {}", name),
            "`screen -ls` tells whether its folder can be used"};
  }
  return {};
}

status attach_session(std::string_view session) {
  if (status missing = check_screen(); !missing.ok()) return missing;
  const std::string name(session);
  // -x: also where it is attached elsewhere.
  ::execlp("screen", "screen", "-x", name.c_str(), nullptr);
  return {status_code::io_error,
          fmt::format("cannot run screen: {}", std::strerror(errno))};
}

void quit_session(std::string_view session) {
  if (session.empty()) return;
  static_cast<void>(run_program(
      {"screen", "-S", std::string(session), "-X", "quit"}, patience));
}

}  // namespace nexus::queue
