// Base64 lines as armor carries them: 48 bytes <-> 64 characters and a line
// ending. The bulk loops exist once per instruction set, all with one meaning.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nexus::cpu {

inline constexpr std::size_t armor_line_input = 48;
inline constexpr std::size_t armor_line_chars = 64;

// The loops over whole lines for one instruction set.
struct armor_codec {
  const char* name;
  // Reads 48 * lines bytes, writes 65 * lines.
  void (*encode)(const std::uint8_t* input, std::size_t lines,
                 std::uint8_t* output);
  // Reads (64 + ending) * lines bytes where ending is 1 (LF) or 2 (CR LF).
  // Answers how many lines were good before the first that is not, and has
  // then written 48 bytes for each of those; up to 48 * lines bytes of output
  // may have been touched, none beyond.
  std::size_t (*decode)(const std::uint8_t* input, std::size_t lines,
                        std::size_t ending, std::uint8_t* output);
};

// Those that this processor can run, the fastest first, the plain one last.
std::span<const armor_codec* const> armor_codecs() noexcept;

// The codec of this name, or the fastest one if it is unknown or NULL.
const armor_codec& pick_armor_codec(const char* name) noexcept;

// Whether the job is of the pinned form: NEXUS_OK or NEXUS_E_ARGUMENT. Its
// parameter block must have been found to be of a sufficient size.
std::int32_t check_armor_encode(const nexus_job& job) noexcept;
std::int32_t check_armor_decode(const nexus_job& job) noexcept;

// Run a checked job. `cancelled` is looked at every few microseconds.
nexus_result run_armor_encode(const armor_codec& codec, const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept;
nexus_result run_armor_decode(const armor_codec& codec, const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept;

// Defined per processor family; each answers NULL where it cannot run.
const armor_codec* armor_codec_avx512() noexcept;
const armor_codec* armor_codec_avx2() noexcept;
const armor_codec* armor_codec_plain() noexcept;

}  // namespace nexus::cpu
