// Other processes: who they are, whether they still are, and their end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::queue {

// A pid alone is used again; with its start time, in clock ticks since the
// boot, and the boot's id it is not.
struct process_identity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;
  std::string boot;
};

// What the kernel tells of a process.
struct process_entry {
  pid_t pid = 0;
  char state = 0;
  pid_t group = 0;
  std::uint64_t start_time = 0;
};

// Empty fields where /proc does not tell.
[[nodiscard]] std::string boot_id();
[[nodiscard]] process_identity identify(pid_t pid);
[[nodiscard]] bool is_alive(const process_identity& process);

// The processes of a job that run: those of its group, and those that bear its
// NEXUS_JOB_ID and NEXUS_HOME in their environment, wherever they moved to.
// The launcher, `except`, is not one of them.
[[nodiscard]] std::vector<pid_t> processes_of_job(pid_t group,
                                                  std::string_view id,
                                                  std::string_view home,
                                                  pid_t except);
// Whether a process was called to launch this attempt; a session of screen that
// has not come that far counts too.
[[nodiscard]] bool launcher_is_there(std::string_view id, std::int64_t attempt);
void send_signal(const std::vector<pid_t>& processes, int signal);

// The end of a job's processes: SIGTERM, then SIGKILL to those that are left
// after the grace, until there are none.
class job_ending {
 public:
  job_ending(pid_t group, std::string id, std::string home, pid_t except,
             std::chrono::milliseconds grace);
  // To be called again and again. True: none is left.
  [[nodiscard]] bool step();

 private:
  pid_t group_;
  std::string id_;
  std::string home_;
  pid_t except_;
  std::chrono::steady_clock::time_point kill_at_;
  std::vector<pid_t> told_;
};

// The name of a process, as `ps` shows it; empty where it is gone.
[[nodiscard]] std::string process_name(pid_t pid);

}  // namespace nexus::queue
