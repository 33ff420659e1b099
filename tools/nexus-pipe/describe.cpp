#include "describe.hpp"

#include <utility>

namespace nexus::tool {

using json = nlohmann::ordered_json;

std::string printed(const json& object) {
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::uint64_t wish_of(const device_description& device) {
  return device.gpu ? device.preferred_segment_bytes : 0;
}

json to_json(const device_description& device) {
  return {{"id", device.id},
          {"plugin", device.plugin},
          {"name", device.name},
          {"gpu", device.gpu},
          {"score", device.score},
          {"lanes", device.lanes},
          {"memory_bytes", device.memory_bytes},
          {"numa_node", device.numa_node},
          {"pci_id", device.pci_id},
          {"driver", device.driver},
          {"operations", device.operations},
          {"preferred_segment_bytes", wish_of(device)},
          {"note", device.note}};
}

json to_json(const hardware& machine) {
  json limits = json::array();
  for (const memory_limit& limit : machine.memory_limits) {
    limits.push_back({{"origin", limit.origin},
                      {"limit_bytes", limit.limit_bytes},
                      {"used_bytes", limit.used_bytes}});
  }
  json nodes = json::array();
  for (const numa_node& node : machine.nodes) {
    nodes.push_back({{"os_index", node.os_index},
                     {"processors", node.processors},
                     {"memory_bytes", node.memory_bytes}});
  }
  return {{"logical_processors", machine.logical_processors},
          {"physical_cores", machine.physical_cores},
          {"allowed_processors", machine.allowed_processors},
          {"cpu_quota",
           machine.cpu_quota ? json(*machine.cpu_quota) : json(nullptr)},
          {"cpu_quota_origin", machine.cpu_quota_origin},
          {"memory_total_bytes", machine.memory_total_bytes},
          {"memory_available_bytes", machine.memory_available_bytes},
          {"memory_limits", std::move(limits)},
          {"l2_bytes", machine.l2_bytes},
          {"l3_bytes", machine.l3_bytes},
          {"numa_nodes", std::move(nodes)}};
}

}  // namespace nexus::tool
