// Programs that are asked something, or told, and have to answer in time.
#pragma once

#include <chrono>
#include <nexus/status.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::queue {

struct program {
  std::vector<std::string> words;  // found on PATH
  std::chrono::milliseconds limit{10000};
  std::string input;                     // its standard input
  std::vector<std::string> environment;  // NAME=value, beside or over ours
  // Its standard output is kept; else dropped, and what it leaves running in
  // the background keeps nobody waiting.
  bool keep_output = true;
  // With all that it starts: a process group of its own, ended as one.
  bool own_group = false;
  std::stop_token stop;  // ends it before its time
};

struct command_output {
  int exit_status = -1;  // -1: it was ended by a signal or by us
  bool timed_out = false;
  bool stopped = false;
  std::string text;  // standard output
};

// Its standard error is dropped. unsupported: there is no such program. Past
// its limit it is killed.
[[nodiscard]] result<command_output> run_program(const program& asked);
[[nodiscard]] result<command_output> run_program(
    const std::vector<std::string>& words, std::chrono::milliseconds limit);

// Where on PATH it is; empty where it is not.
[[nodiscard]] std::string find_program(std::string_view name);

}  // namespace nexus::queue
