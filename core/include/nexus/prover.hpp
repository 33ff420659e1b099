// Proofs that somebody knew the bytes of a segment of a stream: STARKs that
// stock Plonky3 verifies, byte for byte those that its serial prover makes.
//
// A proof is of knowledge only. It is NOT zero-knowledge: it opens values that
// are linear combinations of the input's bytes, so it must be kept as secret as
// the input where the input is secret.
//
// What is proved: "I know `length` bytes that are segment `index` of a stream,
// the last one or not, and their digest is d". Bytes are packed injectively,
// four lanes of 30 bits for every 15, but the lanes are not range-checked: that
// the packing of bytes is the only preimage anybody can find rests on the
// collision resistance of Poseidon2, about 124 bits. Nor is it constrained that
// what pads the last row is zero. So for a digest of unknown origin a proof
// shows neither bytes nor their number: compare the digest with one that was
// computed from bytes.
//
// The functions may be called from any thread, at the same time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nexus/export.hpp>
#include <nexus/status.hpp>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

namespace nexus {

// The layout of a proof's bytes: that of Plonky3 0.6 or that of 0.7.0-rc.1,
// which is about 60 % as long. The protocol is one and the same.
enum class proof_wire : std::uint8_t { p3_0_6, p3_0_7 };

// How many queries a proof answers.
enum class proof_security : std::uint8_t { conjectured, proven };

// queries: positions of the codewords that are opened. pow_bits: of work before
// they are drawn. The last two are security levels in bits as Plonky3's own
// calculator gives them, from the conjectured and from the proven bounds.
struct proof_profile {
  std::string_view name;
  unsigned queries;
  unsigned pow_bits;
  unsigned conjectured_bits;
  unsigned proven_bits;
};

[[nodiscard]] NEXUS_API const proof_profile& profile_of(
    proof_security security) noexcept;

// threads: that work on this one segment, the caller's included; 1 to
// max_prove_threads, others are taken as the nearest. The proof does not depend
// on it. Several segments at once, on a thread each, are faster than several
// threads on one. Verifying takes one thread.
struct proof_options {
  proof_security security = proof_security::conjectured;
  proof_wire wire = proof_wire::p3_0_6;
  unsigned threads = 1;
};

inline constexpr unsigned max_prove_threads = 64;

// The instructions that proving, hashing and verifying run on in this process:
// "avx512", "avx2", "neon" or "scalar". The best that the machine has, or what
// the environment variable NEXUS_PROVER_ISA names where the machine has that.
[[nodiscard]] NEXUS_API std::string_view prover_isa_in_use() noexcept;

// Canonical integers, each below 2^31 - 2^24 + 1.
using segment_digest = std::array<std::uint32_t, 8>;

// Which segment of its stream it is. index: below 2^60.
struct segment_position {
  std::uint64_t index = 0;
  bool last = false;
};

struct segment_proof {
  std::vector<std::byte> bytes;
  segment_digest digest;
};

// A leaf of the digest covers this many bytes and takes 256 rows of 60 bytes,
// of which the last one holds no data.
inline constexpr std::uint64_t segment_leaf_bytes = 15300;
inline constexpr std::uint64_t segment_leaf_rows = 256;
// 62,668,800 bytes.
inline constexpr std::uint64_t max_segment_rows = std::uint64_t{1} << 20;

// The bytes that `rows` rows hold; rows is a power of two from 256.
constexpr std::uint64_t segment_capacity(std::uint64_t rows) noexcept {
  return rows / segment_leaf_rows * segment_leaf_bytes;
}

// The rows of a segment of `length` bytes, 0..segment_capacity(2^20): the
// smallest power of two, at least 256, that holds them.
[[nodiscard]] NEXUS_API std::uint64_t segment_rows(
    std::uint64_t length) noexcept;

// What prove_segment takes of memory at its peak, in bytes, beside its input:
// about 2,500 a row, and 256 KiB a thread.
[[nodiscard]] NEXUS_API std::uint64_t prove_memory(
    std::uint64_t length, unsigned threads = 1) noexcept;

// No proof of such a segment is longer, in bytes.
[[nodiscard]] NEXUS_API std::uint64_t proof_size_limit(
    std::uint64_t length, const proof_options& options) noexcept;

// The digest alone. invalid_argument: too long, or an index too high.
[[nodiscard]] NEXUS_API result<segment_digest> digest_segment(
    std::span<const std::byte> data, const segment_position& position);

// Proves on the calling thread, and on as many more as the options say, which
// end before it returns. The bytes are the same on every machine.
// Errors: those of digest_segment; cancelled, when stop is requested (polled
// between phases); out_of_memory.
[[nodiscard]] NEXUS_API result<segment_proof> prove_segment(
    std::span<const std::byte> data, const segment_position& position,
    const proof_options& options = {}, const std::stop_token& stop = {});

// Whether the proof holds for a segment of this length, position and digest,
// all of which are what the caller expects and not what a file says. Any bytes
// may be given; memory stays within a few times proof_size_limit. Errors:
// invalid_data, with a message that says what is wrong; invalid_argument as
// above, and for a digest that is no digest; out_of_memory.
[[nodiscard]] NEXUS_API status
verify_segment(std::span<const std::byte> proof, std::uint64_t length,
               const segment_position& position, const segment_digest& digest,
               const proof_options& options = {});

}  // namespace nexus
