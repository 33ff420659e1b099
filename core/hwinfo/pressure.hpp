// How the machine is doing now, as far as it tells: what is left of the memory,
// who had to wait for some, and how many processors there are.
#pragma once

#include <cstdint>
#include <nexus/hardware.hpp>
#include <optional>
#include <string>
#include <vector>

namespace nexus::hwinfo {

// "some" of the kernel's pressure stall information: at least one task waited
// for memory.
struct memory_stall {
  double percent = 0;              // of the last ten seconds
  std::uint64_t microseconds = 0;  // ever
};

// A limit, and how often it was reached. Above a limit the kernel first takes
// back what it can, so that to reach one is no harm in itself.
struct felt_limit {
  memory_limit limit;
  std::optional<std::uint64_t> hits;  // ever
};

// Origin of the limit that stands for the machine: MemTotal.
inline constexpr const char* machine_origin = "MemAvailable";

struct pressure_reading {
  // The machine and all cgroups; no rlimits.
  std::vector<felt_limit> limits;
  std::optional<std::uint64_t> oom_kills;  // in the process's own cgroup, ever
  std::optional<memory_stall> machine;
  std::optional<memory_stall> group;  // the process's own cgroup, version 2
  std::optional<double> cpu_quota;    // processors' worth
  std::string cpu_quota_origin;
  std::uint32_t allowed_processors = 0;  // the affinity mask; 0: not known
};

// Reads some twenty small files, where all are there. What is missing or
// malformed is left out. The kernel may be slow to answer when it is short of
// memory: not for the engine's thread.
pressure_reading read_pressure(const hardware_roots& roots);

}  // namespace nexus::hwinfo
