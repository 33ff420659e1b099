#include "job_watch.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <set>

#include "screen.hpp"

namespace nexus::queue {
namespace {

// How long nothing is to be seen of a launcher before it counts as gone, and
// how long one may take that is there.
constexpr std::chrono::seconds launch_patience(2);
constexpr std::chrono::seconds start_patience(30);
constexpr std::chrono::seconds launcher_patience(15);

}  // namespace

// Jobs that were about to start go back into the queue; their launchers, if any
// come, find that out.
void job_watch::recover() {
  const auto left = jobs_.list({job_state::starting, job_state::running});
  if (!left) return log_.check(left.error());
  for (const job& which : *left) {
    if (which.state == job_state::starting) {
      log_.check(jobs_.requeue(which).error());
      log_.say(
          fmt::format("Job {} had not started yet; queued again", which.id));
      continue;
    }
    add(which);
    if (is_alive(which.launcher)) {
      log_.say(
          fmt::format("Found job {} running on {}", which.id, where_of(which)));
    }
  }
}

void job_watch::add(const job& which) {
  active_.insert_or_assign(which.number, watched{which});
}

// What ends a job that has no launcher any more.
void job_watch::bury(watched& one, std::string why) {
  const job& which = one.which;
  if (!one.ending) {
    one.ending = std::make_unique<job_ending>(
        which.launcher.boot == boot_id() ? which.group : 0, which.id,
        where_.root.string(), 0, grace_);
  }
  if (!one.ending->step()) return;
  quit_session(which.session);
  const job_state state =
      which.kill_requested ? job_state::killed : job_state::failed;
  log_.check(jobs_.finish(which, {state, {}, std::move(why)}).error());
}

// A launcher that died before it took the job leaves no trace in the store.
void job_watch::look_for_launcher(const watched& one) {
  const job& which = one.which;
  const auto waited = clock::now() - one.since;
  if (waited < launch_patience) return;
  if (waited < start_patience && launcher_is_there(which.id, which.attempt)) {
    return;
  }
  log_.check(
      jobs_
          .finish(which,
                  {job_state::failed, {}, "its screen session did not come up"})
          .error());
}

void job_watch::look_at(watched& one, bool has_to_end) {
  const job& which = one.which;
  const auto now = clock::now();
  if (which.state == job_state::starting) return look_for_launcher(one);
  if (which.launcher.boot != boot_id()) {
    return bury(one, "the machine was restarted");
  }
  if (!is_alive(which.launcher)) return bury(one, "its screen session died");
  if (!which.kill_requested && !has_to_end) return;
  if (one.kill_since == clock::time_point{}) one.kill_since = now;
  if (now - one.kill_since > grace_ + launcher_patience) {
    ::kill(which.launcher.pid, SIGKILL);  // it hangs; bury() does the rest
  } else if (now - one.told > std::chrono::seconds(2)) {
    one.told = now;
    ::kill(which.launcher.pid, SIGTERM);
  }
}

// Ends are told from what the store keeps of them; this is none.
void job_watch::report_requeued(const job& before) {
  const auto now = jobs_.find(before.id);
  if (!now) return log_.check(now.error());
  if (now->state == job_state::queued) log_.say(describe_end(*now));
}

void job_watch::look(bool all_end) {
  const auto listed = jobs_.list({job_state::starting, job_state::running});
  if (!listed) return log_.check(listed.error());
  std::set<std::int64_t> seen;
  for (const job& which : *listed) {
    seen.insert(which.number);
    watched& one = active_[which.number];
    if (one.which.attempt != which.attempt) one = watched{which};
    one.which = which;
    look_at(one, all_end);
  }
  for (auto it = active_.begin(); it != active_.end();) {
    if (seen.contains(it->first)) {
      ++it;
      continue;
    }
    report_requeued(it->second.which);
    it = active_.erase(it);
  }
}

void job_watch::request_all_ends() {
  for (const auto& [number, one] : active_) {
    log_.check(jobs_.request_kill(one.which).error());
  }
}

}  // namespace nexus::queue
