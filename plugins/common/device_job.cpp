#include "common/device_job.hpp"

#include <chrono>
#include <cstddef>
#include <cstring>
#include <new>

#include "common/results.hpp"

namespace nexus::common {

bool is_digest(const char* operation) noexcept {
  return std::strcmp(operation, NEXUS_JOB_DIGEST) == 0;
}

bool supports_operation(const char* operation) noexcept {
  return operation != nullptr && (is_age(operation) || is_digest(operation));
}

std::int32_t check_job(const nexus_job* job, std::uint64_t max_bytes) noexcept {
  // An older host has fewer fields, none of them among those read here.
  constexpr std::size_t known = offsetof(nexus_job, input_import);
  if (job == nullptr || job->size < known) return NEXUS_E_ARGUMENT;
  if (!supports_operation(job->operation)) return NEXUS_E_UNSUPPORTED;
  const bool formed = job->params != nullptr &&
                      (job->input != nullptr || job->input_bytes == 0) &&
                      (job->output != nullptr || job->output_capacity == 0);
  if (!formed) return NEXUS_E_ARGUMENT;
  return is_digest(job->operation) ? check_digest(*job, max_bytes)
                                   : check_age(*job, max_bytes);
}

nexus_result run_job(age_lane& age, digest_lane& digest, const nexus_job& job,
                     job_scratch& scratch,
                     const std::atomic<bool>& cancelled) noexcept {
  using clock = std::chrono::steady_clock;
  const auto began = clock::now();
  try {
    nexus_result result =
        is_digest(job.operation)
            ? run_digest(digest, job, scratch.leaves, cancelled)
            : run_age(age, job, scratch.tags, cancelled);
    const std::chrono::nanoseconds took = clock::now() - began;
    result.device_ns = static_cast<std::uint64_t>(took.count());
    return result;
  } catch (const std::bad_alloc&) {
    return failed(NEXUS_E_NO_MEMORY, "out of memory");
  }
}

}  // namespace nexus::common
