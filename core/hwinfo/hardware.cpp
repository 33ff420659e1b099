#include "hwinfo/hardware.hpp"

#include <iterator>
#include <utility>

#include "hwinfo/cgroup.hpp"
#include "hwinfo/memory.hpp"
#include "hwinfo/topology.hpp"

namespace nexus {
namespace {

void read_limits(hardware& machine, const hardware_roots& roots) {
  hwinfo::memory_facts memory = hwinfo::read_memory(roots);
  machine.memory_total_bytes = memory.total_bytes;
  machine.memory_available_bytes = memory.available_bytes;
  machine.memory_limits = std::move(memory.limits);

  hwinfo::cgroup_facts cgroups = hwinfo::read_cgroups(roots);
  machine.cpu_quota = cgroups.cpu_quota;
  machine.cpu_quota_origin = std::move(cgroups.cpu_quota_origin);
  machine.memory_limits.insert(machine.memory_limits.end(),
                               std::make_move_iterator(cgroups.memory.begin()),
                               std::make_move_iterator(cgroups.memory.end()));
}

}  // namespace

hardware read_hardware(const hardware_roots& roots) {
  hardware machine;
  hwinfo::read_topology(machine);
  read_limits(machine, roots);
  return machine;
}

hardware hwinfo::read_for_runs(const hardware_roots& roots) {
  hardware machine;
  hwinfo::read_processors(machine, roots);
  read_limits(machine, roots);
  return machine;
}

hardware hwinfo::completed(hardware machine) {
  machine.nodes.clear();
  machine.l3_bytes = 0;  // it is a sum
  hwinfo::read_topology(machine);
  return machine;
}

}  // namespace nexus
