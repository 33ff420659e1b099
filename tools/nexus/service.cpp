#include "service.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <set>

#include "config.hpp"
#include "files.hpp"
#include "gpu_poller.hpp"
#include "process.hpp"
#include "schedule.hpp"
#include "screen.hpp"
#include "service_control.hpp"
#include "service_log.hpp"
#include "store.hpp"
#include "sync.hpp"

namespace nexus::queue {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds tick(100);
constexpr std::chrono::seconds start_patience(30);
constexpr std::chrono::seconds launcher_patience(15);

class service {
 public:
  service(const home& where, store jobs, parsed_config values)
      : where_(where),
        jobs_(std::move(jobs)),
        values_(std::move(values.values)),
        log_(values_.log_dir / "service.log"),
        poller_(values_) {
    for (const auto& problem : values.problems) {
      log_.say("config.toml, " + problem);
    }
  }

  void run(int signals);

 private:
  struct watched {
    watched() = default;
    explicit watched(job of) : which(std::move(of)) {}

    job which;
    clock::time_point since = clock::now();
    clock::time_point told{};  // when its launcher was last told to end
    clock::time_point kill_since{};
    std::unique_ptr<job_ending> ending;  // where no launcher does it
  };

  void recover();
  void reload_config();
  bool look_at_jobs();
  void look_at(watched& one);
  void bury(watched& one, std::string why);
  void report_end(const job& before);
  void sync(bool queue_changed);
  void schedule();
  bool start(const placement& placed);
  void take_snapshot();
  bool told_to_end();
  void check(const status& done);
  std::chrono::milliseconds grace() const {
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(values_.kill_grace_seconds * 1000));
  }

  const home& where_;
  store jobs_;
  config values_;
  service_log log_;
  gpu_poller poller_;
  gpu_snapshot snapshot_;
  std::map<std::int64_t, watched> active_;
  std::filesystem::file_time_type config_time_{};
  std::filesystem::file_time_type jobs_time_{};
  bool stopping_ = false;
  bool paused_ = false;
  std::string last_problem_;
  std::string last_failure_;
};

// A failure of the database or the disk: said once, and tried again.
void service::check(const status& done) {
  const std::string now = done.ok() ? std::string() : done.message();
  if (now != last_failure_ && !now.empty()) log_.say("Error: " + now);
  last_failure_ = now;
}

// What the last service left. Jobs that were about to start go back into the
// queue; their launchers, if any come, find that out.
void service::recover() {
  const auto left = jobs_.list({job_state::starting, job_state::running});
  if (!left) return check(left.error());
  for (const job& which : *left) {
    if (which.state == job_state::starting) {
      check(jobs_.requeue(which).error());
      log_.say(
          fmt::format("Job {} had not started yet; queued again", which.id));
      continue;
    }
    active_.emplace(which.number, watched{which});
    if (is_alive(which.launcher)) {
      log_.say(
          fmt::format("Found job {} running on {}", which.id, where_of(which)));
    }
  }
}

void service::reload_config() {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(where_.config(), error);
  if (error || time == config_time_) return;
  const bool first = config_time_ == std::filesystem::file_time_type{};
  config_time_ = time;
  if (first) return;
  const auto loaded = load_config(where_);
  if (!loaded) return check(loaded.error());
  for (const auto& problem : loaded->problems) {
    log_.say("config.toml, " + problem);
  }
  values_ = loaded->values;
  poller_.set_rules(values_);
  log_.say("Configuration read again");
}

// What ends a job that has no launcher any more.
void service::bury(watched& one, std::string why) {
  const job& which = one.which;
  if (!one.ending) {
    one.ending = std::make_unique<job_ending>(
        which.launcher.boot == boot_id() ? which.group : 0, which.id,
        where_.root.string(), 0, grace());
  }
  if (!one.ending->step()) return;
  quit_session(which.session);
  const job_state state =
      which.kill_requested ? job_state::killed : job_state::failed;
  check(jobs_.finish(which, {state, {}, std::move(why)}).error());
}

void service::look_at(watched& one) {
  const job& which = one.which;
  const auto now = clock::now();
  if (which.state == job_state::starting) {
    if (now - one.since > start_patience) {
      check(jobs_
                .finish(which, {job_state::failed,
                                {},
                                "its screen session did not come up"})
                .error());
    }
    return;
  }
  if (which.launcher.boot != boot_id()) {
    return bury(one, "the machine was restarted");
  }
  if (!is_alive(which.launcher)) return bury(one, "its screen session died");
  if (!which.kill_requested && !stopping_) return;
  if (one.kill_since == clock::time_point{}) one.kill_since = now;
  if (now - one.kill_since > grace() + launcher_patience) {
    ::kill(which.launcher.pid, SIGKILL);  // it hangs; bury() does the rest
  } else if (now - one.told > std::chrono::seconds(2)) {
    one.told = now;
    ::kill(which.launcher.pid, SIGTERM);
  }
}

void service::report_end(const job& before) {
  const auto ended = jobs_.find(before.id);
  if (!ended) return check(ended.error());
  log_.say(describe_end(*ended));
  poller_.look_now();
}

