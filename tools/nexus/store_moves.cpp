// How jobs move from state to state.
#include <fmt/format.h>

#include <algorithm>

#include "ids.hpp"
#include "store.hpp"
#include "test_hooks.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

// FNV-1a: only to find an environment that is there already.
std::int64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return static_cast<std::int64_t>(hash);
}

std::int64_t number_of(job_state state) {
  return static_cast<int>(state);
}

}  // namespace

result<bool> store::changed(statement& move) {
  const status done = move.run();
  if (!done.ok()) return done;
  return data_.changes() > 0;
}

result<bool> store::make_move(std::string_view name,
                              const std::function<result<bool>()>& body) {
  crash_point(name, "begin");
  transaction moving(data_);
  if (!moving.begun().ok()) return moving.begun();
  auto moved = body();
  if (!moved || !*moved) return moved;
  crash_point(name, "commit");
  const status committed = moving.commit();
  if (!committed.ok()) return committed;
  crash_point(name, "done");
  return true;
}

result<std::int64_t> store::keep_environment(std::string_view environment) {
  const std::int64_t hash = hash_of(environment);
  statement query = data_.prepare(
      "SELECT number FROM environments WHERE hash = ? AND data = ?");
  query.bind(hash).bind_blob(environment);
  if (query.step()) return query.number(0);
  const status kept =
      data_.prepare("INSERT INTO environments(hash, data) VALUES(?, ?)")
          .bind(hash)
          .bind_blob(environment)
          .run();
  if (!kept.ok()) return kept;
  return data_.last_row();
}

result<job> store::insert(const job_request& request) {
  const auto environment = keep_environment(request.environment);
  if (!environment) return environment.error();
  const std::int64_t number = last_number() + 1;
  const std::int64_t position = std::max(number, last_position() + 1);
  const std::string id =
      make_id(static_cast<std::size_t>(number), [&](const std::string& word) {
        statement query = data_.prepare("SELECT 1 FROM jobs WHERE id = ?");
        query.bind(word);
        return query.step();
      });
  const status added =
      data_
          .prepare(
              "INSERT INTO jobs(id, command, directory, name, environment, "
              "gpus, priority, retries, time_limit, gpu_memory, notify, state, "
              "position, added) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
              "?)")
          .bind(id)
          .bind(request.command)
          .bind(request.directory)
          .bind(request.name)
          .bind(*environment)
          .bind(request.gpus)
          .bind(request.priority)
          .bind(request.retries)
          .bind(request.time_limit)
          .bind(request.gpu_memory)
          .bind(static_cast<std::int64_t>(request.notify))
          .bind(number_of(job_state::queued))
          .bind(position)
          .bind(now_ms())
          .run();
  if (!added.ok()) return added;
  const std::int64_t row = data_.last_row();
  for (const dependency& wanted : request.after) {
    const status noted = insert_dependency(row, wanted);
    if (!noted.ok()) return noted;
  }
  return find(id);
}

result<std::vector<job>> store::add(const std::vector<job_request>& requests) {
  std::vector<job> made;
  const auto added = make_move("add", [&]() -> result<bool> {
    for (const job_request& request : requests) {
      auto one = insert(request);
      if (!one) return one.error();
      made.push_back(std::move(one).value());
    }
    return true;
  });
  if (!added) return added.error();
  return made;
}

result<job> store::add(const job_request& request) {
  auto made = add(std::vector<job_request>{request});
  if (!made) return made.error();
  return std::move(made->front());
}

result<bool> store::assign(const job& which, const std::vector<unit>& units) {
  std::string shown;
  for (const unit& one : units) {
    if (one.index.empty()) continue;
    shown += (shown.empty() ? "" : ",") + one.index;
  }
  return make_move("assign", [&]() -> result<bool> {
    statement move = data_.prepare(
        "UPDATE jobs SET state = ?, attempt = attempt + 1, gpu = ?, started = "
        "?, ended = NULL, exit_status = NULL, error = '', launcher = 0, pid = "
        "0, pgid = 0, session = '', boot = ? WHERE number = ? AND state = ?");
    move.bind(number_of(job_state::starting))
        .bind(shown)
        .bind(now_ms())
        .bind(boot_id())
        .bind(which.number)
        .bind(number_of(job_state::queued));
    auto moved = changed(move);
    if (!moved || !*moved) return moved;
    for (const unit& one : units) {
      // The primary key refuses a second job on the unit.
      const status claimed = data_.prepare("INSERT INTO claims VALUES(?, ?)")
                                 .bind(one.key)
                                 .bind(which.number)
                                 .run();
      if (!claimed.ok()) return claimed;
    }
    return true;
  });
}

