#include "hwinfo/topology.hpp"

#include <hwloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "hwinfo/text.hpp"

namespace nexus::hwinfo {
namespace {

struct bitmap_free {
  void operator()(hwloc_bitmap_t b) const { hwloc_bitmap_free(b); }
};
using bitmap = std::unique_ptr<hwloc_bitmap_s, bitmap_free>;

struct topology_destroy {
  void operator()(hwloc_topology_t t) const { hwloc_topology_destroy(t); }
};
using topology = std::unique_ptr<hwloc_topology, topology_destroy>;

// The affinity mask of the calling thread; it lies within its cpuset cgroup.
bitmap read_affinity() {
  bitmap mask(hwloc_bitmap_alloc());
  if (!mask) return mask;
  // The kernel refuses a set smaller than its own, which is not told.
  for (std::size_t count = 1024; count <= (std::size_t{1} << 20); count *= 4) {
    cpu_set_t* set = CPU_ALLOC(count);
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(count);
    CPU_ZERO_S(size, set);
    const int failed = ::sched_getaffinity(0, size, set);
    const int reason = errno;
    for (unsigned i = 0; failed == 0 && i < count; ++i) {
      if (CPU_ISSET_S(i, size, set)) hwloc_bitmap_set(mask.get(), i);
    }
    CPU_FREE(set);
    if (failed == 0 || reason != EINVAL) break;
  }
  return mask;
}

// Whether hwloc shows another machine than this one.
bool is_made_up() {
  for (const char* by : {"HWLOC_SYNTHETIC", "HWLOC_XMLFILE", "HWLOC_FSROOT"})
    if (std::getenv(by) != nullptr) return true;
  return false;
}

// Leaves out all that costs time and is not asked for: PCI and other devices,
// small caches, and the cpuid walk, which moves this thread over every
// processor.
topology load_topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  topology loaded(raw);
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  hwloc_topology_set_all_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  // Groups hold the nodes of a package that has several: without them a node
  // would be shown with the processors of the whole machine.
  hwloc_topology_set_type_filter(raw, HWLOC_OBJ_GROUP,
                                 HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
  for (const hwloc_obj_type_t wanted : {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_CORE,
                                        HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE}) {
    hwloc_topology_set_type_filter(raw, wanted, HWLOC_TYPE_FILTER_KEEP_ALL);
  }
  hwloc_topology_set_components(raw, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
                                "x86");
  if (hwloc_topology_load(raw) != 0) return nullptr;
  return loaded;
}

std::vector<std::uint32_t> indices(hwloc_const_bitmap_t set) {
  std::vector<std::uint32_t> out;
  for (int i = hwloc_bitmap_first(set); i >= 0; i = hwloc_bitmap_next(set, i)) {
    out.push_back(static_cast<std::uint32_t>(i));
  }
  return out;
}

std::uint32_t count(hwloc_topology_t t, hwloc_obj_type_t type) {
  return static_cast<std::uint32_t>(
      std::max(0, hwloc_get_nbobjs_by_type(t, type)));
}

// L2 of the first core; all of L3 in the first package, which may have
// several.
void read_caches(hwloc_topology_t t, hardware& machine) {
  if (hwloc_obj_t l2 = hwloc_get_obj_by_type(t, HWLOC_OBJ_L2CACHE, 0)) {
    machine.l2_bytes = l2->attr->cache.size;
  }
  hwloc_obj_t package = hwloc_get_obj_by_type(t, HWLOC_OBJ_PACKAGE, 0);
  if (package == nullptr) package = hwloc_get_root_obj(t);
  hwloc_obj_t l3 = nullptr;
  while ((l3 = hwloc_get_next_obj_inside_cpuset_by_type(
              t, package->cpuset, HWLOC_OBJ_L3CACHE, l3)) != nullptr) {
    machine.l3_bytes += l3->attr->cache.size;
  }
}

// Each processor goes to one node: memory without processors of its own (HBM,
// CXL) shows those of its neighbour, and must not count them again.
void take_nodes(hwloc_topology_t t, hwloc_const_bitmap_t allowed,
                hardware& machine) {
  bitmap left(hwloc_bitmap_dup(allowed));
  bitmap here(hwloc_bitmap_alloc());
  if (!left || !here) return;
  hwloc_obj_t node = nullptr;
  while ((node = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, node)) !=
         nullptr) {
    hwloc_bitmap_and(here.get(), left.get(), node->cpuset);
    hwloc_bitmap_andnot(left.get(), left.get(), here.get());
    machine.nodes.push_back({node->os_index, indices(here.get()),
                             node->attr->numanode.local_memory});
  }
  if (machine.nodes.empty()) machine.nodes.emplace_back();
  // Processors of no node, should there be any, are not lost.
  for (const std::uint32_t i : indices(left.get())) {
    machine.nodes.front().processors.push_back(i);
  }
}

// Without hwloc: the processors, as one node.
void read_plainly(hardware& machine) {
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  machine.logical_processors = static_cast<std::uint32_t>(std::max(online, 1L));
  numa_node node;
  if (const bitmap mask = read_affinity()) {
    node.processors = indices(mask.get());
  }
  machine.allowed_processors =
      node.processors.empty()
          ? machine.logical_processors
          : static_cast<std::uint32_t>(node.processors.size());
  machine.nodes.push_back(std::move(node));
}

}  // namespace