// True: something ended.
bool service::look_at_jobs() {
  const auto listed = jobs_.list({job_state::starting, job_state::running});
  if (!listed) {
    check(listed.error());
    return false;
  }
  std::set<std::int64_t> seen;
  for (const job& which : *listed) {
    seen.insert(which.number);
    watched& one = active_[which.number];
    if (one.which.attempt != which.attempt) one = watched{which};
    one.which = which;
    look_at(one);
  }
  bool ended = false;
  for (auto it = active_.begin(); it != active_.end();) {
    if (seen.contains(it->first)) {
      ++it;
      continue;
    }
    report_end(it->second.which);
    it = active_.erase(it);
    ended = true;
  }
  return ended;
}

void service::take_snapshot() {
  if (!poller_.take(snapshot_)) return;
  const std::string problem =
      snapshot_.problem.empty()
          ? fmt::format("Found {} GPU{}", snapshot_.gpus.size(),
                        snapshot_.gpus.size() == 1 ? "" : "s")
          : "No GPU can be used: " + snapshot_.problem;
  if (problem != last_problem_) log_.say(problem);
  last_problem_ = problem;
  check(jobs_.set_word("gpus", pack(snapshot_)));
  if (jobs_.word("ready").empty()) check(jobs_.set_word("ready", "yes"));
}

bool service::start(const placement& placed) {
  const auto assigned = jobs_.assign(placed.which, placed.units);
  if (!assigned || !*assigned) {
    check(assigned.error());
    return false;
  }
  const auto now = jobs_.find(placed.which.id);
  if (!now) {
    check(now.error());
    return false;
  }
  active_.insert_or_assign(now->number, watched{*now});
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const status begun = start_session(
      where_, "nexus_job_" + now->id,
      {self.string(), "__launch", now->id, std::to_string(now->attempt)});
  if (begun.ok()) {
    log_.say(fmt::format("Started job {} on {}: {}", now->id, where_of(*now),
                         one_line(now->asked.command)));
    return true;
  }
  // Its launcher may have come all the same: then this does nothing.
  check(begun);
  check(jobs_.requeue(*now).error());
  return false;
}

void service::schedule() {
  const bool paused = jobs_.word("paused") == "yes";
  if (paused != paused_) {
    log_.say(paused ? "Queue paused by user" : "Queue resumed by user");
  }
  paused_ = paused;
  if (paused || stopping_) return;
  const auto queue = jobs_.list({job_state::queued});
  const auto claims = jobs_.claims();
  if (!queue || !claims) {
    return check(queue ? claims.error() : queue.error());
  }
  if (queue->empty()) return;
  if (const status missing = check_screen(); !missing.ok()) {
    return check(missing);
  }
  std::vector<std::string> taken;
  for (const auto& claim : *claims) taken.push_back(claim.first);
  for (const placement& placed : place(*queue, free_gpus(snapshot_, taken),
                                       free_slots(values_.cpu_slots, taken))) {
    if (!start(placed)) return;
  }
}

bool service::told_to_end() {
  const std::string control = jobs_.word("control");
  if (control == "restart") return true;
  if (control != "stop") return false;
  if (!stopping_) {
    log_.say(fmt::format("Stopping, with {} running jobs", active_.size()));
    for (auto& [number, one] : active_) {
      check(jobs_.request_kill(one.which).error());
    }
  }
  stopping_ = true;
  return active_.empty();
}

// jobs.txt, where the queue or the file may have changed.
void service::sync(bool queue_changed) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(values_.jobs_file, error);
  if (!queue_changed && !error && time == jobs_time_) return;
  const sync_report report = sync_jobs_file(where_, jobs_, values_);
  for (const auto& line : report.messages) log_.say(line);
  check(report.failure);
  jobs_time_ = std::filesystem::last_write_time(values_.jobs_file, error);
}

void service::run(int signals) {
  log_.say("Service started");
  recover();
  std::int64_t version = -1;
  auto full_look = clock::now();
  for (;;) {
    pollfd wait{signals, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(tick.count())) > 0) break;
    reload_config();
    take_snapshot();
    const auto now = clock::now();
    const auto seen = jobs_.version();
    const bool changed = seen != version;
    version = seen;
    if (!changed && !stopping_ && now < full_look) continue;
    full_look = now + std::chrono::milliseconds(500);
    look_at_jobs();
    if (told_to_end()) break;
    sync(changed);
    schedule();
  }
  log_.say("Service stopped");
}

}  // namespace

int serve(const home& where) {
  file_descriptor lock(
      ::open(where.service_lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) {
    std::fprintf(
        stderr, "nexus: %s\n",
        system_failure("open", where.service_lock()).message().c_str());
    return 1;
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    std::fprintf(stderr, "nexus: the service of %s runs already\n",
                 where.root.c_str());
    return 1;
  }
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&watched, signal);
  }
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const file_descriptor signals(::signalfd(-1, &watched, SFD_CLOEXEC));
  auto jobs = store::open(where.database());
  auto values = load_config(where);
  if (!jobs || !values) {
    const status failed = jobs ? values.error() : jobs.error();
    std::fprintf(stderr, "nexus: %s\n", failed.message().c_str());
    return 1;
  }
  const char* session = std::getenv("STY");
  const std::string who =
      describe({identify(::getpid()), session != nullptr ? session : ""});
  if (::ftruncate(lock.get(), 0) != 0 || !write_all(lock.get(), who)) {
    std::fprintf(
        stderr, "nexus: %s\n",
        system_failure("write", where.service_lock()).message().c_str());
    return 1;
  }
  service(where, std::move(jobs).value(), std::move(values).value())
      .run(signals.get());
  return 0;
}

}  // namespace nexus::queue
