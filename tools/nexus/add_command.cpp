// Jobs into the queue: add and rerun.
#include <fmt/format.h>

#include "commands.hpp"
#include "jobs_file.hpp"
#include "service_control.hpp"
#include "sync.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

// As a shell reads it back.
std::string quote(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "_-+=./,:@%^";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// One word is a line for the shell; several are a program and its arguments.
std::string command_of(const std::vector<std::string>& words) {
  if (words.size() == 1) return words[0];
  std::string line;
  for (const auto& word : words) {
    line += (line.empty() ? "" : " ") + quote(word);
  }
  return line;
}

void remind_of_service(context& all) {
  if (running_service(all.where).process.pid != 0) return;
  std::fprintf(stderr, "nexus: the service does not run; `nexus` starts it\n");
}

int enter(context& all, const job_request& request) {
  const auto added = all.jobs.add(request);
  if (!added) return complain(added.error());
  say(fmt::format("Added job {}", added->id));
  refresh_jobs_file(all);
  remind_of_service(all);
  return 0;
}

}  // namespace

int add_command(context& all, const arguments& given) {
  job_request request = request_from_here(all.values);
  request.command = command_of(given.words);
  request.name = given.name;
  request.priority = given.priority;
  request.retries = given.retries;
  if (given.gpus >= 0) request.gpus = given.gpus;
  if (!given.time_limit.empty()) {
    const auto limit = parse_duration(given.time_limit);
    if (!limit) return complain(limit.error());
    request.time_limit = *limit;
  }
  const std::string wrong = wrong_with_command(request.command);
  if (!wrong.empty()) return complain({status_code::invalid_argument, wrong});
  if (request.directory.empty()) {
    return complain(
        {status_code::io_error, "the folder that this is called from is gone"});
  }
  if (given.dry_run) {
    say("Would add: " + show_command(request.command));
    return 0;
  }
  return enter(all, request);
}

int rerun_command(context& all, const arguments& given) {
  int code = 0;
  for (const auto& id : given.words) {
    const auto before = all.jobs.find(id);
    if (!before) {
      code = complain(before.error());
      continue;
    }
    auto environment = all.jobs.environment_of(*before);
    if (!environment) {
      code = complain(environment.error());
      continue;
    }
    job_request request = before->asked;
    request.environment = std::move(environment).value();
    if (enter(all, request) != 0) code = 1;
  }
  return code;
}

}  // namespace nexus::queue
