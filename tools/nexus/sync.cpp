#include "sync.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <set>

#include "files.hpp"
#include "jobs_file.hpp"
#include "service_log.hpp"
#include "test_hooks.hpp"

namespace nexus::queue {
namespace {

// Names of variables that belong to the session or job of whoever adds.
bool is_own(std::string_view entry) {
  for (const std::string_view name :
       {"STY=", "WINDOW=", "NEXUS_JOB_ID=", "NEXUS_GPU_ID=",
        "CUDA_VISIBLE_DEVICES=", "CUDA_DEVICE_ORDER=", "TERMCAP=", "_="}) {
    if (entry.starts_with(name)) return true;
  }
  return false;
}

struct edit {
  store& jobs;
  const job_request& like;
  sync_report& report;

  status apply(const parsed_jobs& parsed);
  status apply_line(const jobs_line& line, const std::map<std::string, job>&,
                    std::int64_t& position);
};

status edit::apply_line(const jobs_line& line,
                        const std::map<std::string, job>& queued,
                        std::int64_t& position) {
  if (line.id.empty()) {
    job_request request = like;
    request.command = line.command;
    const auto added = jobs.add(request);
    if (!added) return added.error();
    position = std::max(position + 1, added->number);
    report.messages.push_back(
        fmt::format("Added job {}: {}", added->id, one_line(line.command)));
    return jobs.set_position(*added, position);
  }
  const auto found = queued.find(line.id);
  if (found == queued.end()) {
    // It started, or ended, or was removed meanwhile: nothing to change. Or
    // the id is none of ours.
    if (!jobs.find(line.id)) {
      ++report.problems;
      report.messages.push_back(
          fmt::format("jobs.txt: there is no job {}", line.id));
    }
    return {};
  }
  const job& which = found->second;
  position = std::max(position + 1, which.position);
  if (!line.command.empty() && line.command != which.asked.command &&
      show_command(line.command) != show_command(which.asked.command)) {
    const auto rewritten = jobs.rewrite(which, line.command);
    if (!rewritten) return rewritten.error();
    report.messages.push_back(
        fmt::format("Changed job {}: {}", which.id, one_line(line.command)));
  }
  return position == which.position ? status()
                                    : jobs.set_position(which, position);
}

status edit::apply(const parsed_jobs& parsed) {
  const auto listed = jobs.list({job_state::queued});
  if (!listed) return listed.error();
  std::map<std::string, job> queued;
  for (const job& which : *listed) queued.emplace(which.id, which);
  std::set<std::string> kept;
  std::int64_t position = 0;
  for (const jobs_line& line : parsed.lines) {
    if (!line.id.empty() && !kept.insert(line.id).second) {
      ++report.problems;
      report.messages.push_back(
          fmt::format("jobs.txt: job {} is listed twice", line.id));
      continue;
    }
    const status done = apply_line(line, queued, position);
    if (!done.ok()) return done;
  }
  for (const auto& [id, which] : queued) {
    if (kept.contains(id) || which.number > parsed.last_number) continue;
    const auto removed = jobs.remove(which);
    if (!removed) return removed.error();
    report.messages.push_back(fmt::format("Removed job {}", id));
  }
  return {};
}

void keep_rejected(const config& values, const parsed_jobs& parsed) {
  if (parsed.rejected.empty()) return;
  std::filesystem::path path = values.jobs_file;
  path += ".rejected";
  const file_descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  for (const auto& line : parsed.rejected) {
    if (file) static_cast<void>(write_all(file.get(), line + "\n"));
  }
}

status take_in(edit& editing, const std::string& text, const config& values) {
  const parsed_jobs parsed = parse_jobs(text);
  for (const auto& problem : parsed.problems) {
    editing.report.messages.push_back("jobs.txt, " + problem);
  }
  editing.report.problems += parsed.problems.size();
  keep_rejected(values, parsed);
  crash_point("read", "begin");
  transaction changing(editing.jobs.data());
  if (!changing.begun().ok()) return changing.begun();
  if (status done = editing.apply(parsed); !done.ok()) return done;
  // With the changes themselves: they are never made twice.
  if (status noted = editing.jobs.set_word("jobs_file_read", text);
      !noted.ok()) {
    return noted;
  }
  crash_point("read", "commit");
  status done = changing.commit();
  crash_point("read", "done");
  return done;
}

status sync(const home& where, store& jobs, const config& values,
            const job_request& like, sync_report& report) {
  const auto lock = lock_file(where.jobs_lock());
  if (!lock) return lock.error();
  const auto text = read_file(values.jobs_file);
  if (!text) return text.error();
  const bool there = ::access(values.jobs_file.c_str(), F_OK) == 0;
  if (there && *text != jobs.word("jobs_file_written") &&
      *text != jobs.word("jobs_file_read")) {
    edit editing{jobs, like, report};
    if (status done = take_in(editing, *text, values); !done.ok()) {
      return done;
    }
  }
  const auto queue = jobs.list({job_state::queued});
  if (!queue) return queue.error();
  const std::string fresh = render_jobs(*queue, jobs.last_number());
  if (there && fresh == *text) return {};
  // Noted first: what is found in the file later is what we wrote, or not.
  if (status noted = jobs.set_word("jobs_file_written", fresh); !noted.ok()) {
    return noted;
  }
  crash_point("write", "begin");
  if (status done = replace_file(values.jobs_file, fresh); !done.ok()) {
    return done;
  }
  crash_point("write", "done");
  // The same text, typed again, is wanted again.
  return jobs.word("jobs_file_read").empty()
             ? status()
             : jobs.set_word("jobs_file_read", "");
}

}  // namespace

job_request request_from_here(const config& values) {
  job_request request;
  std::error_code error;
  request.directory = std::filesystem::current_path(error).string();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (is_own(*entry)) continue;
    request.environment += *entry;
    request.environment += '\0';
  }
  request.gpus = values.gpus;
  return request;
}

sync_report sync_jobs_file(const home& where, store& jobs, const config& values,
                           const job_request* like) {
  job_request own;
  if (like == nullptr) {
    own = request_from_here(values);
    own.directory = expand_user("~").string();
    like = &own;
  }
  sync_report report;
  report.failure = sync(where, jobs, values, *like, report);
  return report;
}

}  // namespace nexus::queue
