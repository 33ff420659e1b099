#include "service.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "config.hpp"
#include "files.hpp"
#include "gpu_poller.hpp"
#include "job_watch.hpp"
#include "notices.hpp"
#include "notifier.hpp"
#include "process.hpp"
#include "schedule.hpp"
#include "screen.hpp"
#include "service_control.hpp"
#include "service_log.hpp"
#include "store.hpp"
#include "sync.hpp"
#include "test_hooks.hpp"

namespace nexus::queue {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds tick(100);

class service {
 public:
  service(const home& where, store jobs, parsed_config values)
      : where_(where),
        jobs_(std::move(jobs)),
        values_(std::move(values.values)),
        log_(values_.log_dir / "service.log"),
        poller_(values_),
        watch_(where_, jobs_, log_),
        notifiers_{notifier(where_, channel::command, values_, log_),
                   notifier(where_, channel::webhook, values_, log_)} {
    apply_config();
    for (const auto& problem : values.problems) {
      log_.say("config.toml, " + problem);
    }
  }

  void run(int signals);

 private:
  void reload_config();
  void apply_config();
  void take_endings();
  void sync(bool queue_changed);
  void schedule();
  bool start(const placement& placed);
  void take_snapshot();
  bool told_to_end();

  const home& where_;
  store jobs_;
  config values_;
  service_log log_;
  gpu_poller poller_;
  gpu_snapshot snapshot_;
  job_watch watch_;
  std::array<notifier, 2> notifiers_;
  std::filesystem::file_time_type config_time_{};
  std::filesystem::file_time_type jobs_time_{};
  bool stopping_ = false;
  bool paused_ = false;
  std::string last_problem_;
};

void service::apply_config() {
  watch_.set_grace(std::chrono::milliseconds(
      static_cast<std::int64_t>(values_.kill_grace_seconds * 1000)));
}

void service::reload_config() {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(where_.config(), error);
  if (error || time == config_time_) return;
  const bool first = config_time_ == std::filesystem::file_time_type{};
  config_time_ = time;
  // The first time, too: it may have changed since it was read to begin with.
  const auto loaded = load_config(where_);
  if (!loaded) return log_.check(loaded.error());
  if (!first) {
    for (const auto& problem : loaded->problems) {
      log_.say("config.toml, " + problem);
    }
  }
  values_ = loaded->values;
  apply_config();
  for (notifier& one : notifiers_) one.set_rules(values_);
  poller_.set_rules(values_);
  if (!first) log_.say("Configuration read again");
}

// Ends, in their order. A crash in between may say one twice, never none.
void service::take_endings() {
  const auto ended = jobs_.endings();
  if (!ended) return log_.check(ended.error());
  for (const ending& one : *ended) {
    log_.say(describe_end(one.which));
    log_.check(jobs_.settle(one, notices_of(one.which, values_)));
  }
  if (ended->empty()) return;
  poller_.look_now();
  for (notifier& one : notifiers_) one.look_now();
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
  log_.check(jobs_.set_word("gpus", pack(snapshot_)));
  if (jobs_.word("ready").empty()) log_.check(jobs_.set_word("ready", "yes"));
}

bool service::start(const placement& placed) {
  const auto assigned = jobs_.assign(placed.which, placed.units);
  if (!assigned || !*assigned) {
    log_.check(assigned.error());
    return false;
  }
  const auto now = jobs_.find(placed.which.id);
  if (!now) {
    log_.check(now.error());
    return false;
  }
  watch_.add(*now);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  crash_point("session", "begin");
  const status begun = start_session(
      where_, "nexus_job_" + now->id,
      {self.string(), "__launch", now->id, std::to_string(now->attempt)});
  crash_point("session", "done");
  if (begun.ok()) {
    log_.say(fmt::format("Started job {} on {}: {}", now->id, where_of(*now),
                         one_line(now->asked.command)));
    return true;
  }
  // Its launcher may have come all the same: then this does nothing.
  log_.check(begun);
  log_.check(jobs_.requeue(*now).error());
  return false;
}

void service::schedule() {
  const bool paused = jobs_.word("paused") == "yes";
  if (paused != paused_) {
    log_.say(paused ? "Queue paused by user" : "Queue resumed by user");
  }
  paused_ = paused;
  if (paused || stopping_) return;
  auto queue = jobs_.list({job_state::queued});
  const auto unmet = jobs_.unmet_dependencies();
  const auto claims = jobs_.claims();
  if (!queue) return log_.check(queue.error());
  if (!unmet) return log_.check(unmet.error());
  if (!claims) return log_.check(claims.error());
  std::erase_if(*queue,
                [&](const job& one) { return unmet->contains(one.number); });
  if (queue->empty()) return;
  if (const status missing = check_screen(); !missing.ok()) {
    return log_.check(missing);
  }
  std::vector<std::string> taken;
  for (const auto& claim : *claims) taken.push_back(claim.first);
  for (const placement& placed :
       place(*queue, free_gpus(snapshot_, taken),
             free_slots(values_.cpu_slots, taken), snapshot_)) {
    if (!start(placed)) return;
  }
}

bool service::told_to_end() {
  const std::string control = jobs_.word("control");
  if (control == "restart") return true;
  if (control != "stop") return false;
  if (!stopping_) {
    log_.say(fmt::format("Stopping, with {} running jobs", watch_.size()));
    watch_.request_all_ends();
  }
  stopping_ = true;
  return watch_.size() == 0;
}

// jobs.txt, where the queue or the file may have changed.
void service::sync(bool queue_changed) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(values_.jobs_file, error);
  if (!queue_changed && !error && time == jobs_time_) return;
  const sync_report report = sync_jobs_file(where_, jobs_, values_);
  for (const auto& line : report.messages) log_.say(line);
  log_.check(report.failure);
  jobs_time_ = std::filesystem::last_write_time(values_.jobs_file, error);
}

void service::run(int signals) {
  log_.say("Service started");
  watch_.recover();
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
    watch_.look(stopping_);
    take_endings();
    if (told_to_end()) break;
    sync(changed);
    schedule();
  }
  log_.say("Service stopped");
}

}  // namespace

int serve(const home& where) {
  play_role("service");
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
