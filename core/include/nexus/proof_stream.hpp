// Operations that prove whole streams, verify such proofs, and compute the
// digest that both are about.
//
// A stream is cut into segments of one capacity, the last one shorter; every
// segment is proved apart (nexus/prover.hpp), and a root binds their digests,
// order, number and lengths. docs/file-formats.md specifies the proof stream.
//
// A proof is NOT zero-knowledge: keep it as secret as the input.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nexus/export.hpp>
#include <nexus/operation.hpp>
#include <nexus/prover.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::proofs {

// How a stream is cut. Parts of a longer stream can be proved apart: numbers
// go on from first_index, and all parts but the last are partial.
struct segmenting {
  // Rows of a full segment, a power of two, 2^8..2^20: see segment_capacity().
  std::uint64_t rows = 65536;
  std::uint64_t first_index = 0;
  // Other segments follow that are not in this stream: then every segment is a
  // full one, and none carries the last flag.
  bool partial = false;

  friend bool operator==(const segmenting&, const segmenting&) = default;
};

// Eight field elements as little-endian words.
using stream_root = std::array<std::byte, 32>;

struct summary {
  segmenting cut;
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  stream_root root{};
  proof_options options;  // unless it is of a digest
};

// Lower-case hexadecimal digits, 64 of them, in the order of the bytes.
[[nodiscard]] NEXUS_API std::string to_text(const stream_root& root);
// invalid_argument: anything else.
[[nodiscard]] NEXUS_API result<stream_root> parse_root(std::string_view text);

// An operation that can say what it saw, once its run has ended well.
class NEXUS_API stream_operation : public operation {
 public:
  [[nodiscard]] virtual const summary& total() const noexcept = 0;
};

struct prove_options {
  segmenting cut;
  proof_options proof;
  // Each proof is verified, and its digest computed again from the input,
  // before it is handed on.
  bool self_check = true;
};

// Bytes to a proof stream. Options are checked in the prologue; there, or at
// the end of the input, a partial stream whose length is not a multiple of the
// capacity is refused with invalid_argument.
[[nodiscard]] NEXUS_API std::unique_ptr<stream_operation> make_prove(
    prove_options options);

// Bytes to nothing: the root that make_prove()'s output would have.
// self_check: each digest is computed a second time, on a helper thread, and a
// device that made another one is done without. No part of a digest can be
// checked for less than that.
[[nodiscard]] NEXUS_API std::unique_ptr<stream_operation> make_digest(
    segmenting cut, bool self_check = false);

// Data to compare with: as many bytes as there is room for, from this offset
// on, and fewer only where the data end. Called on several threads at once.
using data_source = std::function<result<std::size_t>(
    std::uint64_t offset, std::span<std::byte> into)>;

struct verify_options {
  // The least that the stream's profile must offer.
  proof_security security = proof_security::conjectured;
  // What the caller expects, where it knows.
  std::optional<stream_root> root;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> first_index;  // number of the first segment
  data_source data;                          // may be empty
  // Also accept what does not begin with segment 0, or is partial.
  bool allow_part = false;
};

// A proof stream to nothing. invalid_data, with the first segment that is at
// fault: anything in it that is not as it must be, or not as expected.
[[nodiscard]] NEXUS_API std::unique_ptr<stream_operation> make_verify(
    verify_options options);

// Fills part of a buffer; 0 is the end.
using read_function =
    std::function<result<std::size_t>(std::span<std::byte> into)>;
using write_function = std::function<status(std::span<const std::byte> data)>;

struct segment_description {
  segment_position position;
  std::uint64_t bytes = 0;  // of the input
  segment_digest digest{};
};
// What its proof is about, as Plonky3's verifier takes it: canonical integers.
[[nodiscard]] NEXUS_API std::array<std::uint32_t, 16> public_values(
    const segment_description& segment) noexcept;

// proof: valid during the call. A failure ends the reading.
using segment_visitor = std::function<status(const segment_description& segment,
                                             std::span<const std::byte> proof)>;

// Whether a file that begins with these bytes (64 suffice) means to be a proof
// stream.
[[nodiscard]] NEXUS_API bool is_proof_stream(
    std::span<const std::byte> head) noexcept;

// Reads a whole stream and checks everything but the proofs: form, order,
// lengths, root. Memory: one proof.
[[nodiscard]] NEXUS_API result<summary> inspect(
    const read_function& read, const segment_visitor& visit = {});

// A part's name stands in messages.
struct part {
  std::string name;
  read_function read;
};
// Makes one stream of parts, given in their order. Checks what inspect() does,
// and that they fit together: rows, profile, wire and numbering.
// invalid_data says which does not.
[[nodiscard]] NEXUS_API result<summary> join(const std::vector<part>& parts,
                                             const write_function& write);

}  // namespace nexus::proofs
