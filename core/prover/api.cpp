// The public functions over the parts: named profiles, checked arguments, and
// no exception that leaves.
#include <nexus/prover.hpp>

#include <algorithm>
#include <new>

#include "prover/prove.hpp"
#include "prover/prove_segment.hpp"
#include "prover/simd/simd_backend.hpp"
#include "prover/verify.hpp"
#include "prover/wire.hpp"

namespace nexus {
namespace {

constexpr proof_profile conjectured{"conjectured", 100, 16, 104, 65};
constexpr proof_profile proven{"proven", 200, 16, 104, 98};

prover::proof_parameters parameters_of(const proof_options& options) {
  const proof_profile& profile = profile_of(options.security);
  return {profile.queries, profile.pow_bits};
}

// Short enough for a string to hold without memory of its own.
status out_of_memory() {
  return {status_code::out_of_memory, "out of memory"};
}

}  // namespace

const proof_profile& profile_of(proof_security security) noexcept {
  return security == proof_security::proven ? proven : conjectured;
}

std::string_view prover_isa_in_use() noexcept {
  return prover::name_of(prover::isa_in_use());
}

std::uint64_t prove_memory(std::uint64_t length, unsigned threads) noexcept {
  return prover::host_memory_of(segment_rows(length),
                                std::clamp(threads, 1U, max_prove_threads));
}

std::uint64_t proof_size_limit(std::uint64_t length,
                               const proof_options& options) noexcept {
  const prover::segment_statement statement{length, {}};
  return prover::encoded_limit(
      {statement.log_rows(), parameters_of(options), options.wire});
}

result<segment_proof> prove_segment(std::span<const std::byte> data,
                                    const segment_position& position,
                                    const proof_options& options,
                                    const std::stop_token& stop) try {
  const auto team = prover::make_thread_team(
      std::clamp(options.threads, 1U, max_prove_threads));
  return prover::prove_segment(data, position, options, {stop, {}, nullptr},
                               *team);
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

result<segment_proof> prover::prove_segment(byte_view data,
                                            const segment_position& position,
                                            const proof_options& options,
                                            const prove_hooks& hooks,
                                            task_team& team) try {
  const segment_statement statement{data.size(), position};
  if (status bad = statement.check(); !bad.ok()) {
    return bad;
  }
  const auto stopped = [&hooks] { return hooks.stopped(); };
  stopping_team polling(team, stopped);
  const auto device = make_backend(isa_in_use(), polling);
  const auto proved = prove_stark(*device, data, statement,
                                  parameters_of(options), options.wire, hooks);
  if (!proved.ok()) {
    return proved.error();
  }
  return segment_proof{encode(proved->proof, proved->shape),
                       to_integers(proved->root)};
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

status verify_segment(std::span<const std::byte> proof, std::uint64_t length,
                      const segment_position& position,
                      const segment_digest& digest,
                      const proof_options& options) try {
  const prover::segment_statement statement{length, position};
  if (status bad = statement.check(); !bad.ok()) {
    return bad;
  }
  prover::digest root;
  if (!prover::from_integers(digest, root)) {
    return {status_code::invalid_argument,
            "the digest holds a number that is no field element"};
  }
  return prover::verify_stark(proof, statement, root, parameters_of(options),
                              options.wire);
} catch (const std::bad_alloc&) {
  return out_of_memory();
}

}  // namespace nexus
