// What jobs wait for.
#include <fmt/format.h>

#include "store.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

enum class prospect { open, met, lost };

prospect prospect_of(job_state state, condition when) {
  if (!is_finished(state)) return prospect::open;
  const bool failed = state == job_state::failed || state == job_state::killed;
  bool met = true;
  if (when == condition::success) met = state == job_state::completed;
  if (when == condition::failure) met = failed;
  return met ? prospect::met : prospect::lost;
}

std::string how_it_ended(const std::string& id, job_state state) {
  const bool passive =
      state == job_state::killed || state == job_state::removed;
  return fmt::format("job {} {}{}", id, passive ? "was " : "", name_of(state));
}

struct waiting_job {
  std::int64_t number = 0;
  condition when = condition::success;
};

}  // namespace

status store::insert_dependency(std::int64_t number, const dependency& wanted) {
  const auto parent = find(wanted.id);
  if (!parent) return parent.error();
  if (prospect_of(parent->state, wanted.when) == prospect::lost) {
    return {status_code::invalid_argument,
            fmt::format("{}: a job after it would never run",
                        how_it_ended(wanted.id, parent->state)),
            fmt::format("`--after {}:any` runs it in any case", wanted.id)};
  }
  return data_.prepare("INSERT OR REPLACE INTO dependencies VALUES(?, ?, ?)")
      .bind(number)
      .bind(parent->number)
      .bind(static_cast<std::int64_t>(wanted.when))
      .run();
}

status store::fail_dependents(std::int64_t number) {
  std::vector<std::int64_t> ended = {number};
  while (!ended.empty()) {
    const std::int64_t parent = ended.back();
    ended.pop_back();
    statement about =
        data_.prepare("SELECT id, state FROM jobs WHERE number = ?");
    about.bind(parent);
    if (!about.step()) return about.failure();
    const std::string id = about.text(0);
    const auto state = static_cast<job_state>(about.number(1));
    statement query = data_.prepare(
        "SELECT d.job, d.condition FROM dependencies d JOIN jobs j ON j.number "
        "= d.job WHERE d.parent = ? AND j.state = 0");
    query.bind(parent);
    std::vector<waiting_job> waiting;
    while (query.step()) {
      waiting.push_back(
          {query.number(0), static_cast<condition>(query.number(1))});
    }
    if (status failed = query.failure(); !failed.ok()) return failed;
    for (const waiting_job& one : waiting) {
      if (prospect_of(state, one.when) != prospect::lost) continue;
      status failed =
          data_
              .prepare(
                  "UPDATE jobs SET state = ?, ended = ?, error = ?, gpu = '', "
                  "started = NULL, exit_status = NULL WHERE number = ?")
              .bind(static_cast<std::int64_t>(job_state::failed))
              .bind(now_ms())
              .bind(how_it_ended(id, state))
              .bind(one.number)
              .run();
      if (!failed.ok()) return failed;
      ended.push_back(one.number);
    }
  }
  return {};
}

result<dependency_map> store::read_dependencies(std::string_view where) {
  statement query = data_.prepare(fmt::format(
      "SELECT d.job, p.id, d.condition, p.number FROM dependencies d JOIN jobs "
      "j ON j.number = d.job JOIN jobs p ON p.number = d.parent {} ORDER BY "
      "d.job, d.parent",
      where));
  dependency_map read;
  while (query.step()) {
    read[query.number(0)].push_back({query.text(1),
                                     static_cast<condition>(query.number(2)),
                                     query.number(3)});
  }
  if (const status failure = query.failure(); !failure.ok()) return failure;
  return read;
}

// What has come already stays so: only what has not is of interest.
result<dependency_map> store::unmet_dependencies() {
  return read_dependencies("WHERE j.state = 0 AND p.state < 3");
}

result<dependency_map> store::all_dependencies() {
  return read_dependencies("");
}

}  // namespace nexus::queue
