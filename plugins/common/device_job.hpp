// The jobs that a graphics card does, whichever it is: which they are, which
// may be run, and running one on a lane.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "common/age_job.hpp"
#include "common/digest_job.hpp"

namespace nexus::common {

// Memory that a lane keeps from job to job.
struct job_scratch {
  std::vector<std::uint8_t> tags;     // holds nothing between jobs
  std::vector<std::uint32_t> leaves;  // digests, which are no secret
};

bool supports_operation(const char* operation) noexcept;
bool is_digest(const char* operation) noexcept;

// Whether the job may be run: NEXUS_OK, NEXUS_E_ARGUMENT if it is not of the
// pinned form or longer than max_bytes (at most 2^40), NEXUS_E_UNSUPPORTED if
// its operation is not known.
std::int32_t check_job(const nexus_job* job, std::uint64_t max_bytes) noexcept;

// Runs a job that check_job() let pass, on the lane of its operation. The
// result says how long it took.
nexus_result run_job(age_lane& age, digest_lane& digest, const nexus_job& job,
                     job_scratch& scratch,
                     const std::atomic<bool>& cancelled) noexcept;

}  // namespace nexus::common
