// What a helper process gives up.
#pragma once

#include "isolate/protocol.hpp"

namespace nexus::isolate {

// Before any plugin is loaded: goes with the parent, is not traced, leaves no
// core dump, and gains no privileges by exec.
void confine_early();
// Processors, niceness and I/O priority, as far as they were asked for and are
// permitted: false if not.
bool set_priorities(const hello& wanted);
// Once the device is open: system calls that a device does not need fail with
// EPERM from here on, for all threads. device: tracing, other processes'
// memory, namespaces, mounts, kernel modules, keys. processor: also programs,
// processes, sockets, and writing files. False where the kernel has no filters.
bool confine_calls(confinement how);

}  // namespace nexus::isolate
