// The jobs age-seal and age-open (nexus/plugin.h) on a device that works on
// many chunks at a time and has memory of its own. The device compares no tags:
// the engine does, where it gave room for them, and plaintext is then copied
// back unseen. Where it gave none, they are compared here, and nothing that
// failed to authenticate is ever copied back.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/job_memory.hpp"

namespace nexus::common {

inline constexpr std::size_t age_chunk = 65536;  // bytes of plaintext
inline constexpr std::size_t age_tag = 16;
inline constexpr std::size_t age_sealed = age_chunk + age_tag;
inline constexpr std::uint32_t no_chunk = UINT32_MAX;

// Chunks of a job that the device is to work on, each on its own.
struct age_launch {
  bool seals;
  std::uint32_t first_chunk;   // within the job
  std::uint32_t chunk_count;   // >= 1
  std::uint32_t final_chunk;   // the one to carry the final flag, or no_chunk
  std::uint64_t first_number;  // in the stream, of chunk 0 of the job
  std::uint64_t plain_bytes;   // of the whole job: the last chunk may be short
};

// What one lane of a device does for a job. Every call answers NEXUS_OK or a
// NEXUS_E_* of the device, and none throws. Calls take effect in their order;
// those that read have filled host memory once wait() or end() has returned.
// For one thread at a time.
class age_lane {
 public:
  virtual ~age_lane() = default;

  // Brings the key (32 bytes) and the input to the device, and makes room for
  // the output and tag_count tags. The output may come to stand in the host's
  // memory at once where that is imported.
  virtual std::int32_t begin(const std::uint8_t* key, const job_memory& memory,
                             std::uint32_t tag_count) = 0;
  // Sealing writes chunks with their tags to the device's output; opening
  // writes plaintext there and the computed tags beside it.
  virtual std::int32_t launch(const age_launch& what) = 0;
  // Copies computed tags back, age_tag bytes each.
  virtual std::int32_t read_tags(std::uint32_t first, std::uint32_t count,
                                 std::uint8_t* tags) = 0;
  // Copies the beginning of the output back.
  virtual std::int32_t read_output(std::uint64_t bytes,
                                   std::uint8_t* output) = 0;
  virtual std::int32_t wait() = 0;
  // Waits for what was begun, and clears the key on the device.
  virtual std::int32_t end() = 0;
};

// Whether it is one of the two operations.
bool is_age(const char* operation) noexcept;

// Whether the job's parameters are of the pinned form and fit its memory, and
// its input is no longer than max_bytes: NEXUS_OK or NEXUS_E_ARGUMENT. `job` as
// check_job() of device_job.hpp hands it on.
std::int32_t check_age(const nexus_job& job, std::uint64_t max_bytes) noexcept;

// Runs a job that was let pass. `tags` is memory that a caller keeps from job
// to job; it holds nothing after. bad_alloc where that cannot grow.
nexus_result run_age(age_lane& lane, const nexus_job& job,
                     std::vector<std::uint8_t>& tags,
                     const std::atomic<bool>& cancelled);

}  // namespace nexus::common
