// Jobs into the queue: add and rerun.
#include <fmt/format.h>

#include <algorithm>
#include <map>

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

// "abc", "abc:any".
result<dependency> parse_dependency(const std::string& word) {
  dependency made;
  const auto colon = word.find(':');
  made.id = word.substr(0, colon);
  if (colon == std::string::npos) return made;
  const std::string wanted = word.substr(colon + 1);
  for (const condition when :
       {condition::success, condition::any, condition::failure}) {
    if (wanted != name_of(when)) continue;
    made.when = when;
    return made;
  }
  return status(status_code::invalid_argument,
                fmt::format("\"{}\" is none of success any failure", wanted),
                "as in `nexus add --after abc:any`");
}

status put_options(const arguments& given, job_request& request) {
  request.name = given.name;
  request.priority = given.priority;
  request.retries = given.retries;
  if (given.gpus >= 0) request.gpus = given.gpus;
  if (!given.time_limit.empty()) {
    const auto limit = parse_duration(given.time_limit);
    if (!limit) return limit.error();
    request.time_limit = *limit;
  }
  for (const std::string& word : given.after) {
    auto wanted = parse_dependency(word);
    if (!wanted) return wanted.error();
    request.after.push_back(std::move(wanted).value());
  }
  return {};
}

status check(const job_request& request) {
  const std::string wrong = wrong_with_command(request.command);
  if (!wrong.empty()) return {status_code::invalid_argument, wrong};
  if (request.directory.empty()) {
    return {status_code::io_error,
            "the folder that this is called from is gone"};
  }
  return {};
}

int enter(context& all, const std::vector<job_request>& requests) {
  const auto added = all.jobs.add(requests);
  if (!added) return complain(added.error());
  for (const job& one : *added) say(fmt::format("Added job {}", one.id));
  refresh_jobs_file(all);
  remind_of_service(all);
  return 0;
}

// All is done but the commit.
int try_out(context& all, const std::vector<job_request>& requests) {
  const transaction undone(all.jobs.data());
  const auto added = all.jobs.add(requests);
  if (!added) return complain(added.error());
  for (const job_request& one : requests) {
    say("Would add: " + show_command(one.command));
  }
  return 0;
}

// What a job that is added again waits for: what has not ended yet, and in
// place of a job that is itself added again, its successor.
std::vector<dependency> dependencies_again(
    context& all, const std::vector<dependency>& before,
    const std::map<std::int64_t, std::string>& successors) {
  std::vector<dependency> wanted;
  for (dependency one : before) {
    const auto successor = successors.find(one.parent);
    if (successor != successors.end()) {
      one.id = successor->second;
    } else if (const auto parent = all.jobs.find(one.id);
               !parent || is_finished(parent->state)) {
      continue;
    }
    wanted.push_back(std::move(one));
  }
  return wanted;
}

}  // namespace

int add_command(context& all, const arguments& given) {
  job_request request = request_from_here(all.values);
  request.command = command_of(given.words);
  if (const status wrong = put_options(given, request); !wrong.ok()) {
    return complain(wrong);
  }
  if (const status wrong = check(request); !wrong.ok()) return complain(wrong);
  const std::vector<job_request> requests = {std::move(request)};
  return given.dry_run ? try_out(all, requests) : enter(all, requests);
}

int rerun_command(context& all, const arguments& given) {
  int code = 0;
  std::vector<job> before;
  for (const auto& id : given.words) {
    auto found = all.jobs.find(id);
    if (!found) {
      code = complain(found.error());
    } else {
      before.push_back(std::move(found).value());
    }
  }
  // Those that others wait for come first, as when they were added.
  std::ranges::sort(before, {}, &job::number);
  auto waited_for = all.jobs.all_dependencies();
  if (!waited_for) return complain(waited_for.error());
  std::map<std::int64_t, std::string> successors;
  for (const job& one : before) {
    auto environment = all.jobs.environment_of(one);
    if (!environment) {
      code = complain(environment.error());
      continue;
    }
    job_request request = one.asked;
    request.environment = std::move(environment).value();
    request.after =
        dependencies_again(all, (*waited_for)[one.number], successors);
    const auto added = all.jobs.add(request);
    if (!added) {
      code = complain(added.error());
      continue;
    }
    successors[one.number] = added->id;
    say(fmt::format("Added job {}", added->id));
  }
  if (successors.empty()) return code;
  refresh_jobs_file(all);
  remind_of_service(all);
  return code;
}

}  // namespace nexus::queue
