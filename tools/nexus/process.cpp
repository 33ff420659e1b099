#include "process.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "files.hpp"
#include "test_hooks.hpp"

namespace nexus::queue {
namespace {

using clock = std::chrono::steady_clock;

std::string read_proc(pid_t pid, const char* name) {
  auto text = read_file(fmt::format("/proc/{}/{}", pid, name));
  return text ? std::move(text).value() : std::string();
}

process_entry entry_of(pid_t pid) {
  const std::string text = read_proc(pid, "stat");
  // The name, in parentheses, may hold anything.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  process_entry entry;
  long skipped = 0;
  fields >> entry.state >> skipped >> entry.group;
  for (int field = 6; field < 22; ++field) fields >> skipped;
  fields >> entry.start_time;
  if (fields) entry.pid = pid;
  return entry;
}

bool bears(std::string_view environment, std::string_view entry) {
  while (!environment.empty()) {
    const auto end = environment.find('\0');
    if (environment.substr(0, end) == entry) return true;
    if (end == std::string_view::npos) break;
    environment.remove_prefix(end + 1);
  }
  return false;
}

template <class F>
void each_process(F&& f) {
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return;
  while (const dirent* item = ::readdir(folder)) {
    pid_t pid = 0;
    const char* end = item->d_name + std::strlen(item->d_name);
    if (std::from_chars(item->d_name, end, pid).ptr == end && pid > 1) f(pid);
  }
  ::closedir(folder);
}

}  // namespace

std::string boot_id() {
  auto text = read_file(boot_id_file());
  if (!text) return {};
  std::string id = std::move(text).value();
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

process_identity identify(pid_t pid) {
  const process_entry entry = entry_of(pid);
  if (entry.pid == 0) return {};
  return {pid, entry.start_time, boot_id()};
}

bool is_alive(const process_identity& process) {
  if (process.pid <= 0 || process.boot != boot_id()) return false;
  const process_entry entry = entry_of(process.pid);
  return entry.pid != 0 && entry.start_time == process.start_time &&
         entry.state != 'Z' && entry.state != 'X';
}

bool launcher_is_there(std::string_view id, std::int64_t attempt) {
  const std::string wanted =
      fmt::format("__launch{0}{1}{0}{2}{0}", '\0', id, attempt);
  bool found = false;
  each_process([&](pid_t pid) {
    found =
        found || read_proc(pid, "cmdline").find(wanted) != std::string::npos;
  });
  return found;
}

std::vector<pid_t> processes_of_job(pid_t group, std::string_view id,
                                    std::string_view home, pid_t except) {
  const std::string job = fmt::format("NEXUS_JOB_ID={}", id);
  const std::string where = fmt::format("NEXUS_HOME={}", home);
  std::vector<pid_t> found;
  each_process([&](pid_t pid) {
    if (pid == except || pid == ::getpid()) return;
    const process_entry entry = entry_of(pid);
    if (entry.pid == 0 || entry.state == 'Z' || entry.state == 'X') return;
    bool ours = group > 1 && entry.group == group;
    if (!ours) {
      const std::string environment = read_proc(pid, "environ");
      ours = bears(environment, job) && bears(environment, where);
    }
    if (ours) found.push_back(pid);
  });
  return found;
}

void send_signal(const std::vector<pid_t>& processes, int signal) {
  for (const pid_t pid : processes) ::kill(pid, signal);
}

job_ending::job_ending(pid_t group, std::string id, std::string home,
                       pid_t except, std::chrono::milliseconds grace)
    : group_(group),
      id_(std::move(id)),
      home_(std::move(home)),
      except_(except),
      kill_at_(clock::now() + grace) {}

bool job_ending::step() {
  const auto left = processes_of_job(group_, id_, home_, except_);
  if (left.empty()) return true;
  if (clock::now() >= kill_at_) {
    send_signal(left, SIGKILL);
    return false;
  }
  for (const pid_t pid : left) {
    if (std::ranges::find(told_, pid) != told_.end()) continue;
    ::kill(pid, SIGTERM);
    ::kill(pid, SIGCONT);  // one that is stopped would not hear it
    told_.push_back(pid);
  }
  return false;
}

std::string process_name(pid_t pid) {
  std::string name = read_proc(pid, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

}  // namespace nexus::queue
