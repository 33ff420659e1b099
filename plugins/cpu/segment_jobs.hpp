// The operations on segments: digest, prove, verify (plugin.h).
#pragma once

#include <nexus/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "prover/task_team.hpp"

namespace nexus::cpu {

// Whether a job is of the pinned form. NEXUS_OK or NEXUS_E_ARGUMENT.
std::int32_t check_digest(const nexus_job& job) noexcept;
std::int32_t check_prove(const nexus_job& job) noexcept;
std::int32_t check_verify(const nexus_job& job) noexcept;

nexus_result run_digest(const nexus_job& job) noexcept;
// What a failure's message points into.
using failure_words = std::array<char, 256>;

// team: works on the proof.
nexus_result run_prove(const nexus_job& job, const std::atomic<bool>& cancelled,
                       prover::task_team& team, failure_words& words) noexcept;
nexus_result run_verify(const nexus_job& job, failure_words& words) noexcept;

}  // namespace nexus::cpu
