// Keeps jobs.txt and the store in step. What was edited goes into the store
// first, then the file is written from it.
#pragma once

#include <string>
#include <vector>

#include "config.hpp"
#include "store.hpp"

namespace nexus::queue {

struct sync_report {
  std::vector<std::string> messages;  // what was added, removed, not understood
  std::size_t problems = 0;           // lines that were not understood
  status failure;
};

// Safe from several processes at a time, and at any point of a crash: no line
// is taken for a new job twice. Where the template is given, new jobs get its
// folder and environment; else the home folder and this process's environment.
[[nodiscard]] sync_report sync_jobs_file(const home& where, store& jobs,
                                         const config& values,
                                         const job_request* like = nullptr);

// This process's environment, folder, and nothing else.
[[nodiscard]] job_request request_from_here(const config& values);

}  // namespace nexus::queue
