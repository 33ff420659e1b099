#include "format/age_header.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/base64.hpp"

namespace nexus {
namespace {

constexpr std::string_view version_line = "age-encryption.org/v1\n";
constexpr std::string_view version_stem = "age-encryption.org/";
constexpr std::string_view stanza_mark = "->";
constexpr std::string_view end_mark = "---";
constexpr std::size_t body_columns = 64;
constexpr std::size_t max_header = std::size_t{2} << 20;
constexpr std::size_t unlimited = max_header;

constexpr const char* text_mode_hint =
    "something treated the file as text: PowerShell's > does, use an option "
    "that names the output file there";

status bad(std::size_t at, std::string_view what, std::string hint = {}) {
  return {status_code::invalid_data,
          "age header, byte " + std::to_string(at) + ": " + std::string(what),
          std::move(hint)};
}

// Walks the lines of a header that may not be there completely.
class header_parser {
 public:
  header_parser(std::string_view text, bool at_end)
      : text_(text.substr(0, max_header)),
        at_end_(at_end && text.size() <= max_header) {}

  result<std::optional<age_header>> run() {
    if (!version() || !stanzas() || !end()) {
      if (!failure_.ok()) return std::move(failure_);
      return std::optional<age_header>{};
    }
    header_.size = at_;
    return std::optional<age_header>(std::move(header_));
  }

 private:
  // All of these: false where it failed or where more bytes are needed, which
  // the presence of a failure tells apart.
  bool version();
  bool stanzas();
  bool stanza();
  bool arguments(std::string_view line, age_stanza& to);
  bool body(age_stanza& to);
  bool end();

  // The line at at_, without its LF. limit: the longest that can be right.
  bool line(std::size_t limit, std::string_view& out, std::string_view what);
  bool more();

