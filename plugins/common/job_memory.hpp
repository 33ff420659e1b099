// The host's memory of a job, and how much a device is to set aside for it.
#pragma once

#include <nexus/plugin.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace nexus::common {

// Borrowed from the job. An import is what import_buffer() of the same device
// made of memory that holds all of the bytes beside it, or NULL.
struct job_memory {
  const std::uint8_t* input = nullptr;
  std::uint64_t input_bytes = 0;
  nexus_buffer* input_import = nullptr;
  std::uint8_t* output = nullptr;
  std::uint64_t output_bytes = 0;
  // NULL also where the host is to see nothing before it is read.
  nexus_buffer* output_import = nullptr;
};

// An older host's job has no imports.
inline job_memory memory_of(const nexus_job& job,
                            std::uint64_t output_bytes) noexcept {
  constexpr std::size_t known =
      offsetof(nexus_job, output_import) + sizeof job.output_import;
  const bool tells = job.size >= known;
  job_memory memory;
  memory.input = job.input;
  memory.input_bytes = job.input_bytes;
  memory.input_import = tells ? job.input_import : nullptr;
  memory.output = job.output;
  memory.output_bytes = output_bytes;
  memory.output_import = tells ? job.output_import : nullptr;
  return memory;
}

// What a device buffer that is to hold so many bytes is made for: small sizes
// by powers of two, large ones by steps. Few growths, little waste.
inline std::uint64_t rounded_up(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t least = 4096;
  constexpr std::uint64_t step = std::uint64_t{4} << 20;
  if (bytes <= least) return least;
  if (bytes <= step) return std::bit_ceil(bytes);
  return (bytes + step - 1) / step * step;
}

}  // namespace nexus::common
