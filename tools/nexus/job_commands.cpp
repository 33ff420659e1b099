// queue, history, kill, remove, wait.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "commands.hpp"
#include "ids.hpp"
#include "service_control.hpp"
#include "service_log.hpp"
#include "status_view.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

using json = nlohmann::json;

// facts: given for jobs in the queue.
int print_json(context& all, const std::vector<job>& jobs,
               const queue_facts* facts) {
  const auto after = all.jobs.all_dependencies();
  if (!after) return complain(after.error());
  json list = json::array();
  for (const job& which : jobs) {
    json one = job_json(which, *after);
    if (facts != nullptr) one["reason"] = reason_of(which, *facts).text;
    list.push_back(std::move(one));
  }
  std::fputs(show_json(list).c_str(), stdout);
  return 0;
}

std::string show_outcome(const job& which) {
  std::string text(name_of(which.state));
  if (which.state == job_state::failed && which.exit_status) {
    text += fmt::format(" ({})", *which.exit_status);
  }
  return text;
}

result<job> wait_for_end(context& all, const std::string& id) {
  for (;;) {
    auto now = all.jobs.find(id);
    if (!now || is_finished(now->state)) return now;
    ::usleep(50000);
  }
}

status kill_one(context& all, const std::string& word) {
  const auto found = find_running(all, word);
  if (!found) return found.error();
  const auto asked = all.jobs.request_kill(*found);
  if (!asked) return asked.error();
  if (!*asked) {
    return {status_code::invalid_argument,
            fmt::format("job {} has just ended", found->id)};
  }
  // The service carries it out.
  const auto started = ensure_service(all.where, all.jobs);
  if (!started) return started.error();
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(30) +
      std::chrono::duration<double>(all.values.kill_grace_seconds);
  while (std::chrono::steady_clock::now() < until) {
    const auto now = all.jobs.find(found->id);
    if (!now) return now.error();
    if (now->state == job_state::killed) {
      say(fmt::format("Killed job {}", found->id));
      return {};
    }
    if (is_finished(now->state)) {
      return {status_code::invalid_argument,
              fmt::format("job {} ended by itself: {}", found->id,
                          show_outcome(*now))};
    }
    ::usleep(20000);
  }
  return {status_code::io_error, fmt::format("job {} does not end", found->id)};
}

}  // namespace

result<job> find_running(context& all, const std::string& word) {
  if (is_gpu_index(word)) {
    const auto active =
        all.jobs.list({job_state::starting, job_state::running});
    if (!active) return active.error();
    for (const job& which : *active) {
      if (("," + which.gpu + ",").find("," + word + ",") != std::string::npos) {
        return which;
      }
    }
    return status(status_code::invalid_argument,
                  fmt::format("no job runs on GPU {}", word));
  }
  auto found = all.jobs.find(word);
  if (!found) return found;
  if (found->state == job_state::queued) {
    return status(status_code::invalid_argument,
                  fmt::format("job {} does not run yet", word),
                  "`nexus remove` takes it out of the queue");
  }
  if (is_finished(found->state)) {
    return status(
        status_code::invalid_argument,
        fmt::format("job {} has ended: {}", word, show_outcome(*found)));
  }
  return found;
}

int queue_command(context& all, const arguments& given) {
  const auto queue = all.jobs.list({job_state::queued});
  if (!queue) return complain(queue.error());
  const auto facts = gather_queue_facts(all);
  if (!facts) return complain(facts.error());
  if (given.json) return print_json(all, *queue, &*facts);
  if (queue->empty()) say("No jobs pending");
  const style colors = style_for(STDOUT_FILENO);
  std::size_t position = 0;
  for (const job& which : *queue) {
    say(fmt::format("{}. {} {}", ++position, colors(paint::id, which.id),
                    colors(paint::command, one_line(which.asked.command))));
    const reason why = reason_of(which, *facts);
    if (why.own) say("    " + why.text);
  }
  return 0;
}

int history_command(context& all, const arguments& given) {
  const auto past = all.jobs.list(
      {job_state::completed, job_state::failed, job_state::killed},
      given.limit);
  if (!past) return complain(past.error());
  if (given.json) return print_json(all, *past, nullptr);
  if (past->empty()) say("No jobs completed");
  const style colors = style_for(STDOUT_FILENO);
  for (const job& which : *past) {
    const std::string outcome = show_outcome(which);
    say(fmt::format(
        "{} {} {} {} {} {}", colors(paint::id, which.id),
        colors(paint::time,
               which.started ? show_time(*which.started) : "never started"),
        colors(paint::time, show_duration(runtime_of(which, 0))),
        which.state == job_state::completed ? outcome
                                            : colors(paint::error, outcome),
        where_of(which),
        colors(paint::command, one_line(which.asked.command))));
    if (!which.error.empty()) say("    " + one_line(which.error));
  }
  return 0;
}

int kill_command(context& all, const arguments& given) {
  int code = 0;
  for (const auto& word : given.words) {
    const status done = kill_one(all, word);
    if (!done.ok()) code = complain(done);
  }
  return code;
}

int remove_command(context& all, const arguments& given) {
  int code = 0;
  for (const auto& id : given.words) {
    const auto found = all.jobs.find(id);
    if (!found) {
      code = complain(found.error());
      continue;
    }
    const auto removed = all.jobs.remove(*found);
    if (!removed) {
      code = complain(removed.error());
    } else if (!*removed) {
      code = complain({status_code::invalid_argument,
                       fmt::format("job {} is not in the queue", id),
                       is_finished(found->state)
                           ? ""
                           : "`nexus kill` ends a job that runs"});
    } else {
      say(fmt::format("Removed job {}", id));
    }
  }
  refresh_jobs_file(all);
  return code;
}

int wait_command(context& all, const arguments& given) {
  int code = 0;
  for (const auto& id : given.words) {
    const auto ended = wait_for_end(all, id);
    if (!ended) {
      code = complain(ended.error());
      continue;
    }
    say(fmt::format("{} {}", id, show_outcome(*ended)));
    if (ended->state != job_state::completed) code = 1;
  }
  return code;
}

int print_ids(std::string_view kind) {
  auto all = open_context();
  if (!all) return 1;
  std::vector<job_state> states;
  if (kind != "active") states.push_back(job_state::queued);
  if (kind != "queued") {
    states.push_back(job_state::starting);
    states.push_back(job_state::running);
  }
  auto listed = all->jobs.list(states);
  if (!listed) return 1;
  for (const job& which : *listed) say(which.id);
  if (kind != "all") return 0;
  listed = all->jobs.list(
      {job_state::completed, job_state::failed, job_state::killed}, 100);
  if (!listed) return 1;
  for (const job& which : *listed) say(which.id);
  return 0;
}

}  // namespace nexus::queue
