// Runs other programs, and reads what those made with GoogleTest say.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gpu_check {

struct ended {
  int status = -1;  // of the exit; 128 and more: by that signal
  bool timed_out = false;
  double seconds = 0;
  std::string output;  // standard output and standard error
};

// Runs a program to its end, in an environment with these changes, and kills it
// and its children once the time is up. status 127: it could not be started.
ended run_program(const std::vector<std::string>& words,
                  const std::map<std::string, std::string>& changes,
                  std::chrono::seconds limit);

// As one would type it.
std::string command_line(const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& changes);

// One entry for each test that began: name, result ("passed", "failed",
// "skipped"), seconds, and the reason unless it passed. One that began and did
// not end has failed.
nlohmann::ordered_json tests_of(const std::string& output);

}  // namespace gpu_check
