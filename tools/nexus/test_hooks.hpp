// What tests need of the programs themselves, and nobody else sets. Compiled
// in always: what is tested is what is shipped.
//
//   NEXUS_TEST_CRASH=ROLE:MOVE.WHEN   the process of that role is killed, as
//       by kill -9, where it comes to that point. Roles: service, launcher,
//       command. tests/nexus/test_crash.py walks through all of them.
//   NEXUS_TEST_BOOT_ID=FILE           the boot id is read from there
#pragma once

#include <string>
#include <string_view>

namespace nexus::queue {

// What this process is; a command unless it says otherwise.
void play_role(std::string_view role);

void crash_point(std::string_view move, std::string_view when);

[[nodiscard]] std::string boot_id_file();

}  // namespace nexus::queue
