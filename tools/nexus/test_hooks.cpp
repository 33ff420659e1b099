#include "test_hooks.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

namespace nexus::queue {
namespace {

std::string& own_role() {
  static std::string role = "command";
  return role;
}

}  // namespace

void play_role(std::string_view role) {
  own_role() = role;
}

void crash_point(std::string_view move, std::string_view when) {
  static const char* const wanted = std::getenv("NEXUS_TEST_CRASH");
  if (wanted == nullptr) return;
  if (fmt::format("{}:{}.{}", own_role(), move, when) == wanted) {
    ::kill(::getpid(), SIGKILL);
  }
}

std::string boot_id_file() {
  const char* given = std::getenv("NEXUS_TEST_BOOT_ID");
  return given != nullptr ? given : "/proc/sys/kernel/random/boot_id";
}

}  // namespace nexus::queue
