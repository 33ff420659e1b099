#include "armor.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/results.hpp"

namespace nexus::cpu {

using common::bad_data;
using common::failed;
using common::succeeded;
namespace {

// Lines between two looks at the cancel flag: 48 KiB, a few microseconds.
constexpr std::size_t lines_per_look = 1024;

constexpr char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t not_base64 = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_base64);
  for (std::uint8_t i = 0; i < 64; ++i) {
    values[static_cast<std::uint8_t>(alphabet[i])] = i;
  }
  return values;
}
constexpr auto values = make_values();

// Three bytes as a 24-bit number, most significant first, cut into four
// fields of six bits: RFC 4648, section 4.
void encode_group(const std::uint8_t* in, std::uint8_t* out) noexcept {
  const std::uint32_t v = static_cast<std::uint32_t>(in[0]) << 16 |
                          static_cast<std::uint32_t>(in[1]) << 8 | in[2];
  out[0] = static_cast<std::uint8_t>(alphabet[v >> 18]);
  out[1] = static_cast<std::uint8_t>(alphabet[v >> 12 & 63]);
  out[2] = static_cast<std::uint8_t>(alphabet[v >> 6 & 63]);
  out[3] = static_cast<std::uint8_t>(alphabet[v & 63]);
}

// One or two bytes: the missing ones count as zero, '=' stands for them.
void encode_tail(const std::uint8_t* in, std::size_t bytes,
                 std::uint8_t* out) noexcept {
  const std::uint8_t group[3] = {in[0], bytes > 1 ? in[1] : std::uint8_t{0}, 0};
  encode_group(group, out);
  out[3] = '=';
  if (bytes == 1) out[2] = '=';
}

void encode_plain(const std::uint8_t* in, std::size_t lines,
                  std::uint8_t* out) {
  for (; lines > 0; --lines) {
    for (int group = 0; group < 16; ++group, in += 3, out += 4) {
      encode_group(in, out);
    }
    *out++ = '\n';
  }
}

bool ends_line(const std::uint8_t* at, std::size_t ending) noexcept {
  return ending == 1 ? at[0] == '\n' : (at[0] == '\r' && at[1] == '\n');
}

std::size_t decode_plain(const std::uint8_t* in, std::size_t lines,
                         std::size_t ending, std::uint8_t* out) {
  for (std::size_t line = 0; line < lines; ++line) {
    std::uint32_t wrong = 0;
    for (int group = 0; group < 16; ++group, in += 4, out += 3) {
      const std::uint32_t a = values[in[0]], b = values[in[1]];
      const std::uint32_t c = values[in[2]], d = values[in[3]];
      wrong |= a | b | c | d;  // a value is below 64, not_base64 is not
      const std::uint32_t v = a << 18 | b << 12 | c << 6 | d;
      out[0] = static_cast<std::uint8_t>(v >> 16);
      out[1] = static_cast<std::uint8_t>(v >> 8);
      out[2] = static_cast<std::uint8_t>(v);
    }
    if (wrong >= 64 || !ends_line(in, ending)) return line;
    in += ending;
  }
  return lines;
}

std::size_t ending_of(const nexus_job& job) noexcept {
  const auto* params = static_cast<const nexus_armor_params*>(job.params);
  return (params->flags & NEXUS_ARMOR_CRLF) != 0 ? 2 : 1;
}

std::uint64_t encoded_bytes(std::uint64_t input_bytes) noexcept {
  const std::uint64_t rest = input_bytes % armor_line_input;
  const std::uint64_t last = rest == 0 ? 0 : (rest + 2) / 3 * 4 + 1;
  return input_bytes / armor_line_input * (armor_line_chars + 1) + last;
}

struct codec_list {
  std::array<const armor_codec*, 3> codecs{};
  std::size_t count = 0;
};

codec_list list_codecs() noexcept {
  codec_list list;
  for (const armor_codec* codec :
       {armor_codec_avx512(), armor_codec_avx2(), armor_codec_plain()}) {
    if (codec != nullptr) list.codecs[list.count++] = codec;
  }
  return list;
}

}  // namespace

const armor_codec* armor_codec_plain() noexcept {
  static constexpr armor_codec codec{"plain", encode_plain, decode_plain};
  return &codec;
}

std::span<const armor_codec* const> armor_codecs() noexcept {
  static const codec_list list = list_codecs();
  return {list.codecs.data(), list.count};
}

const armor_codec& pick_armor_codec(const char* name) noexcept {
  const auto codecs = armor_codecs();
  for (const armor_codec* codec : codecs) {
    if (name != nullptr && std::strcmp(codec->name, name) == 0) return *codec;
  }
  return *codecs.front();
}

std::int32_t check_armor_encode(const nexus_job& job) noexcept {
  const auto* params = static_cast<const nexus_armor_params*>(job.params);
  if (params->flags != 0) return NEXUS_E_ARGUMENT;
  return encoded_bytes(job.input_bytes) <= job.output_capacity
             ? NEXUS_OK
             : NEXUS_E_ARGUMENT;
}

std::int32_t check_armor_decode(const nexus_job& job) noexcept {
  const auto* params = static_cast<const nexus_armor_params*>(job.params);
  constexpr std::uint32_t known = NEXUS_ARMOR_CRLF;
  if ((params->flags & ~known) != 0) return NEXUS_E_ARGUMENT;
  const std::uint64_t lines =
      job.input_bytes / (armor_line_chars + ending_of(job));
  return lines * armor_line_input <= job.output_capacity ? NEXUS_OK
                                                         : NEXUS_E_ARGUMENT;
}

nexus_result run_armor_encode(const armor_codec& codec, const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept {
  const std::uint8_t* in = job.input;
  std::uint8_t* out = job.output;
  std::size_t lines = job.input_bytes / armor_line_input;
  while (lines > 0) {
    if (cancelled.load(std::memory_order_relaxed)) {
      return failed(NEXUS_E_CANCELLED, nullptr);
    }
    const std::size_t step = std::min(lines, lines_per_look);
    codec.encode(in, step, out);
    in += step * armor_line_input;
    out += step * (armor_line_chars + 1);
    lines -= step;
  }
  std::size_t rest = job.input_bytes % armor_line_input;
  if (rest == 0) return succeeded(encoded_bytes(job.input_bytes));
  for (; rest >= 3; rest -= 3, in += 3, out += 4) encode_group(in, out);
  if (rest > 0) {
    encode_tail(in, rest, out);
    out += 4;
  }
  *out = '\n';
  return succeeded(encoded_bytes(job.input_bytes));
}

nexus_result run_armor_decode(const armor_codec& codec, const nexus_job& job,
                              const std::atomic<bool>& cancelled) noexcept {
  const std::size_t ending = ending_of(job);
  const std::size_t line_bytes = armor_line_chars + ending;
  const std::size_t lines = job.input_bytes / line_bytes;
  for (std::size_t at = 0; at < lines;) {
    if (cancelled.load(std::memory_order_relaxed)) {
      return failed(NEXUS_E_CANCELLED, nullptr);
    }
    const std::size_t step = std::min(lines - at, lines_per_look);
    const std::size_t good =
        codec.decode(job.input + at * line_bytes, step, ending,
                     job.output + at * armor_line_input);
    at += good;
    if (good < step) {
      return bad_data(at * armor_line_input, at * line_bytes,
                      "not a line of 64 base64 characters");
    }
  }
  if (job.input_bytes % line_bytes == 0) {
    return succeeded(lines * armor_line_input);
  }
  return bad_data(lines * armor_line_input, lines * line_bytes,
                  "the line is cut short");
}

}  // namespace nexus::cpu
