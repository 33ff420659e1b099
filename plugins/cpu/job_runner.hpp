// What one worker thread of this plugin can do: the table of its operations.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "age_stream.hpp"
#include "armor.hpp"
#include "prover/task_team.hpp"
#include "segment_jobs.hpp"

namespace nexus::cpu {

// Whether an operation of this name can be run at all.
bool supports_operation(const char* operation) noexcept;

// Whether the job may be run: NEXUS_OK, NEXUS_E_ARGUMENT if it is not of the
// pinned form, NEXUS_E_UNSUPPORTED if its operation is not known.
std::int32_t check_job(const nexus_job* job) noexcept;

// Runs jobs one after the other. For one thread at a time.
class job_runner {
 public:
  // NULL if OpenSSL offers no ChaCha20-Poly1305 here, or out of memory.
  // team: works on what can be split; NULL: the calling thread alone.
  static std::unique_ptr<job_runner> create(
      const armor_codec& armor, cipher_choice cipher = cipher_choice::fastest,
      std::unique_ptr<prover::task_team> team = nullptr);

  // Runs a job that check_job() let pass. The result says how long it took.
  nexus_result run(const nexus_job& job,
                   const std::atomic<bool>& cancelled) noexcept;

 private:
  friend struct operation_table;
  job_runner(std::unique_ptr<age_stream> age, const armor_codec& armor,
             std::unique_ptr<prover::task_team> team)
      : age_(std::move(age)), armor_(armor), team_(std::move(team)) {}

  std::unique_ptr<age_stream> age_;
  const armor_codec& armor_;
  std::unique_ptr<prover::task_team> team_;
  failure_words words_{};  // of the last failure
};

}  // namespace nexus::cpu
