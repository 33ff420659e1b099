// jobs.txt: the queue as people edit it, a line a job. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store.hpp"

namespace nexus::queue {

struct jobs_line {
  std::string command;
  std::string id;  // empty: a new job
};

struct parsed_jobs {
  std::vector<jobs_line> lines;
  // Of the youngest job when the file was written; a job after it was never in
  // the file, and its absence says nothing. 0: the file does not tell, and no
  // absence says anything.
  std::int64_t last_number = 0;
  // "line 3: ..."; and the lines as they are.
  std::vector<std::string> problems;
  std::vector<std::string> rejected;
};

[[nodiscard]] parsed_jobs parse_jobs(std::string_view text);
[[nodiscard]] std::string render_jobs(const std::vector<job>& queue,
                                      std::int64_t last_number);

// A command on one line, and back: a newline is shown as its symbol, U+2424.
[[nodiscard]] std::string show_command(std::string_view command);
[[nodiscard]] std::string read_command(std::string_view shown);

// Why it cannot be run; empty: it can.
[[nodiscard]] std::string wrong_with_command(std::string_view command);

}  // namespace nexus::queue
