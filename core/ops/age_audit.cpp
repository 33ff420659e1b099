#include "ops/age_audit.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/armor.hpp"
#include "format/base64.hpp"
#include "ops/age_stream.hpp"

namespace nexus {
namespace {

constexpr std::uint64_t lines_at_once = 64;
constexpr std::size_t cipher_block = 64;

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

// Numbers that no device knows ahead.
class chances {
 public:
  [[nodiscard]] status draw() {
    return fill_random(
        std::as_writable_bytes(std::span<std::uint64_t>(&state_, 1)));
  }
  // Below count, which is so much smaller that all are as good as even.
  std::uint64_t below(std::uint64_t count) noexcept {
    // SplitMix64, by S. Vigna: https://prng.di.unimi.it/splitmix64.c
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return (x ^ (x >> 31)) % count;
  }

 private:
  std::uint64_t state_ = 0;
};

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
  chances chance;
  seen = chance.draw();
  return seen.ok() ? look(1 + chance.below(count - 2)) : seen;
}

class sealed_audit {
 public:
  sealed_audit(const segment_view& segment, const job_outcome& outcome,
               const payload_key& key)
      : segment_(segment),
        outcome_(outcome),
        key_(key),
        stream_(key.view()),
        opened_(std::min<std::size_t>(segment.input.size(), age_chunk)) {}
  ~sealed_audit() { wipe(opened_); }
  sealed_audit(const sealed_audit&) = delete;
  sealed_audit& operator=(const sealed_audit&) = delete;

  status look_at_all();
  status look_at_sample();

 private:
  struct chunk {
    std::uint64_t number;  // in the stream
    std::array<std::byte, 12> nonce;
    byte_view text, sealed;
  };
  // i: its number in the segment.
  [[nodiscard]] chunk at(std::uint64_t i) const;
  status open(const chunk& one);
  status look_into(const chunk& one, std::uint64_t block);
  [[nodiscard]] std::uint64_t count() const {
    return age_chunks(segment_.input.size());
  }

  const segment_view& segment_;
  const job_outcome& outcome_;
  const payload_key& key_;
  chacha20_stream stream_;
  bytes opened_;
};

sealed_audit::chunk sealed_audit::at(std::uint64_t i) const {
  const std::uint64_t begin = i * age_chunk;
  const std::uint64_t size =
      std::min<std::uint64_t>(segment_.input.size() - begin, age_chunk);
  const bool is_final = segment_.last && begin + size == segment_.input.size();
  const std::uint64_t number = segment_.offset / age_chunk + i;
  return {number, chunk_nonce(number, is_final),
          segment_.input.subspan(begin, size),
          outcome_.output.subspan(i * age_sealed_chunk, size + age_tag)};
}

status sealed_audit::open(const chunk& one) {
  const byte_span opened = byte_span(opened_).first(one.text.size());
  const bool opens =
      open_chacha20_poly1305(key_.view(), one.nonce, one.sealed, opened);
  const std::string name = "chunk " + std::to_string(one.number);
  if (!opens) return wrong(name + " does not open");
  if (as_text(opened) != as_text(one.text))
    return wrong(name + " holds other bytes than the input");
  return {};
}

status sealed_audit::look_into(const chunk& one, std::uint64_t block) {
  const std::size_t begin = block * cipher_block;
  const std::size_t size = std::min(one.text.size() - begin, cipher_block);
  std::array<std::byte, cipher_block> expected;
  stream_.apply(one.nonce, static_cast<std::uint32_t>(1 + block),
                one.text.subspan(begin, size), byte_span(expected).first(size));
  if (as_text(byte_view(expected).first(size)) ==
      as_text(one.sealed.subspan(begin, size)))
    return {};
  return wrong("chunk " + std::to_string(one.number) + " holds other bytes");
}

status sealed_audit::look_at_all() {
  status seen;
  for (std::uint64_t i = 0; i < count() && seen.ok(); ++i) seen = open(at(i));
  return seen;
}

status sealed_audit::look_at_sample() {
  chances chance;
  status seen = chance.draw();
  if (!seen.ok()) return seen;
  const std::uint64_t opened = chance.below(count());
  for (std::uint64_t i = 0; i < count() && seen.ok(); ++i) {
    const chunk one = at(i);
    const std::uint64_t blocks = ceil_div(one.text.size(), cipher_block);
    seen = i == opened ? open(one) : look_into(one, chance.below(blocks));
  }
  return seen;
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
  constexpr std::uint64_t few = 2;  // no matter whether a half or all of them
  const bool all = which == audited_parts::all || age_chunks(text) <= few;
  return all ? audit.look_at_all()
                                     : audit.look_at_sample();
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
