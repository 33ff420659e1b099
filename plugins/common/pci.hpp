// Where a card sits in the machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace nexus::common {

// "0000:3b:00.0", as the kernel and nexus_device_info write it.
template <std::size_t N>
void write_pci_id(char (&id)[N], unsigned domain, unsigned bus, unsigned slot,
                  unsigned function) noexcept {
  std::snprintf(id, N, "%04x:%02x:%02x.%x", domain & 0xffffff, bus & 0xff,
                slot & 0x1f, function & 7);
}

// The NUMA node of the card with this id, or -1.
inline std::int32_t numa_node_of(const char* pci_id) noexcept {
  char path[96];
  std::snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/numa_node", pci_id);
  std::FILE* file = pci_id[0] != '\0' ? std::fopen(path, "re") : nullptr;
  if (file == nullptr) return -1;
  int node = -1;
  if (std::fscanf(file, "%d", &node) != 1 || node < -1) node = -1;
  std::fclose(file);
  return node;
}

}  // namespace nexus::common
