// The job digest (nexus/plugin.h) on a device that hashes many leaves at a
// time. A leaf is 255 rows of 60 bytes, a sponge of its own; the device makes
// the leaves' digests, and the root sponge over them runs here. Leaves that
// hold no data all have one digest, which is no work for the device.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/job_memory.hpp"

namespace nexus::common {

inline constexpr std::size_t leaf_bytes = 15300;
inline constexpr std::size_t leaf_words = 8;  // of a digest

// What one lane of a device does for a job. Every call answers NEXUS_OK or a
// NEXUS_E_* of the device, and none throws. Calls take effect in their order.
// For one thread at a time.
class digest_lane {
 public:
  virtual ~digest_lane() = default;

  // Leaves to be launched before the host looks whether it is to stop: some
  // tenths of a second of work. At least 1.
  [[nodiscard]] virtual std::uint32_t leaves_at_once() const = 0;

  // Brings the input, which is not empty, to the device, and makes room for the
  // digests of so many leaves. Bytes behind the input count as zero.
  virtual std::int32_t begin(const job_memory& memory,
                             std::uint32_t leaves) = 0;
  // Hashes leaves, count >= 1.
  virtual std::int32_t launch(std::uint32_t first, std::uint32_t count) = 0;
  // Copies the digests of the first `count` leaves back, leaf_words each:
  // field elements as Montgomery words (core/kernels/koalabear.h).
  virtual std::int32_t read_leaves(std::uint32_t count, std::uint32_t* to) = 0;
  // Waits for all that was begun: host memory has been read and filled.
  virtual std::int32_t wait() = 0;
};

// Whether the job's parameters are of the pinned form and its input is no
// longer than max_bytes: NEXUS_OK or NEXUS_E_ARGUMENT. `job` as
// check_job() of device_job.hpp hands it on.
std::int32_t check_digest(const nexus_job& job,
                          std::uint64_t max_bytes) noexcept;

// Runs a job that was let pass. `leaves`: memory that a caller keeps from job
// to job. bad_alloc where that cannot grow.
nexus_result run_digest(digest_lane& lane, const nexus_job& job,
                        std::vector<std::uint32_t>& leaves,
                        const std::atomic<bool>& cancelled);

}  // namespace nexus::common
