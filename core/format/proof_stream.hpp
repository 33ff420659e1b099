// The bytes of a proof stream (docs/file-formats.md): a header of text, then
// records with a head of fixed size each, the last of which closes the stream.
// No I/O.
#pragma once

#include <cstdint>
#include <nexus/proof_stream.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "prover/poseidon2.hpp"

namespace nexus::proofs {

inline constexpr std::size_t record_head_bytes = 56;
// No header is longer.
inline constexpr std::size_t max_header_bytes = 256;

struct stream_header {
  segmenting cut;
  proof_options options;

  // Bytes of a full segment.
  [[nodiscard]] std::uint64_t capacity() const noexcept {
    return segment_capacity(cut.rows);
  }
};

// invalid_argument: rows or the first index are out of range.
[[nodiscard]] status check(const segmenting& cut);

[[nodiscard]] std::string serialize(const stream_header& header);

struct parsed_header {
  stream_header header;
  std::size_t size = 0;  // bytes
};
// Empty: more bytes are needed, never more than max_header_bytes. One form of
// every header is accepted, the one that serialize() makes.
[[nodiscard]] result<std::optional<parsed_header>> parse_header(byte_view head,
                                                                bool at_end);

enum class record_kind : std::uint8_t { segment, last_segment, end };

struct record_head {
  record_kind kind = record_kind::segment;
  std::uint32_t proof_bytes = 0;  // that follow the head; end: 0
  std::uint64_t index = 0;        // end: how many segments there were
  std::uint64_t bytes = 0;        // of the input; end: of all of it
  stream_root digest{};           // end: the root
};

// out: record_head_bytes of room.
void store(const record_head& head, std::byte* out) noexcept;
// data: at least record_head_bytes. invalid_data: a tag that is none.
[[nodiscard]] result<record_head> parse_record_head(byte_view data);

[[nodiscard]] stream_root to_bytes(const segment_digest& digest) noexcept;
// Words of p and above are handed on as they are: prover.hpp refuses them.
[[nodiscard]] segment_digest to_digest(const stream_root& bytes) noexcept;

// The root of a stream: a Poseidon2 sponge over a block for every segment and
// one for the end.
class root_sponge {
 public:
  explicit root_sponge(const segmenting& cut) noexcept;
  // digest: of canonical integers.
  void add(std::uint64_t index, std::uint64_t bytes,
           const segment_digest& digest) noexcept;
  [[nodiscard]] stream_root finish(std::uint64_t segments,
                                   std::uint64_t bytes) noexcept;

 private:
  prover::poseidon2_state<24> state_;
};

// No proof is shorter: every query opens a row of the trace.
[[nodiscard]] std::uint64_t least_proof_bytes(
    const proof_options& options) noexcept;

// What may follow what in a stream. Messages are those of invalid_data.
class record_order {
 public:
  record_order() = default;
  explicit record_order(const stream_header& header) noexcept
      : header_(header), next_(header.cut.first_index) {}

  // The head of the next record.
  status take(const record_head& head);
  // Where it has a tag that is none.
  [[nodiscard]] status unknown() const;
  // Where the input ends instead of it, after `bytes` of a record.
  [[nodiscard]] status cut_short(std::size_t bytes) const;

 private:
  stream_header header_;
  std::uint64_t next_ = 0;
  bool last_seen_ = false;
};

// Sums the segments of a stream up, and compares with its end.
class stream_sum {
 public:
  stream_sum() : stream_sum(stream_header{}) {}
  explicit stream_sum(const stream_header& header) noexcept
      : root_(header.cut) {
    total_.cut = header.cut;
    total_.options = header.options;
  }

  void add(std::uint64_t bytes, const segment_digest& digest) noexcept;
  // Once, after the last segment.
  const summary& finish() noexcept;
  // The same, and compares.
  status check_end(const record_head& end);
  [[nodiscard]] const summary& total() const noexcept { return total_; }
  [[nodiscard]] record_head end() const noexcept;

 private:
  summary total_;
  root_sponge root_;
};

}  // namespace nexus::proofs
