#include "format/armor.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "format/base64.hpp"

namespace nexus {
namespace {

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool all_space(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), is_space);
}

}  // namespace

armor_guess guess_armor(byte_view head, bool at_end) noexcept {
  std::string_view text = as_text(head);
  std::size_t space = 0;
  while (space < text.size() && is_space(text[space])) ++space;
  if (space > armor_max_space) return armor_guess::binary;
  text.remove_prefix(space);
  if (text.size() >= armor_begin.size()) {
    return text.substr(0, armor_begin.size()) == armor_begin
               ? armor_guess::armored
               : armor_guess::binary;
  }
  const bool prefix = armor_begin.substr(0, text.size()) == text;
  return prefix && !at_end ? armor_guess::unsure : armor_guess::binary;
}

status armor_decoder::feed(byte_view text, bytes& out) {
  while (!text.empty()) {
    const bool space = state_ == state::leading || state_ == state::trailing;
    status taken = space ? feed_space(text) : feed_line(text, out);
    if (!taken.ok()) return taken;
  }
  return {};
}

// Takes whitespace, and after it either the BEGIN line begins or text that
// must not be there.
status armor_decoder::feed_space(byte_view& text) {
  const bool leading = state_ == state::leading;
  while (!text.empty()) {
    const char c = static_cast<char>(text.front());
    if (!is_space(c)) {
      if (!leading) return fail("text after the END line");
      if (!at_line_start_) return fail("whitespace ahead of the BEGIN text");
      state_ = state::begin;
      return {};
    }
    if (++space_ > armor_max_space) {
      return fail(leading ? "too much whitespace ahead of the BEGIN line"
                          : "too much whitespace after the END line");
    }
    at_line_start_ = c == '\n';
    if (at_line_start_) ++line_;
    text = text.subspan(1);
  }
  return {};
}

// Takes the rest of a line, or all there is of it.
status armor_decoder::feed_line(byte_view& text, bytes& out) {
  // No line that is right is longer than a full one with CR LF.
  constexpr std::size_t longest = armor_columns + 2;
  const std::string_view view =
      as_text(text.first(std::min(text.size(), longest + 1 - partial_.size())));
  const std::size_t lf = view.find('\n');
  if (lf == std::string_view::npos) {
    partial_ += view;
    text = text.subspan(view.size());
    if (partial_.size() <= longest) return {};
    return take_line(partial_, out);
  }
  text = text.subspan(lf + 1);
  std::string_view line = view.substr(0, lf);
  if (!partial_.empty()) {
    partial_ += line;
    line = partial_;
  }
  crlf_ = !line.empty() && line.back() == '\r';
  if (crlf_) line.remove_suffix(1);
  status taken = take_line(line, out);
  partial_.clear();
  ++line_;
  return taken;
}

status armor_decoder::finish() {
  bytes none;
  if (state_ == state::trailing) return {};
  if (!partial_.empty()) {
    std::string_view line = partial_;
    if (line.back() == '\r') line.remove_suffix(1);
    status taken = take_line(line, none);
    if (!taken.ok()) return taken;
  }
  if (state_ == state::trailing) return {};
  return fail("the END line is missing: truncated",
              "part of the file is missing");
}

// A line without its ending.
status armor_decoder::take_line(std::string_view line, bytes& out) {
  switch (state_) {
    case state::begin:
      if (line != armor_begin) {
        return fail("not the line '" + std::string(armor_begin) + "'");
      }
      state_ = state::body;
      space_ = 0;
      return {};
    case state::body:
      if (line == armor_end) {
        state_ = state::trailing;
        return {};
      }
      return take_body(line, out);
    case state::end:
      if (line == armor_end) {
        state_ = state::trailing;
        return {};
      }
      return fail("not the END line, which follows a short or padded line");
    case state::leading:
    case state::trailing:
      break;
  }
  return status(status_code::internal, "armor: a line out of turn");
}

status armor_decoder::take_body(std::string_view line, bytes& out) {
  if (all_space(line)) return fail("empty line");
  if (line.size() > armor_columns) {
    return fail("longer than 64 characters");
  }
  if (line.find(':') != std::string_view::npos) {
    return fail("PEM headers are not allowed");
  }
  if (is_space(line.front()) || is_space(line.back())) {
    return fail("whitespace at the start or end of the line");
  }
  if (line.front() == '-') {
    return fail("not the line '" + std::string(armor_end) + "'");
  }
  const std::optional<bytes> decoded = decode_padded_base64(line);
  if (!decoded) return fail("not canonical base64");
  append(out, *decoded);
  if (decoded->size() < armor_line_bytes) state_ = state::end;
  return {};
}

status armor_decoder::fail(const std::string& what, std::string hint) const {
  return status(status_code::invalid_data,
                "armor: line " + std::to_string(line_) + ": " + what,
                std::move(hint));
}

}  // namespace nexus
