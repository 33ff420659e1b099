// The text form of an age file: PEM with one label, 64 columns and no headers
// (C2SP age specification, "ASCII armor"). Line by line and strict; whole
// lines in bulk are the job of a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "format/base64.hpp"

namespace nexus {

inline constexpr std::string_view armor_begin =
    "-----BEGIN AGE ENCRYPTED FILE-----";
inline constexpr std::string_view armor_end =
    "-----END AGE ENCRYPTED FILE-----";

inline constexpr std::uint32_t armor_columns = 64;     // of a full line
inline constexpr std::uint32_t armor_line_bytes = 48;  // in a full line
inline constexpr std::uint32_t armored_line = armor_columns + 1;  // with its LF
// Text that n bytes take, with its line ends.
[[nodiscard]] constexpr std::uint64_t armored_size(std::uint64_t n) noexcept {
  const std::uint64_t rest = n % armor_line_bytes;
  return n / armor_line_bytes * armored_line +
         (rest == 0 ? 0 : padded_base64_size(rest) + 1);
}

// Whitespace that may stand ahead of the BEGIN line, and after the END line.
inline constexpr std::uint32_t armor_max_space = 1024;

// Whether the input that starts with head is armored. unsure: more bytes are
// needed, never if at_end or past armor_max_space + armor_begin bytes.
enum class armor_guess { binary, armored, unsure };
[[nodiscard]] armor_guess guess_armor(byte_view head, bool at_end) noexcept;

// Text to bytes. Not to be used after a failure. Messages of failures begin
// with "armor: " and name the line, from 1.
class armor_decoder {
 public:
  // The next piece of the text, cut anywhere. What it holds is appended to
  // out, also where it fails after it.
  status feed(byte_view text, bytes& out);
  // No text is left. Fails where the END line was not seen.
  status finish();

  // Takes note of full lines that were decoded elsewhere. Precondition:
  // at_full_line().
  void skip_lines(std::uint64_t count) noexcept { line_ += count; }

  // The next byte begins a line that may be a full one.
  [[nodiscard]] bool at_full_line() const noexcept {
    return state_ == state::body && partial_.empty();
  }
  // The END line has been seen: only whitespace may follow.
  [[nodiscard]] bool ended() const noexcept {
    return state_ == state::trailing;
  }
  // How the last line ended.
  [[nodiscard]] bool crlf() const noexcept { return crlf_; }

 private:
  enum class state { leading, begin, body, end, trailing };

  status feed_space(byte_view& text);
  status feed_line(byte_view& text, bytes& out);
  status take_line(std::string_view line, bytes& out);
  status take_body(std::string_view line, bytes& out);
  status fail(const std::string& what, std::string hint = {}) const;

  state state_ = state::leading;
  bool crlf_ = false;
  bool at_line_start_ = true;  // leading alone
  std::uint32_t space_ = 0;    // bytes of it, leading or trailing
  std::uint64_t line_ = 1;     // the one that comes next or is in partial_
  std::string partial_;        // a line that has not ended yet
};

}  // namespace nexus
