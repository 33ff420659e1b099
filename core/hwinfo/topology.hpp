// Processors, caches and NUMA nodes.
#pragma once

#include <nexus/hardware.hpp>

namespace nexus::hwinfo {

// Fills logical_processors, physical_cores, allowed_processors, l2_bytes,
// l3_bytes and nodes through hwloc, which reads this machine, or what
// HWLOC_SYNTHETIC or HWLOC_XMLFILE describe: then the affinity mask of this
// machine does not apply.
void read_topology(hardware& machine);

}  // namespace nexus::hwinfo
