// How fast a directory's file system takes and gives back a file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/status.hpp>
#include <span>
#include <stop_token>
#include <string>

#include "bench/results.hpp"

namespace nexus::tool::bench {

struct disk_request {
  std::string directory;
  std::uint64_t bytes = 0;
  std::uint32_t repeats = 1;
  double most_seconds = 1;  // no further repeat begins after that
};

// Writes the data, over and over until there are enough bytes, to a temporary
// file that has no name, so that nothing is left behind; then reads it.
// cancelled where stop was requested; whatever else goes wrong is said in the
// result. data: not empty.
[[nodiscard]] result<disk_result> measure_disk(const disk_request& request,
                                               std::span<const std::byte> data,
                                               const std::stop_token& stop);

}  // namespace nexus::tool::bench
