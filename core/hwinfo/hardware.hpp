// The machine as far as runs need it.
#pragma once

#include <nexus/hardware.hpp>

namespace nexus::hwinfo {

// As read_hardware(), but without cores, caches and the memory of nodes: a
// fraction of a millisecond, however many processors there are.
hardware read_for_runs(const hardware_roots& roots = {});

// Adds what that left out. The figures of memory stay as they are.
hardware completed(hardware machine);

}  // namespace nexus::hwinfo
