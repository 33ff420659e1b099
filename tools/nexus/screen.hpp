// Sessions of GNU screen.
#pragma once

#include <nexus/status.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "home.hpp"

namespace nexus::queue {

// unsupported: screen is not installed.
[[nodiscard]] status check_screen();

// Starts words in a detached session, which does not count as part of the job
// that this process may run in. io_error: screen failed.
[[nodiscard]] status start_session(const home& where, std::string_view name,
                                   const std::vector<std::string>& words);

// Becomes `screen -r`; returns where that cannot be.
[[nodiscard]] status attach_session(std::string_view session);

// Ends it, as `screen -X quit`. Where it is gone already, nothing happens.
void quit_session(std::string_view session);

}  // namespace nexus::queue
