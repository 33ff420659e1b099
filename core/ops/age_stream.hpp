// The payload of an age v1 file (C2SP age specification, "Payload"): sizes,
// jobs, and the rules that make parallel chunks one stream. No I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nexus/operation.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "ops/age_keys.hpp"

namespace nexus {

// Bytes.
inline constexpr std::uint32_t age_chunk = 65536;
inline constexpr std::uint32_t age_tag = 16;
inline constexpr std::uint32_t age_sealed_chunk = age_chunk + age_tag;
inline constexpr std::uint32_t age_nonce = 16;

// Chunks that hold n bytes of plaintext: an empty stream has one, empty.
[[nodiscard]] constexpr std::uint64_t age_chunks(std::uint64_t n) noexcept {
  return n == 0 ? 1 : ceil_div(n, age_chunk);
}

// Payload bytes, without the nonce, of n bytes of plaintext.
[[nodiscard]] constexpr std::uint64_t age_sealed_size(
    std::uint64_t n) noexcept {
  return n + age_chunks(n) * age_tag;
}

// The other way round; empty where no plaintext has this payload size.
[[nodiscard]] constexpr std::optional<std::uint64_t> age_opened_size(
    std::uint64_t sealed) noexcept {
  const std::uint64_t tags = ceil_div(sealed, age_sealed_chunk) * age_tag;
  if (sealed < tags || age_sealed_size(sealed - tags) != sealed) return {};
  return sealed - tags;
}

// What an operation answers to the wish for a segment size: whole granules, at
// least one, and not so many that sizes overflow.
[[nodiscard]] constexpr std::uint64_t whole_granules(
    std::uint64_t wish, std::uint32_t granule) noexcept {
  constexpr std::uint64_t most = std::uint64_t{1} << 40;
  const std::uint64_t n = (wish < most ? wish : most) / granule;
  return (n == 0 ? 1 : n) * granule;
}

// Of the payload's chunk of this number, from 0.
[[nodiscard]] std::array<std::byte, 12> chunk_nonce(std::uint64_t number,
                                                    bool is_final) noexcept;

// nexus_age_params as bytes. Holds the key: the engine wipes it.
[[nodiscard]] std::vector<std::byte> age_params(std::uint64_t first_chunk,
                                                bool last,
                                                const payload_key& key);

// The "age-open" stage. Jobs are made before the segments ahead of them were
// checked, so what was learned of the stream is used by check() alone.
//
// Devices may leave the comparing of tags to check(), which compares them in
// constant time. At the first that differs it opens the chunk itself, so that
// no second device has to be asked whose fault it is: about 0.1 ms, once a
// segment.
class age_opener {
 public:
  [[nodiscard]] stage_plan plan() const;
  [[nodiscard]] job_request make_job(const segment_view& segment,
                                     const payload_key& key) const;
  // Messages of failures begin with "payload: ". May write a chunk into
  // outcome.output.
  [[nodiscard]] verdict check(const segment_view& segment,
                              const job_outcome& outcome,
                              const payload_key& key);

 private:
  verdict check_compared(const segment_view& segment,
                         const job_outcome& outcome);
  verdict check_empty(const segment_view& segment) const;
  verdict check_final(const segment_view& segment, std::uint64_t output);
  verdict check_failed(const segment_view& segment,
                       const job_outcome& outcome) const;

  bool ended_ = false;  // the final chunk was released
};

}  // namespace nexus
