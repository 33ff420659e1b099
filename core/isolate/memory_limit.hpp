// What keeps a helper process within its memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace nexus::isolate {

// How often the kernel has killed a process for lack of memory since it
// started; 0 where it does not say.
[[nodiscard]] std::uint64_t oom_kill_count();

// A limit on one process: a cgroup of its own where one may be made, or else a
// look at what it holds now and then. Never RLIMIT_AS: CUDA reserves address
// space by the terabyte.
class memory_watch {
 public:
  memory_watch() = default;
  ~memory_watch();
  memory_watch(const memory_watch&) = delete;
  memory_watch& operator=(const memory_watch&) = delete;

  // limit: bytes beside memory that is shared with other processes; none: no
  // limit.
  void begin(pid_t pid, std::optional<std::uint64_t> limit);
  // Whether exceeded() has to be asked every few milliseconds.
  [[nodiscard]] bool needs_looking() const noexcept {
    return limit_.has_value() && group_.empty();
  }
  // What it holds too much, in words; or nothing.
  [[nodiscard]] std::optional<std::string> exceeded() const;
  // The cgroup says that it killed the process.
  [[nodiscard]] bool killed_by_group() const;

 private:
  bool make_group();

  pid_t pid_ = -1;
  std::optional<std::uint64_t> limit_;
  std::string group_;  // its directory
};

}  // namespace nexus::isolate
