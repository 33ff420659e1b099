#include "ops/age_audit.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/armor.hpp"
#include "format/base64.hpp"
#include "ops/age_stream.hpp"

namespace nexus {
namespace {

constexpr std::uint64_t lines_at_once = 64;

status wrong(std::string why) {
  return {status_code::device_failed,
          "the encrypted bytes are wrong: " + std::move(why)};
}

status check_size(const job_outcome& outcome, std::uint64_t expected) {
  if (outcome.output_bytes == expected && expected <= outcome.output.size())
    return {};
  return wrong(std::to_string(outcome.output_bytes) + " bytes instead of " +
               std::to_string(expected));
}

// Calls look with numbers below count, which is not 0.
template <class Look>
status look_at_parts(audited_parts which, std::uint64_t count, Look look) {
  if (which == audited_parts::all) {
    status seen;
    for (std::uint64_t i = 0; i < count && seen.ok(); ++i) seen = look(i);
    return seen;
  }
  status seen = look(0);
  if (seen.ok() && count > 1) seen = look(count - 1);
  if (!seen.ok() || count < 3) return seen;
  // One that the device cannot know ahead. Of numbers that are so much larger,
  // the rest is as good as even.
  std::uint64_t chance = 0;
  seen =
      fill_random(std::as_writable_bytes(std::span<std::uint64_t>(&chance, 1)));
  return seen.ok() ? look(1 + chance % (count - 2)) : seen;
}

class sealed_audit {
 public:
  sealed_audit(const segment_view& segment, const job_outcome& outcome,
               const payload_key& key)
      : segment_(segment), outcome_(outcome), key_(key), opened_(age_chunk) {}
  ~sealed_audit() { wipe(opened_); }
  sealed_audit(const sealed_audit&) = delete;
  sealed_audit& operator=(const sealed_audit&) = delete;

  // chunk: its number in the segment.
  status look_at(std::uint64_t chunk);

 private:
  const segment_view& segment_;
  const job_outcome& outcome_;
  const payload_key& key_;
  bytes opened_;
};

status sealed_audit::look_at(std::uint64_t chunk) {
  const std::uint64_t at = chunk * age_chunk;
  const std::uint64_t size =
      std::min<std::uint64_t>(segment_.input.size() - at, age_chunk);
  const byte_view text = segment_.input.subspan(at, size);
  const byte_view sealed =
      outcome_.output.subspan(chunk * age_sealed_chunk, size + age_tag);
  const bool is_final = segment_.last && at + size == segment_.input.size();
  const std::uint64_t number = segment_.offset / age_chunk + chunk;
  const byte_span opened = byte_span(opened_).first(size);
  const bool opens = open_chacha20_poly1305(
      key_.view(), chunk_nonce(number, is_final), sealed, opened);
  const std::string name = "chunk " + std::to_string(number);
  if (!opens) return wrong(name + " does not open");
  if (!std::equal(opened.begin(), opened.end(), text.begin(), text.end())) {
    return wrong(name + " holds other bytes than the input");
  }
  return {};
}

// Lines from `first` on. Every line but the last one is full.
status look_at_lines(const segment_view& segment, const job_outcome& outcome,
                     std::uint64_t first) {
  const std::uint64_t end = std::min(
      first + lines_at_once, ceil_div(segment.input.size(), armor_line_bytes));
  for (std::uint64_t line = first; line < end; ++line) {
    const byte_view rest = segment.input.subspan(line * armor_line_bytes);
    const std::string expected =
        encode_padded_base64(
            rest.first(std::min<std::size_t>(rest.size(), armor_line_bytes))) +
        "\n";
    const byte_view made =
        outcome.output.subspan(line * armored_line, expected.size());
    if (as_text(made) != expected) {
      return wrong("line " +
                   std::to_string(segment.offset / armor_line_bytes + line) +
                   " of the armor says something else");
    }
  }
  return {};
}

}  // namespace

status audit_sealed(const segment_view& segment, const job_outcome& outcome,
                    const payload_key& key, audited_parts which) {
  const std::uint64_t text = segment.input.size();
  status sized = check_size(outcome, age_sealed_size(text));
  if (!sized.ok()) return sized;
  sealed_audit audit(segment, outcome, key);
  return look_at_parts(which, age_chunks(text), [&](std::uint64_t chunk) {
    return audit.look_at(chunk);
  });
}

status audit_armored(const segment_view& segment, const job_outcome& outcome,
                     audited_parts which) {
  const std::uint64_t text = segment.input.size();
  status sized = check_size(outcome, armored_size(text));
  if (!sized.ok() || text == 0) return sized;
  const std::uint64_t parts =
      ceil_div(ceil_div(text, armor_line_bytes), lines_at_once);
  return look_at_parts(which, parts, [&](std::uint64_t part) {
    return look_at_lines(segment, outcome, part * lines_at_once);
  });
}

}  // namespace nexus
