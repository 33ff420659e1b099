// The jobs age-seal and age-open (nexus/plugin.h) on a device that works on
// many chunks at a time and has memory of its own. The host compares the tags,
// and nothing that failed to authenticate is ever copied back.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

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
// NEXUS_E_* of the device, and none throws. For one thread at a time.
class age_lane {
 public:
  virtual ~age_lane() = default;

  // Brings the key (32 bytes) and the input to the device, and makes room for
  // output_bytes and tag_count tags.
  virtual std::int32_t begin(const std::uint8_t* key, const std::uint8_t* input,
                             std::uint64_t input_bytes,
                             std::uint64_t output_bytes,
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
  // Waits for what was begun, and clears the key on the device.
  virtual std::int32_t end() = 0;
};

// Whether it is one of the two operations.
bool supports_operation(const char* operation) noexcept;

// Whether the job may be run: NEXUS_OK, NEXUS_E_ARGUMENT if it is not of the
// pinned form or longer than max_bytes (at most 2^40), NEXUS_E_UNSUPPORTED if
// its operation is not known.
std::int32_t check_job(const nexus_job* job, std::uint64_t max_bytes) noexcept;

// Runs a job that check_job() let pass. `tags` is memory that a caller keeps
// from job to job; it holds nothing after. The result says how long it took.
nexus_result run_job(age_lane& lane, const nexus_job& job,
                     std::vector<std::uint8_t>& tags,
                     const std::atomic<bool>& cancelled) noexcept;

}  // namespace nexus::common
