// What is to be told of a job that ended. A function of what is known.
#pragma once

#include <string>
#include <vector>

#include "config.hpp"
#include "store.hpp"

namespace nexus::queue {

// None where nobody wants to know, or nothing is configured.
[[nodiscard]] std::vector<notice> notices_of(const job& ended,
                                             const config& values);

// NAME=value for notify.command: NEXUS_JOB_ID, NEXUS_JOB_STATE, ...
[[nodiscard]] std::vector<std::string> notice_environment(const job& ended);

}  // namespace nexus::queue
