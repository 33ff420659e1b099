#include "isolate/memory_limit.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "hwinfo/cgroup.hpp"
#include "hwinfo/text.hpp"

namespace nexus::isolate {
namespace {

bool put(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t put = ::write(fd, text.data(), text.size());
  ::close(fd);
  return put == static_cast<ssize_t>(text.size());
}

constexpr std::uint64_t most_processes = 1u << 22;  // of any Linux
constexpr std::string_view group_prefix = "nexus-worker-";

// What engines left that were killed, and could not tidy up. A group with a
// process in it, or with one that is about to join it, is left alone.
void remove_stale_groups(const std::string& directory) {
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return;
  while (const dirent* entry = ::readdir(open)) {
    std::string_view number = entry->d_name;
    if (number.substr(0, group_prefix.size()) != group_prefix) continue;
    number.remove_prefix(group_prefix.size());
    const auto pid = hwinfo::parse_u64(number);
    if (!pid || *pid == 0 || *pid > most_processes) continue;
    if (::kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH) continue;
    ::rmdir((directory + "/" + entry->d_name).c_str());
  }
  ::closedir(open);
}

std::uint64_t count_in(const std::string& path, std::string_view key) {
  const auto text = hwinfo::read_text(path);
  return text ? hwinfo::field(*text, key).value_or(0) : 0;
}

}  // namespace

std::uint64_t oom_kill_count() {
  return count_in("/proc/vmstat", "oom_kill");
}

void memory_watch::begin(pid_t pid, std::optional<std::uint64_t> limit) {
  pid_ = pid;
  limit_ = limit;
  if (limit_ && !make_group() && !group_.empty()) {
    ::rmdir(group_.c_str());
    group_.clear();
  }
}

bool memory_watch::make_group() {
  const auto own = hwinfo::own_memory_group({});
  if (!own) return false;
  remove_stale_groups(own->directory);
  const std::string name =
      own->directory + "/" + std::string(group_prefix) + std::to_string(pid_);
  if (::mkdir(name.c_str(), 0755) != 0) return false;
  group_ = name;
  const bool v2 = own->version == 2;
  return put(name + (v2 ? "/memory.max" : "/memory.limit_in_bytes"),
             std::to_string(*limit_)) &&
         put(name + "/cgroup.procs", std::to_string(pid_));
}

// The process is gone by now.
memory_watch::~memory_watch() {
  if (!group_.empty()) ::rmdir(group_.c_str());
}

std::optional<std::string> memory_watch::exceeded() const {
  if (!needs_looking()) return std::nullopt;
  const auto text =
      hwinfo::read_text("/proc/" + std::to_string(pid_) + "/statm");
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  hwinfo::take_word(rest);
  const auto resident = hwinfo::parse_u64(hwinfo::take_word(rest));
  const auto shared = hwinfo::parse_u64(hwinfo::take_word(rest));
  if (!resident || !shared) return std::nullopt;
  const std::uint64_t own = (*resident - std::min(*resident, *shared)) *
                            static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (own <= *limit_) return std::nullopt;
  return "it took " + std::to_string(own >> 20) + " MiB of memory, and may " +
         std::to_string(*limit_ >> 20);
}

bool memory_watch::killed_by_group() const {
  if (group_.empty()) return false;
  return count_in(group_ + "/memory.events", "oom_kill") != 0 ||
         count_in(group_ + "/memory.oom_control", "oom_kill") != 0;
}

}  // namespace nexus::isolate
