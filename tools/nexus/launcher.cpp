#include "launcher.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "output_relay.hpp"
#include "process.hpp"
#include "store.hpp"
#include "test_hooks.hpp"

namespace nexus::queue {
namespace {

using clock = std::chrono::steady_clock;

// Everything a child needs after fork(), made before it.
struct child_plan {
  std::vector<std::string> environment;
  std::vector<char*> pointers;
  std::string directory;
  std::string command;
};

child_plan plan_of(const job& which, const std::string& environment,
                   const home& where) {
  child_plan plan{{}, {}, which.asked.directory, which.asked.command};
  const char* terminal = std::getenv("TERM");
  const std::vector<std::string> set = {
      "CUDA_DEVICE_ORDER=PCI_BUS_ID",
      "CUDA_VISIBLE_DEVICES=" + which.gpu,
      "NEXUS_JOB_ID=" + which.id,
      "NEXUS_GPU_ID=" + which.gpu,
      "NEXUS_HOME=" + where.root.string(),
      fmt::format("TERM={}", terminal != nullptr ? terminal : "screen")};
  const auto is_set = [&](std::string_view entry) {
    const auto name = entry.substr(0, entry.find('=') + 1);
    for (const auto& one : set) {
      if (one.starts_with(name)) return true;
    }
    return false;
  };
  for (std::size_t at = 0; at < environment.size();) {
    const auto end = environment.find('\0', at);
    const std::string entry = environment.substr(at, end - at);
    at = end == std::string::npos ? environment.size() : end + 1;
    if (entry.find('=') != std::string::npos && !is_set(entry)) {
      plan.environment.push_back(entry);
    }
  }
  plan.environment.insert(plan.environment.end(), set.begin(), set.end());
  for (auto& entry : plan.environment) plan.pointers.push_back(entry.data());
  plan.pointers.push_back(nullptr);
  return plan;
}

[[noreturn]] void fail_child(int report, const char* what) {
  const int code = errno;
  const auto put = [&](const char* text) {
    return ::write(report, text, std::strlen(text)) >= 0;
  };
  static_cast<void>(put(what) && put(": ") && put(std::strerror(code)));
  ::_exit(127);
}

// After fork(): waits until its row is on the disk, then becomes the command.
[[noreturn]] void become_command(child_plan& plan, int go, int report, int out,
                                 int error) {
  ::setpgid(0, 0);
  char byte;
  if (::read(go, &byte, 1) != 1) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGTTOU, SIGTTIN, SIGPIPE, SIGINT, SIGQUIT}) {
    ::signal(signal, SIG_DFL);
  }
  if (::dup2(out, 1) < 0 || ::dup2(error, 2) < 0) {
    fail_child(report, "its outputs");
  }
  if (::chdir(plan.directory.c_str()) != 0) {
    fail_child(report, plan.directory.c_str());
  }
  char name[] = "bash";
  char option[] = "-c";
  char* words[] = {name, option, plan.command.data(), nullptr};
  ::execve("/bin/bash", words, plan.pointers.data());
  ::execve("/bin/sh", words, plan.pointers.data());
  fail_child(report, "/bin/bash");
}

class launcher {
 public:
  launcher(const home& where, store& jobs, job which, config values)
      : where_(where),
        jobs_(jobs),
        job_(std::move(which)),
        values_(std::move(values)) {}

  int run();

 private:
  status prepare();
  status start();
  void watch();
  void take_signal();
  void end_job(std::string why);
  bool done();
  outcome judge() const;
  void record(const outcome& end);

  const home& where_;
  store& jobs_;
  job job_;
  config values_;
  file_descriptor screen_;
  file_descriptor signals_;
  std::vector<output_relay> relays_;
  pid_t child_ = 0;
  bool exited_ = false;
  int how_ = 0;
  std::string start_problem_;
  std::string why_ended_;  // by us; empty: by itself
  std::unique_ptr<job_ending> ending_;
  clock::time_point limit_ = clock::time_point::max();
};