void read_topology(hardware& machine) {
  const topology loaded = load_topology();
  if (!loaded) return read_plainly(machine);
  hwloc_topology_t t = loaded.get();
  bitmap allowed(hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(t)));
  if (!allowed) return read_plainly(machine);
  if (hwloc_topology_is_thissystem(t) != 0) {
    const bitmap mask = read_affinity();
    if (mask && hwloc_bitmap_intersects(allowed.get(), mask.get())) {
      hwloc_bitmap_and(allowed.get(), allowed.get(), mask.get());
    }
  }
  machine.logical_processors = count(t, HWLOC_OBJ_PU);
  machine.physical_cores = count(t, HWLOC_OBJ_CORE);
  machine.allowed_processors = static_cast<std::uint32_t>(
      std::max(0, hwloc_bitmap_weight(allowed.get())));
  read_caches(t, machine);
  take_nodes(t, allowed.get(), machine);
}

std::vector<std::uint32_t> parse_list(std::string_view text) {
  constexpr std::uint64_t most = 1u << 20;
  std::vector<std::uint32_t> numbers;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.remove_suffix(1);
  while (!text.empty()) {
    std::string_view part = take_until(text, ',');
    const bool range = part.find('-') != std::string_view::npos;
    const auto first = parse_u64(take_until(part, '-'));
    const auto last = range ? parse_u64(part) : first;
    if (!first || !last || *first > *last || *last >= most) return {};
    for (std::uint64_t i = *first; i <= *last; ++i)
      numbers.push_back(static_cast<std::uint32_t>(i));
  }
  return numbers.size() <= most ? numbers : std::vector<std::uint32_t>{};
}

std::vector<numa_node> read_nodes(const hardware_roots& roots,
                                  const std::vector<std::uint32_t>& allowed) {
  const std::string folder = roots.sys + "/devices/system/node/";
  std::vector<std::uint32_t> left = allowed;
  std::vector<numa_node> nodes;
  for (const auto index :
       parse_list(read_text(folder + "online").value_or(""))) {
    numa_node node;
    node.os_index = index;
    const std::string file = "node" + std::to_string(index) + "/cpulist";
    for (const auto i : parse_list(read_text(folder + file).value_or("")))
      if (std::erase(left, i) != 0) node.processors.push_back(i);
    nodes.push_back(std::move(node));
  }
  if (nodes.empty()) nodes.emplace_back();
  auto& first = nodes.front().processors;
  first.insert(first.end(), left.begin(), left.end());
  return nodes;
}

std::uint32_t count_allowed() {
  if (is_made_up()) return 0;
  const bitmap mask = read_affinity();
  return mask ? static_cast<std::uint32_t>(indices(mask.get()).size()) : 0;
}

void read_processors(hardware& machine, const hardware_roots& roots) {
  if (is_made_up()) return read_topology(machine);
  auto online = parse_list(
      read_text(roots.sys + "/devices/system/cpu/online").value_or(""));
  const bitmap mask = read_affinity();
  auto allowed = mask ? indices(mask.get()) : std::vector<std::uint32_t>{};
  if (online.empty() || allowed.empty()) return read_plainly(machine);
  machine.logical_processors = static_cast<std::uint32_t>(online.size());
  machine.allowed_processors = static_cast<std::uint32_t>(allowed.size());
  machine.nodes = read_nodes(roots, allowed);
}

}  // namespace nexus::hwinfo
