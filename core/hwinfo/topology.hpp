// Processors, caches and NUMA nodes.
#pragma once

#include <cstdint>
#include <nexus/hardware.hpp>
#include <string_view>
#include <vector>

namespace nexus::hwinfo {

// Fills logical_processors, physical_cores, allowed_processors, l2_bytes,
// l3_bytes and nodes through hwloc, which reads this machine, or what
// HWLOC_SYNTHETIC or HWLOC_XMLFILE describe: then the affinity mask of this
// machine does not apply.
void read_topology(hardware& machine);

// The same without cores, caches and the memory of nodes, which runs do not
// need: from a handful of files under roots.sys, where hwloc opens ten or
// twenty for every processor. Where a machine is made up, as above, that one
// counts.
void read_processors(hardware& machine, const hardware_roots& roots);

// Processors that the calling thread may run on; 0 where that is unknown, or
// the machine is made up as above.
std::uint32_t count_allowed();

// The nodes under roots.sys with those of their processors that are allowed; at
// least one, and every allowed processor is in one.
std::vector<numa_node> read_nodes(const hardware_roots& roots,
                                  const std::vector<std::uint32_t>& allowed);

// The numbers of a list such as "0-3,8", at most 2^20 of them; none where it is
// malformed.
std::vector<std::uint32_t> parse_list(std::string_view text);

}  // namespace nexus::hwinfo
