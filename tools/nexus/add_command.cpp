// Jobs into the queue: add and rerun.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "arrays.hpp"
#include "commands.hpp"
#include "jobs_file.hpp"
#include "service_control.hpp"
#include "status_view.hpp"
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

result<notify_on> parse_notify(const std::string& word) {
  for (const notify_on one :
       {notify_on::finished, notify_on::failed, notify_on::never}) {
    if (word == name_of(one)) return one;
  }
  return status(status_code::invalid_argument,
                fmt::format("\"{}\" is none of finished failed never", word));
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
  if (!given.gpu_memory.empty()) {
    const auto memory = parse_memory(given.gpu_memory);
    if (!memory) return memory.error();
    request.gpu_memory = *memory;
  }
  if (!given.notify.empty()) {
    const auto when = parse_notify(given.notify);
    if (!when) return when.error();
    request.notify = *when;
  }
  for (const std::string& word : given.after) {
    auto wanted = parse_dependency(word);
    if (!wanted) return wanted.error();
    request.after.push_back(std::move(wanted).value());
  }
  return {};
}

// The jobs of an array, or one.
result<std::vector<job_request>> spread(const job_request& request,
                                        const std::string& array) {
  std::vector<job_request> requests;
  if (array.empty()) {
    requests.push_back(request);
    return requests;
  }
  const auto numbers = parse_array(array);
  if (!numbers) return numbers.error();
  if (!has_gap(request.command)) {
    return status(status_code::invalid_argument,
                  "the command has no {} for the number",
                  "as in `nexus add --array 0-9 \"train.py --seed {}\"`");
  }
  for (const std::int64_t number : *numbers) {
    job_request one = request;
    one.command = fill_in(request.command, number);
    if (has_gap(request.name)) {
      one.name = fill_in(request.name, number);
    } else if (!request.name.empty()) {
      one.name += "-" + std::to_string(number);
    }
    requests.push_back(std::move(one));
  }
  return requests;
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

// They may still come: it is a warning.
void warn_of_size(context& all, const job_request& request) {
  const std::string never = never_fits(request, unpack(all.jobs.word("gpus")));
  if (!never.empty()) std::fprintf(stderr, "nexus: %s\n", never.c_str());
}

void print(const std::vector<job>& added, const dependency_map& after) {
  auto list = nlohmann::json::array();
  for (const job& one : added) list.push_back(job_json(one, after));
  std::fputs(show_json(list).c_str(), stdout);
}

void show_added(context& all, const std::vector<job>& added,
                const arguments& given) {
  if (given.json) {
    const auto after = all.jobs.unmet_dependencies();
    return print(added, after ? *after : dependency_map());
  }
  for (const job& one : added) {
    say(given.dry_run ? "Would add: " + show_command(one.asked.command)
                      : fmt::format("Added job {}", one.id));
  }
}

// A trial is all but the commit.
int enter(context& all, const std::vector<job_request>& requests,
          const arguments& given) {
  std::optional<transaction> trial;
  if (given.dry_run) trial.emplace(all.jobs.data());
  const auto added = all.jobs.add(requests);
  if (!added) return complain(added.error());
  show_added(all, *added, given);
  warn_of_size(all, requests.front());
  if (given.dry_run) return 0;
  refresh_jobs_file(all);
  remind_of_service(all);
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
  const auto requests = spread(request, given.array);
  if (!requests) return complain(requests.error());
  for (const job_request& one : *requests) {
    if (const status wrong = check(one); !wrong.ok()) return complain(wrong);
  }
  return enter(all, *requests, given);
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
