// What memory there is, and what binds this process besides cgroups.
#pragma once

#include <cstdint>
#include <nexus/hardware.hpp>
#include <vector>

namespace nexus::hwinfo {

struct memory_facts {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;
  std::vector<memory_limit> limits;  // RLIMIT_AS and RLIMIT_DATA where set
};

// The first two alone.
memory_facts read_meminfo(const hardware_roots& roots);

// Reads meminfo, self/limits and self/status under roots.proc. What cannot be
// read is left at 0.
memory_facts read_memory(const hardware_roots& roots);

}  // namespace nexus::hwinfo
