#include "segment_jobs.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <new>
#include <nexus/prover.hpp>
#include <utility>

#include "common/results.hpp"
#include "prover/prove_segment.hpp"

namespace nexus::cpu {
namespace {

using common::bad_data;
using common::failed;
using common::succeeded;

static_assert(std::endian::native == std::endian::little,
              "digests cross the ABI as little-endian words");

constexpr std::uint64_t digest_bytes = sizeof(segment_digest);

template <class Params>
Params params_of(const nexus_job& job) noexcept {
  Params params;
  std::memcpy(&params, job.params, sizeof params);
  return params;
}

template <class Params>
segment_position position_of(const Params& params) noexcept {
  return {params.index, (params.flags & NEXUS_SEGMENT_LAST) != 0};
}

bool fits(std::uint64_t length, std::uint64_t index) noexcept {
  return length <= segment_capacity(max_segment_rows) && index >> 60 == 0;
}

template <class Params>
bool known_flags(const Params& params) noexcept {
  return (params.flags & ~std::uint32_t{NEXUS_SEGMENT_LAST}) == 0;
}

template <class Params>
bool known_profile(const Params& params) noexcept {
  return params.security <= NEXUS_SECURITY_PROVEN &&
         params.wire <= NEXUS_WIRE_P3_0_7;
}

template <class Params>
proof_options profile_of(const Params& params) noexcept {
  proof_options options;
  options.security = params.security == NEXUS_SECURITY_PROVEN
                         ? proof_security::proven
                         : proof_security::conjectured;
  options.wire = params.wire == NEXUS_WIRE_P3_0_7 ? proof_wire::p3_0_7
                                                  : proof_wire::p3_0_6;
  return options;
}

std::span<const std::byte> input_of(const nexus_job& job) noexcept {
  return {reinterpret_cast<const std::byte*>(job.input),
          static_cast<std::size_t>(job.input_bytes)};
}

void store(const segment_digest& digest, std::uint8_t* out) noexcept {
  std::memcpy(out, digest.data(), digest_bytes);
}

void tell_step(const nexus_job& job, prover::phase next) {
  constexpr std::size_t needed =
      offsetof(nexus_job, step_context) + sizeof job.step_context;
  if (job.size < needed || job.step == nullptr) return;
  const prover::proof_step step = prover::step_of(next);
  if (step.first != next) return;
  job.step(job.step_context, step.number, prover::proof_steps, step.name);
}

constexpr const char* no_memory = "out of memory";

// The words outlive the call of `done`.
nexus_result failed_with(const status& failure, failure_words& words) noexcept {
  std::snprintf(words.data(), words.size(), "%s", failure.message().c_str());
  switch (failure.code()) {
    case status_code::invalid_data:
      return bad_data(0, 0, words.data());
    case status_code::out_of_memory:
      return failed(NEXUS_E_NO_MEMORY, words.data());
    case status_code::cancelled:
      return failed(NEXUS_E_CANCELLED, words.data());
    default:
      return failed(NEXUS_E_DEVICE, words.data());
  }
}

}  // namespace

std::int32_t check_digest(const nexus_job& job) noexcept {
  const auto params = params_of<nexus_digest_params>(job);
  const bool good = fits(job.input_bytes, params.index) &&
                    known_flags(params) && job.output_capacity >= digest_bytes;
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

std::int32_t check_prove(const nexus_job& job) noexcept {
  const auto params = params_of<nexus_prove_params>(job);
  const bool good =
      fits(job.input_bytes, params.index) && known_flags(params) &&
      known_profile(params) &&
      job.output_capacity >=
          digest_bytes + proof_size_limit(job.input_bytes, profile_of(params));
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

std::int32_t check_verify(const nexus_job& job) noexcept {
  const auto params = params_of<nexus_verify_params>(job);
  const bool good = fits(params.length, params.index) && known_flags(params) &&
                    known_profile(params) &&
                    params.proof_offset <= job.input_bytes;
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

nexus_result run_digest(const nexus_job& job) noexcept try {
  const auto params = params_of<nexus_digest_params>(job);
  const auto digest = digest_segment(input_of(job), position_of(params));
  if (!digest.ok()) return failed(NEXUS_E_DEVICE, "the digest failed");
  store(*digest, job.output);
  return succeeded(digest_bytes);
} catch (const std::bad_alloc&) {
  return failed(NEXUS_E_NO_MEMORY, no_memory);
}

nexus_result run_prove(const nexus_job& job, const std::atomic<bool>& cancelled,
                       prover::task_team& team, failure_words& words) noexcept
    try {
  const auto params = params_of<nexus_prove_params>(job);
  prover::prove_hooks hooks;
  hooks.cancelled = &cancelled;
  hooks.begins = [&](prover::phase next) { tell_step(job, next); };
  const auto proved = prover::prove_segment(input_of(job), position_of(params),
                                            profile_of(params), hooks, team);
  if (!proved.ok()) return failed_with(proved.error(), words);
  const auto& proof = proved->bytes;
  store(proved->digest, job.output);
  std::memcpy(job.output + digest_bytes, proof.data(), proof.size());
  return succeeded(digest_bytes + proof.size());
} catch (const std::bad_alloc&) {
  return failed(NEXUS_E_NO_MEMORY, no_memory);
}

nexus_result run_verify(const nexus_job& job, failure_words& words) noexcept
    try {
  const auto params = params_of<nexus_verify_params>(job);
  segment_digest digest;
  std::copy_n(params.digest, digest.size(), digest.begin());
  const status verified =
      verify_segment(input_of(job).subspan(params.proof_offset), params.length,
                     position_of(params), digest, profile_of(params));
  return verified.ok() ? succeeded(0) : failed_with(verified, words);
} catch (const std::bad_alloc&) {
  return failed(NEXUS_E_NO_MEMORY, no_memory);
}

}  // namespace nexus::cpu
