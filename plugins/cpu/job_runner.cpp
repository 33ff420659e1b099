#include "job_runner.hpp"

#include <chrono>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "common/results.hpp"
#include "segment_jobs.hpp"

namespace nexus::cpu {

using common::failed;

struct operation_table {
  const char* name;
  std::uint32_t params_bytes;
  std::int32_t (*check)(const nexus_job&) noexcept;
  nexus_result (*run)(job_runner&, const nexus_job&,
                      const std::atomic<bool>&) noexcept;

  static const operation_table* find(const char* name) noexcept;

 private:
  using flag = const std::atomic<bool>&;
  static nexus_result seal(job_runner& self, const nexus_job& job,
                           flag cancelled) noexcept {
    return self.age_->seal(job, cancelled);
  }
  static nexus_result open(job_runner& self, const nexus_job& job,
                           flag cancelled) noexcept {
    return self.age_->open(job, cancelled);
  }
  static nexus_result encode(job_runner& self, const nexus_job& job,
                             flag cancelled) noexcept {
    return run_armor_encode(self.armor_, job, cancelled);
  }
  static nexus_result decode(job_runner& self, const nexus_job& job,
                             flag cancelled) noexcept {
    return run_armor_decode(self.armor_, job, cancelled);
  }
  static nexus_result digest(job_runner&, const nexus_job& job, flag) noexcept {
    return run_digest(job);
  }
  static nexus_result prove(job_runner& self, const nexus_job& job,
                            flag cancelled) noexcept {
    return run_prove(job, cancelled, *self.team_, self.words_);
  }
  static nexus_result verify(job_runner& self, const nexus_job& job,
                             flag) noexcept {
    return run_verify(job, self.words_);
  }
};

const operation_table* operation_table::find(const char* name) noexcept {
  static constexpr operation_table operations[] = {
      {NEXUS_JOB_AGE_SEAL, sizeof(nexus_age_params), check_age_seal, seal},
      {NEXUS_JOB_AGE_OPEN, sizeof(nexus_age_params), check_age_open, open},
      {NEXUS_JOB_ARMOR_ENCODE, sizeof(nexus_armor_params), check_armor_encode,
       encode},
      {NEXUS_JOB_ARMOR_DECODE, sizeof(nexus_armor_params), check_armor_decode,
       decode},
      {NEXUS_JOB_DIGEST, sizeof(nexus_digest_params), check_digest, digest},
      {NEXUS_JOB_PROVE, sizeof(nexus_prove_params), check_prove, prove},
      {NEXUS_JOB_VERIFY, sizeof(nexus_verify_params), check_verify, verify},
  };
  for (const operation_table& operation : operations) {
    if (name != nullptr && std::strcmp(name, operation.name) == 0) {
      return &operation;
    }
  }
  return nullptr;
}

bool supports_operation(const char* operation) noexcept {
  return operation_table::find(operation) != nullptr;
}

std::int32_t check_job(const nexus_job* job) noexcept {
  // What is read of it at all; the steps came later, in 1.1.
  constexpr std::size_t known = offsetof(nexus_job, step);
  if (job == nullptr || job->size < known) return NEXUS_E_ARGUMENT;
  const operation_table* operation = operation_table::find(job->operation);
  if (operation == nullptr) return NEXUS_E_UNSUPPORTED;
  if (job->params == nullptr || job->params_bytes < operation->params_bytes) {
    return NEXUS_E_ARGUMENT;
  }
  // Every parameter block begins with its size, too.
  std::uint32_t size = 0;
  std::memcpy(&size, job->params, sizeof size);
  if (size < operation->params_bytes) return NEXUS_E_ARGUMENT;
  if (job->input == nullptr && job->input_bytes != 0) return NEXUS_E_ARGUMENT;
  if (job->output == nullptr && job->output_capacity != 0) {
    return NEXUS_E_ARGUMENT;
  }
  return operation->check(*job);
}

std::unique_ptr<job_runner> job_runner::create(
    const armor_codec& armor, cipher_choice cipher,
    std::unique_ptr<prover::task_team> team) {
  auto age = age_stream::create(cipher);
  if (!age) return nullptr;
  if (!team) team = std::make_unique<prover::task_team>();
  return std::unique_ptr<job_runner>(
      new (std::nothrow) job_runner(std::move(age), armor, std::move(team)));
}

nexus_result job_runner::run(const nexus_job& job,
                             const std::atomic<bool>& cancelled) noexcept {
  using clock = std::chrono::steady_clock;
  const operation_table* operation = operation_table::find(job.operation);
  if (operation == nullptr) return failed(NEXUS_E_UNSUPPORTED, nullptr);
  const auto began = clock::now();
  if (job.fill != nullptr) {
    const std::int32_t filled = job.fill(job.fill_context);
    if (filled != NEXUS_OK) return failed(filled, "the input cannot be read");
  }
  nexus_result result = operation->run(*this, job, cancelled);
  if (job.drain != nullptr && result.status == NEXUS_OK) {
    job.drain(job.drain_context, result.output_bytes, result.flags);
  }
  const std::chrono::nanoseconds took = clock::now() - began;
  result.device_ns = static_cast<std::uint64_t>(took.count());
  return result;
}

}  // namespace nexus::cpu
