// What devices made of the memory of buffers. Engine thread only.
#pragma once

#include <nexus/plugin.h>

#include <cstddef>
#include <map>
#include <utility>

#include "backend/device.hpp"

namespace nexus {

// Memory is imported once for each device that asks for it, and stays so until
// it is unmapped: that takes milliseconds, and the same buffers come back all
// the time. Failures are kept as well: nothing is tried twice.
class import_cache {
 public:
  import_cache() = default;
  // Everything must have been forgotten while the devices were there.
  ~import_cache() = default;
  import_cache(const import_cache&) = delete;
  import_cache& operator=(const import_cache&) = delete;

  // The place for one piece of memory and device; `fresh` if that has been
  // made just now, and holds NULL. It stays where it is until forgotten.
  nexus_buffer*& place(std::byte* memory, device& by, bool& fresh);
  // Releases what devices made of it. No job may use it any more.
  void forget(std::byte* memory) noexcept;

  [[nodiscard]] bool empty() const noexcept { return made_.empty(); }

 private:
  std::map<std::pair<std::byte*, device*>, nexus_buffer*> made_;
};

}  // namespace nexus
