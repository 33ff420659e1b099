// Inside a job's screen session: starts the command, keeps its two outputs
// apart, and writes down how it ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "config.hpp"
#include "home.hpp"

namespace nexus::queue {

// The folder of a job's stdout.log and stderr.log.
[[nodiscard]] std::filesystem::path log_folder(const config& values,
                                               std::string_view id);

// Runs the attempt, if the job still waits for it, to its end. Returns the exit
// status of the process.
//   SIGTERM: ends the job.  SIGHUP: the session is gone; ends the job too.
int launch(const home& where, const std::string& id, std::int64_t attempt);

}  // namespace nexus::queue