  bool fail(std::size_t at, std::string_view what, std::string hint = {}) {
    failure_ = bad(at, what, std::move(hint));
    return false;
  }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  std::string_view text_;
  bool at_end_;
  std::size_t at_ = 0;
  age_header header_;
  status failure_;
};

bool header_parser::more() {
  if (at_end_) return fail(text_.size(), "the file ends within the header");
  if (text_.size() == max_header) {
    return fail(max_header, "the header is longer than 2 MiB");
  }
  return false;
}

bool header_parser::line(std::size_t limit, std::string_view& out,
                         std::string_view what) {
  const std::size_t length = rest().substr(0, limit + 1).find('\n');
  if (length != std::string_view::npos) {
    out = rest().substr(0, length);
    at_ += length + 1;
    return true;
  }
  if (rest().size() > limit) return fail(at_, what);
  return more();
}

bool header_parser::version() {
  if (text_.empty() && at_end_) return fail(0, "the file is empty");
  const std::string_view head = text_.substr(0, version_line.size());
  if (!version_line.starts_with(head)) {
    const std::string_view intro =
        version_line.substr(0, version_line.size() - 1);
    if (head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff")) {
      return fail(0, "not an age file but UTF-16 text", text_mode_hint);
    }
    if (head.starts_with(intro) && head.back() == '\r') {
      return fail(intro.size(), "the line ends with CR and LF", text_mode_hint);
    }
    if (head.starts_with(version_stem)) {
      return fail(version_stem.size(), "the version of the format is not v1");
    }
    return fail(0, "not an age file");
  }
  if (head.size() < version_line.size()) return more();
  at_ = version_line.size();
  return true;
}

bool header_parser::stanzas() {
  for (;;) {
    // As long as the mark of the end: no header ends with less than that.
    const std::string_view mark = rest().substr(0, end_mark.size());
    if (mark.size() < end_mark.size()) return more();
    if (mark.starts_with(stanza_mark)) {
      if (!stanza()) return false;
    } else if (mark != end_mark) {
      return fail(at_, "neither a stanza nor the end of the header");
    } else if (header_.stanzas.empty()) {
      return fail(at_, "the header has no stanza");
    } else {
      return true;
    }
  }
}

bool header_parser::stanza() {
  std::string_view first;
  age_stanza next;
  if (!line(unlimited, first, {}) || !arguments(first, next) || !body(next)) {
    return false;
  }
  header_.stanzas.push_back(std::move(next));
  return true;
}

// line: "->" and then, for each argument, a space and at least one character.
bool header_parser::arguments(std::string_view line, age_stanza& to) {
  const std::size_t start = at_ - line.size() - 1;
  constexpr std::string_view other =
      "a character that stanza arguments cannot have";
  std::size_t i = stanza_mark.size();
  if (i == line.size()) return fail(start, "the stanza has no type");
  while (i < line.size()) {
    if (line[i] != ' ') return fail(start + i, other);
    const std::size_t from = ++i;
    while (i < line.size() && line[i] >= 0x21 && line[i] <= 0x7e) ++i;
    if (i < line.size() && line[i] != ' ') return fail(start + i, other);
    const std::string_view argument = line.substr(from, i - from);
    if (argument.empty()) return fail(start + i, "a stanza argument is empty");
    if (to.type.empty()) {
      to.type = argument;
    } else {
      to.args.emplace_back(argument);
    }
  }
  return true;
}

bool header_parser::body(age_stanza& to) {
  for (;;) {
    std::string_view text;
    const std::size_t start = at_;
    if (!line(body_columns, text, "a line of a stanza's body is too long")) {
      return false;
    }
    if (!append_base64(to.body, text)) {
      return fail(start, text.starts_with('-')
                             ? "the stanza's body does not end with a line of "
                               "less than 64 characters"
                             : "a stanza's body is not canonical base64");
    }
    if (text.size() < body_columns) return true;
  }
}

bool header_parser::end() {
  const std::size_t start = at_;
  const std::size_t mac_at = start + end_mark.size() + 1;
  const std::size_t length = mac_at - start + base64_size(header_.mac.size());
  std::string_view text;
  if (!line(length, text, "the line of the MAC is too long")) return false;
  if (!text.starts_with("--- ")) {
    return fail(start, "the line of the MAC does not begin with \"--- \"");
  }
  const auto mac = decode_base64(text.substr(mac_at - start));
  if (!mac) return fail(mac_at, "the MAC is not canonical base64");
  if (mac->size() != header_.mac.size()) {
    return fail(mac_at, "the MAC is not 32 bytes long");
  }
  std::ranges::copy(*mac, header_.mac.begin());
  header_.mac_size = start + end_mark.size();
  return true;
}

// What the MAC covers, by its key.
secret_array<32> header_mac(byte_view covered, const file_key& key) {
  const auto mac_key = hkdf_sha256(key.view(), {}, as_bytes("header"));
  return hmac_sha256(mac_key.view(), covered);
}

}  // namespace

result<std::optional<age_header>> parse_age_header(byte_view head,
                                                   bool at_end) {
  return header_parser(as_text(head), at_end).run();
}

bytes serialize_age_header(const std::vector<age_stanza>& stanzas,
                           const file_key& key) {
  std::string text(version_line);
  for (const age_stanza& stanza : stanzas) {
    text.append(stanza_mark).append(" ").append(stanza.type);
    for (const std::string& argument : stanza.args) {
      text.append(" ").append(argument);
    }
    text.append("\n");
    // The last line is short, so a body of whole lines gets an empty one.
    const std::string body = encode_base64(stanza.body);
    for (std::size_t i = 0; i <= body.size(); i += body_columns) {
      text.append(body, i, body_columns).append("\n");
    }
  }
  text.append(end_mark);
  const auto mac = header_mac(as_bytes(text), key);
  text.append(" ").append(encode_base64(mac.view())).append("\n");
  const byte_view all = as_bytes(text);
  return {all.begin(), all.end()};
}

status verify_age_header(const age_header& header, byte_view head,
                         const file_key& key) {
  const auto mac = header_mac(head.first(header.mac_size), key);
  if (equal_in_constant_time(mac.view(), header.mac)) return {};
  return {status_code::invalid_data,
          "header MAC is wrong: the header was changed after it was written"};
}

}  // namespace nexus