result<bool> store::run(const job& which, const process_identity& launcher,
                        pid_t pid, pid_t group, std::string_view session) {
  return make_move("run", [&] {
    statement move = data_.prepare(
        "UPDATE jobs SET state = ?, launcher = ?, launcher_start = ?, boot = "
        "?, pid = ?, pgid = ?, session = ?, started = ? WHERE number = ? AND "
        "state = ? AND attempt = ?");
    move.bind(number_of(job_state::running))
        .bind(launcher.pid)
        .bind(static_cast<std::int64_t>(launcher.start_time))
        .bind(launcher.boot)
        .bind(pid)
        .bind(group)
        .bind(session)
        .bind(now_ms())
        .bind(which.number)
        .bind(number_of(job_state::starting))
        .bind(which.attempt);
    return changed(move);
  });
}

status store::release(const job& which) {
  return data_.prepare("DELETE FROM claims WHERE job = ?")
      .bind(which.number)
      .run();
}

result<bool> store::finish(const job& which, const outcome& end) {
  const bool again =
      end.state == job_state::failed && which.failures < which.asked.retries;
  return make_move("finish", [&]() -> result<bool> {
    statement move = data_.prepare(
        "UPDATE jobs SET state = ?, ended = ?, exit_status = ?, error = ?, "
        "failures = failures + ?, kill_requested = 0 WHERE number = ? AND "
        "attempt = ? AND state IN (1, 2)");
    move.bind(number_of(again ? job_state::queued : end.state))
        .bind(now_ms())
        .bind(end.exit_status)
        .bind(end.error)
        .bind(end.state == job_state::failed ? 1 : 0)
        .bind(which.number)
        .bind(which.attempt);
    auto moved = changed(move);
    if (!moved || !*moved) return moved;
    if (status released = release(which); !released.ok()) return released;
    // One that will run again has not failed yet.
    if (again) return true;
    if (status told = fail_dependents(which.number); !told.ok()) return told;
    return true;
  });
}

result<bool> store::requeue(const job& which) {
  return make_move("requeue", [&]() -> result<bool> {
    // A launcher that comes late finds the job in another state, or at another
    // attempt.
    statement move = data_.prepare(
        "UPDATE jobs SET state = ?, gpu = '', started = NULL WHERE number = ? "
        "AND attempt = ? AND state = ?");
    move.bind(number_of(job_state::queued))
        .bind(which.number)
        .bind(which.attempt)
        .bind(number_of(job_state::starting));
    auto moved = changed(move);
    if (!moved || !*moved) return moved;
    if (status released = release(which); !released.ok()) return released;
    return true;
  });
}

result<bool> store::remove(const job& which) {
  return make_move("remove", [&]() -> result<bool> {
    statement move = data_.prepare(
        "UPDATE jobs SET state = ?, ended = ? WHERE number = ? AND state = ?");
    move.bind(number_of(job_state::removed))
        .bind(now_ms())
        .bind(which.number)
        .bind(number_of(job_state::queued));
    auto moved = changed(move);
    if (!moved || !*moved) return moved;
    if (status told = fail_dependents(which.number); !told.ok()) return told;
    return true;
  });
}

result<bool> store::request_kill(const job& which) {
  return make_move("kill", [&] {
    statement move = data_.prepare(
        "UPDATE jobs SET kill_requested = 1 WHERE number = ? AND attempt = ? "
        "AND state IN (1, 2)");
    move.bind(which.number).bind(which.attempt);
    return changed(move);
  });
}

result<bool> store::rewrite(const job& which, std::string_view command) {
  statement move = data_.prepare(
      "UPDATE jobs SET command = ? WHERE number = ? AND state = ?");
  move.bind(command).bind(which.number).bind(number_of(job_state::queued));
  return changed(move);
}

status store::set_position(const job& which, std::int64_t position) {
  return data_.prepare("UPDATE jobs SET position = ? WHERE number = ?")
      .bind(position)
      .bind(which.number)
      .run();
}

}  // namespace nexus::queue
