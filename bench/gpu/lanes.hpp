// Times the kernels of a lane, whichever backend it is of.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/age_job.hpp"
#include "common/digest_job.hpp"

namespace nexus_bench {

inline double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began)
      .count();
}

// `bytes`: a multiple of the chunk's 65536.
inline std::optional<double> time_seal(nexus::common::age_lane& lane,
                                       std::uint64_t bytes, unsigned rounds) {
  const std::vector<std::uint8_t> input(bytes, 0x5a);
  const std::uint8_t key[32] = {1, 2, 3};
  nexus::common::job_memory memory;
  memory.input = input.data();
  memory.input_bytes = bytes;
  const std::uint64_t chunks = bytes / nexus::common::age_chunk;
  memory.output_bytes = bytes + chunks * nexus::common::age_tag;
  nexus::common::age_launch what{};
  what.seals = true;
  what.chunk_count = static_cast<std::uint32_t>(chunks);
  what.final_chunk = nexus::common::no_chunk;
  what.plain_bytes = bytes;
  std::int32_t status = lane.begin(key, memory, 0);
  if (status == NEXUS_OK) status = lane.launch(what);  // and warms up
  if (status == NEXUS_OK) status = lane.wait();
  const auto began = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < rounds && status == NEXUS_OK; ++i)
    status = lane.launch(what);
  if (status == NEXUS_OK) status = lane.wait();
  const double took = seconds_since(began);
  lane.end();
  return status == NEXUS_OK ? std::optional(took) : std::nullopt;
}

inline std::optional<double> time_digest(nexus::common::digest_lane& lane,
                                         std::uint64_t bytes, unsigned rounds) {
  const std::vector<std::uint8_t> input(bytes, 0x5a);
  nexus::common::job_memory memory;
  memory.input = input.data();
  memory.input_bytes = bytes;
  const auto leaves = static_cast<std::uint32_t>(
      (bytes + nexus::common::leaf_bytes - 1) / nexus::common::leaf_bytes);
  std::int32_t status = lane.begin(memory, leaves);
  if (status == NEXUS_OK) status = lane.launch(0, leaves);
  if (status == NEXUS_OK) status = lane.wait();
  const auto began = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < rounds && status == NEXUS_OK; ++i)
    status = lane.launch(0, leaves);
  if (status == NEXUS_OK) status = lane.wait();
  return status == NEXUS_OK ? std::optional(seconds_since(began))
                            : std::nullopt;
}

}  // namespace nexus_bench
