#include "store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "schema.hpp"

namespace nexus::queue {
namespace {

constexpr const char* columns =
    "number, id, command, directory, name, environment, gpus, priority, "
    "retries, time_limit, state, position, attempt, failures, gpu, launcher, "
    "launcher_start, boot, pid, pgid, session, added, started, ended, "
    "exit_status, error, kill_requested, gpu_memory, notify";

job read_job(const statement& row) {
  job made;
  int at = 0;
  made.number = row.number(at++);
  made.id = row.text(at++);
  made.asked.command = row.text(at++);
  made.asked.directory = row.text(at++);
  made.asked.name = row.text(at++);
  made.environment = row.number(at++);
  made.asked.gpus = row.number(at++);
  made.asked.priority = row.number(at++);
  made.asked.retries = row.number(at++);
  made.asked.time_limit = row.number(at++);
  made.state = static_cast<job_state>(row.number(at++));
  made.position = row.number(at++);
  made.attempt = row.number(at++);
  made.failures = row.number(at++);
  made.gpu = row.text(at++);
  made.launcher.pid = static_cast<pid_t>(row.number(at++));
  made.launcher.start_time = static_cast<std::uint64_t>(row.number(at++));
  made.launcher.boot = row.text(at++);
  made.pid = static_cast<pid_t>(row.number(at++));
  made.group = static_cast<pid_t>(row.number(at++));
  made.session = row.text(at++);
  made.added = row.number(at++);
  made.started = row.optional_number(at++);
  made.ended = row.optional_number(at++);
  made.exit_status = row.optional_number(at++);
  made.error = row.text(at++);
  made.kill_requested = row.number(at++) != 0;
  made.asked.gpu_memory = row.number(at++);
  made.asked.notify = static_cast<notify_on>(row.number(at++));
  return made;
}

std::int64_t one_number(database& data, std::string_view sql) {
  statement query = data.prepare(sql);
  return query.step() ? query.number(0) : 0;
}

}  // namespace

std::string_view name_of(job_state state) noexcept {
  constexpr std::array<std::string_view, 7> names = {
      "queued", "starting", "running", "completed",
      "failed", "killed",   "removed"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view name_of(condition when) noexcept {
  constexpr std::array<std::string_view, 3> names = {"success", "any",
                                                     "failure"};
  return names[static_cast<std::size_t>(when)];
}

bool is_finished(job_state state) noexcept {
  return state >= job_state::completed;
}

result<store> store::open(const std::filesystem::path& path) {
  auto data = database::open(path);
  if (!data) return data.error();
  const status ready = bring_up_to_date(*data);
  if (ready.code() == status_code::unsupported) {
    return status(
        status_code::unsupported,
        fmt::format("{} is of a later version of nexus", path.string()));
  }
  if (!ready.ok()) return ready;
  return store(std::move(data).value());
}

result<std::vector<job>> store::list(const std::vector<job_state>& states,
                                     std::int64_t limit) {
  std::string wanted;
  for (const job_state state : states) {
    wanted +=
        fmt::format("{}{}", wanted.empty() ? "" : ",", static_cast<int>(state));
  }
  const bool queue = states == std::vector<job_state>{job_state::queued};
  statement query = data_.prepare(fmt::format(
      "SELECT {} FROM jobs WHERE state IN ({}) ORDER BY {} LIMIT {}", columns,
      wanted, queue ? "priority DESC, position, number" : "number DESC",
      limit > 0 ? limit : -1));
  std::vector<job> jobs;
  while (query.step()) jobs.push_back(read_job(query));
  if (const status failure = query.failure(); !failure.ok()) return failure;
  if (!queue) std::ranges::reverse(jobs);
  return jobs;
}

result<job> store::find(std::string_view id) {
  statement query =
      data_.prepare(fmt::format("SELECT {} FROM jobs WHERE id = ?", columns));
  query.bind(id);
  if (query.step()) return read_job(query);
  if (const status failure = query.failure(); !failure.ok()) return failure;
  return status(status_code::invalid_argument,
                fmt::format("there is no job {}", id),
                "`nexus queue` and `nexus history` list them");
}

result<queue_counts> store::counts() {
  statement query =
      data_.prepare("SELECT state, jobs FROM tallies WHERE state < 6");
  queue_counts counts;
  while (query.step()) {
    const auto state = static_cast<job_state>(query.number(0));
    auto& into = state == job_state::queued ? counts.queued
                 : is_finished(state)       ? counts.finished
                                            : counts.active;
    into += query.number(1);
  }
  if (const status failure = query.failure(); !failure.ok()) return failure;
  return counts;
}

result<std::string> store::environment_of(const job& which) {
  statement query =
      data_.prepare("SELECT data FROM environments WHERE number = ?");
  query.bind(which.environment);
  if (query.step()) return query.text(0);
  const status failure = query.failure();
  if (!failure.ok()) return failure;
  return status(status_code::internal, "the job's environment is missing");
}

result<std::vector<std::pair<std::string, std::int64_t>>> store::claims() {
  statement query = data_.prepare("SELECT unit, job FROM claims");
  std::vector<std::pair<std::string, std::int64_t>> taken;
  while (query.step()) taken.emplace_back(query.text(0), query.number(1));
  if (const status failure = query.failure(); !failure.ok()) return failure;
  return taken;
}

std::int64_t store::version() {
  return one_number(data_, "PRAGMA data_version");
}

std::int64_t store::last_number() {
  return one_number(data_, "SELECT MAX(number) FROM jobs");
}

std::int64_t store::last_position() {
  return one_number(data_, "SELECT MAX(position) FROM jobs WHERE state = 0");
}

std::string store::word(std::string_view key) {
  statement query = data_.prepare("SELECT value FROM words WHERE key = ?");
  query.bind(key);
  return query.step() ? query.text(0) : std::string();
}

status store::set_word(std::string_view key, std::string_view value) {
  return data_
      .prepare(
          "INSERT INTO words VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET "
          "value = excluded.value")
      .bind(key)
      .bind_blob(value)
      .run();
}

}  // namespace nexus::queue