status launcher::prepare() {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : {SIGCHLD, SIGTERM, SIGHUP, SIGWINCH}) {
    sigaddset(&watched, signal);
  }
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  for (const int signal : {SIGTTOU, SIGTTIN, SIGPIPE, SIGINT, SIGQUIT}) {
    ::signal(signal, SIG_IGN);
  }
  signals_ =
      file_descriptor(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  // A file description of its own: the job's standard input keeps blocking.
  screen_ = file_descriptor(
      ::open("/dev/tty", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  const auto folder = log_folder(values_, job_.id);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const char* name : {"stdout.log", "stderr.log"}) {
    auto relay = output_relay::open(folder / name, screen_.get());
    if (!relay) return relay.error();
    relays_.push_back(std::move(relay).value());
    relays_.back().copy_size(0);
  }
  return {};
}

status launcher::start() {
  const auto environment = jobs_.environment_of(job_);
  if (!environment) return environment.error();
  child_plan plan = plan_of(job_, *environment, where_);
  int go[2];
  int report[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return system_failure("make", "a pipe");
  const file_descriptor wait(go[0]);
  file_descriptor release(go[1]);
  if (::pipe2(report, O_CLOEXEC) != 0) return system_failure("make", "a pipe");
  const file_descriptor listen(report[0]);
  file_descriptor tell(report[1]);
  child_ = ::fork();
  if (child_ < 0) return system_failure("start", "a process");
  if (child_ == 0) {
    release.reset();
    become_command(plan, wait.get(), tell.get(), relays_[0].job_side(),
                   relays_[1].job_side());
  }
  ::setpgid(child_, child_);
  ::tcsetpgrp(0, child_);
  tell.reset();
  for (auto& relay : relays_) relay.close_job_side();
  const char* session = std::getenv("STY");
  const auto ours = jobs_.run(job_, identify(::getpid()), child_, child_,
                              session != nullptr ? session : "");
  if (!ours || !*ours) {
    // Another attempt has it: this one never happened.
    release.reset();
    ::waitpid(child_, nullptr, 0);
    return ours ? status(status_code::cancelled, "the job was taken back")
                : ours.error();
  }
  static_cast<void>(write_all(release.get(), "x"));
  crash_point("go", "done");
  char text[512];
  ssize_t got = 0;
  while ((got = ::read(listen.get(), text, sizeof text)) > 0) {
    start_problem_.append(text, static_cast<std::size_t>(got));
  }
  if (!start_problem_.empty()) {
    start_problem_ = "it could not be started: " + start_problem_;
  }
  if (job_.asked.time_limit > 0) {
    limit_ = clock::now() + std::chrono::seconds(job_.asked.time_limit);
  }
  return {};
}

void launcher::end_job(std::string why) {
  if (ending_) return;
  why_ended_ = std::move(why);
  ending_ = std::make_unique<job_ending>(
      child_, job_.id, where_.root.string(), ::getpid(),
      std::chrono::milliseconds(
          static_cast<std::int64_t>(values_.kill_grace_seconds * 1000)));
}

void launcher::take_signal() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    switch (info.ssi_signo) {
      case SIGTERM:
        end_job("it was told to end");
        break;
      case SIGHUP:
        end_job("its screen session ended");
        break;
      case SIGWINCH:
        for (auto& relay : relays_) relay.copy_size(0);
        break;
      default:
        break;
    }
  }
  if (!exited_ && ::waitpid(child_, &how_, WNOHANG) == child_) exited_ = true;
}

// Also what the command left behind is ended: the GPU has to be free.
bool launcher::done() {
  if (clock::now() >= limit_) {
    limit_ = clock::time_point::max();
    if (!exited_) end_job("it ran into its time limit");
  }
  if (exited_ && !ending_) end_job("");
  return ending_ && ending_->step() && exited_;
}

void launcher::watch() {
  while (!done()) {
    pollfd waits[] = {{signals_.get(), POLLIN, 0},
                      {relays_[0].terminal(), POLLIN, 0},
                      {relays_[1].terminal(), POLLIN, 0}};
    ::poll(waits, 3, ending_ ? 50 : 500);
    take_signal();
    for (auto& relay : relays_) relay.relay();
  }
  for (auto& relay : relays_) {
    while (relay.relay()) {
    }
  }
}

outcome launcher::judge() const {
  outcome end;
  if (WIFEXITED(how_)) {
    end.exit_status = WEXITSTATUS(how_);
  } else if (WIFSIGNALED(how_)) {
    end.exit_status = 128 + WTERMSIG(how_);
    end.error = fmt::format("ended by {}", ::strsignal(WTERMSIG(how_)));
  }
  if (!start_problem_.empty()) end.error = start_problem_;
  if (!why_ended_.empty()) end.error = why_ended_;
  const auto now = jobs_.find(job_.id);
  if (now && now->kill_requested) {
    end.state = job_state::killed;
    end.error.clear();
  } else if (end.exit_status == 0 && why_ended_.empty()) {
    end.state = job_state::completed;
  }
  for (const auto& relay : relays_) {
    if (relay.lost() == 0) continue;
    end.error += fmt::format("{}{} bytes of its output were not kept: {}",
                             end.error.empty() ? "" : "; ", relay.lost(),
                             relay.problem());
  }
  return end;
}

// Without end: as long as this process lives, the job counts as running, and
// nothing else knows how it ended.
void launcher::record(const outcome& end) {
  for (;;) {
    const auto written = jobs_.finish(job_, end);
    if (written) return;
    std::fprintf(stderr, "nexus: %s\n", written.error().message().c_str());
    ::sleep(1);
  }
}

int launcher::run() {
  if (const status failed = prepare(); !failed.ok()) {
    record({job_state::failed, {}, failed.message()});
    return 1;
  }
  if (const status failed = start(); !failed.ok()) {
    std::fprintf(stderr, "nexus: %s\n", failed.message().c_str());
    return 1;
  }
  watch();
  record(judge());
  return 0;
}

}  // namespace

std::filesystem::path log_folder(const config& values, std::string_view id) {
  return values.log_dir / fmt::format("job_{}", id);
}

int launch(const home& where, const std::string& id, std::int64_t attempt) {
  play_role("launcher");
  auto jobs = store::open(where.database());
  auto values = load_config(where);
  if (!jobs || !values) {
    const status failed = jobs ? values.error() : jobs.error();
    std::fprintf(stderr, "nexus: %s\n", failed.message().c_str());
    return 1;
  }
  auto which = jobs->find(id);
  if (!which || which->state != job_state::starting ||
      which->attempt != attempt) {
    return 1;
  }
  return launcher(where, *jobs, std::move(which).value(), values->values).run();
}

}  // namespace nexus::queue
