// The limits that cgroups put on this process.
#pragma once

#include <nexus/hardware.hpp>
#include <optional>
#include <string>
#include <vector>

namespace nexus::hwinfo {

// Where it is counted how often a limit was reached.
struct hit_counter {
  std::string file;
  std::string key;  // of the line; empty: the file is the number

  [[nodiscard]] std::optional<std::uint64_t> read() const;
};

struct cgroup_facts {
  std::vector<memory_limit> memory;  // from the leaf to the root
  std::vector<hit_counter> hits;     // of each of these limits
  std::string own_v2;  // directory of the process's own, where there is one
  std::optional<double> cpu_quota;  // processors' worth, the smallest
  std::string cpu_quota_origin;
};

// Reads versions 1 and 2 side by side, since a machine may mount both, and
// every ancestor that can be seen, since each of them binds. Mount points under
// /sys are looked up under roots.sys. What is missing or malformed counts as
// no limit.
cgroup_facts read_cgroups(const hardware_roots& roots);

// The cgroup that this process's memory is charged to.
struct memory_group {
  std::string directory;
  int version = 2;
};
std::optional<memory_group> own_memory_group(const hardware_roots& roots);

}  // namespace nexus::hwinfo
