#include "format/proof_stream.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "prover/air.hpp"

namespace nexus::proofs {
namespace {

constexpr std::string_view version_line = "nexus-pipe proof stream v1\n";

using tag = std::array<char, 4>;
// By record_kind.
constexpr std::array tags = {tag{'S', 'E', 'G', 'M'}, tag{'L', 'A', 'S', 'T'},
                             tag{'D', 'O', 'N', 'E'}};

// "NXSR", and the version of the root's definition.
constexpr std::uint32_t root_domain = 0x4e585352;
constexpr std::uint32_t root_version = 1;
constexpr std::uint32_t segment_block = 1;
constexpr std::uint32_t end_block = 2;

status invalid(std::string message, std::string hint = {}) {
  return {status_code::invalid_data, std::move(message), std::move(hint)};
}

template <class T>
void put(T value, std::byte*& out) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    *out++ = static_cast<std::byte>(value >> (8 * i));
  }
}

template <class T>
T get(const std::byte*& in) noexcept {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(std::to_integer<T>(*in++) << (8 * i));
  }
  return value;
}

std::string_view name_of(proof_wire wire) noexcept {
  return wire == proof_wire::p3_0_7 ? "p3-0.7" : "p3-0.6";
}

// Lines of "name: value" one after the other.
class line_reader {
 public:
  explicit line_reader(std::string_view text) : text_(text) {}

  // The value of the next line, which must have this name; empty if not.
  std::string_view value(std::string_view name) {
    const std::size_t end = text_.find('\n');
    std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end == text_.npos ? text_.size() : end + 1);
    if (!line.starts_with(name)) return {};
    line.remove_prefix(name.size());
    if (!line.starts_with(": ")) return {};
    return line.substr(2);
  }

  // False unless it is a number in its shortest form.
  bool number(std::string_view name, std::uint64_t& into) {
    const std::string_view digits = value(name);
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, into);
    return error == std::errc{} && stop == end &&
           digits == std::to_string(into);
  }

 private:
  std::string_view text_;
};

// "...v" with a number and the end of the line behind it.
bool names_other_version(std::string_view text) {
  constexpr std::string_view family = "nexus-pipe proof stream v";
  if (!text.starts_with(family)) return false;
  text.remove_prefix(family.size());
  const std::size_t digits = text.find_first_not_of("0123456789");
  return digits != 0 && digits != text.npos && text[digits] == '\n';
}

bool parse_values(std::string_view text, stream_header& out) {
  line_reader lines(text);
  if (!lines.number("segment-rows", out.cut.rows)) return false;
  const std::string_view security = lines.value("security");
  for (const auto each :
       {proof_security::conjectured, proof_security::proven}) {
    if (security == profile_of(each).name) out.options.security = each;
  }
  const std::string_view wire = lines.value("wire");
  for (const auto each : {proof_wire::p3_0_6, proof_wire::p3_0_7}) {
    if (wire == name_of(each)) out.options.wire = each;
  }
  if (!lines.number("first-segment", out.cut.first_index)) return false;
  out.cut.partial = lines.value("partial") == "yes";
  return true;
}

}  // namespace

std::string to_text(const stream_root& root) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : root) {
    const auto value = std::to_integer<unsigned>(b);
    text += digits[value >> 4];
    text += digits[value & 15];
  }
  return text;
}

result<stream_root> parse_root(std::string_view text) {
  stream_root root;
  for (std::size_t i = 0; i < root.size(); ++i) {
    unsigned value = 0;
    const std::string_view pair = text.substr(std::min(2 * i, text.size()), 2);
    const auto [stop, error] =
        std::from_chars(pair.data(), pair.data() + pair.size(), value, 16);
    if (text.size() != 2 * root.size() || error != std::errc{} ||
        stop != pair.data() + 2) {
      return status(status_code::invalid_argument,
                    "a root is 64 hexadecimal digits");
    }
    root[i] = static_cast<std::byte>(value);
  }
  return root;
}

status check(const segmenting& cut) {
  if (cut.rows < segment_leaf_rows || cut.rows > max_segment_rows ||
      (cut.rows & (cut.rows - 1)) != 0) {
    return {status_code::invalid_argument,
            "segments of " + std::to_string(cut.rows) +
                " rows: not a power of two from 256 to 1048576"};
  }
  if (cut.first_index >> 60 != 0) {
    return {status_code::invalid_argument, "first segment " +
                                               std::to_string(cut.first_index) +
                                               " is not below 2^60"};
  }
  return {};
}

std::string serialize(const stream_header& header) {
  std::string text(version_line);
  text += "segment-rows: " + std::to_string(header.cut.rows) + "\n";
  text += "security: ";
  text.append(profile_of(header.options.security).name).append("\n");
  text.append("wire: ").append(name_of(header.options.wire)).append("\n");
  text += "first-segment: " + std::to_string(header.cut.first_index) + "\n";
  text += header.cut.partial ? "partial: yes\n" : "partial: no\n";
  return text + "\n";
}

result<std::optional<parsed_header>> parse_header(byte_view head, bool at_end) {
  const std::string_view text =
      as_text(head.first(std::min<std::size_t>(head.size(), max_header_bytes)));
  const std::string_view begin = text.substr(0, version_line.size());
  if (!version_line.starts_with(begin) || (at_end && begin.empty())) {
    if (names_other_version(text)) {
      return invalid("header: a proof stream of a version that is not known",
                     "a later release may read it");
    }
    return invalid("not a proof stream",
                   "`nexus-pipe prove` makes them; age files are opened by "
                   "`nexus-pipe decrypt`");
  }
  const std::size_t end = text.find("\n\n");
  if (end == text.npos) {
    if (text.size() == max_header_bytes) {
      return invalid("header: it does not end");
    }
    if (at_end) return invalid("header: the input ends within it: truncated");
    return std::optional<parsed_header>{};
  }
  parsed_header out;
  out.size = end + 2;
  // What is written again in the same way was understood.
  if (!parse_values(text.substr(version_line.size()), out.header) ||
      serialize(out.header) != text.substr(0, out.size)) {
    return invalid("header: a line is not as it must be");
  }
  if (status bad = check(out.header.cut); !bad.ok()) {
    return invalid("header: " + bad.message());
  }
  return std::optional(out);
}

void store(const record_head& head, std::byte* out) noexcept {
  for (const char c : tags[static_cast<std::size_t>(head.kind)]) {
    *out++ = static_cast<std::byte>(c);
  }
  put(head.proof_bytes, out);
  put(head.index, out);
  put(head.bytes, out);
  std::copy(head.digest.begin(), head.digest.end(), out);
}

result<record_head> parse_record_head(byte_view data) {
  const auto found = std::find_if(tags.begin(), tags.end(), [&](const tag& t) {
    return std::memcmp(t.data(), data.data(), t.size()) == 0;
  });
  if (found == tags.end()) return invalid("a record has no tag that is known");
  record_head head;
  head.kind = static_cast<record_kind>(found - tags.begin());
  const std::byte* in = data.data() + sizeof(tag);
  head.proof_bytes = get<std::uint32_t>(in);
  head.index = get<std::uint64_t>(in);
  head.bytes = get<std::uint64_t>(in);
  std::copy_n(in, head.digest.size(), head.digest.begin());
  return head;
}

stream_root to_bytes(const segment_digest& digest) noexcept {
  stream_root out;
  std::byte* to = out.data();
  for (const std::uint32_t word : digest) put(word, to);
  return out;
}

segment_digest to_digest(const stream_root& bytes) noexcept {
  segment_digest out;
  const std::byte* from = bytes.data();
  for (std::uint32_t& word : out) word = get<std::uint32_t>(from);
  return out;
}

namespace {

using prover::fp;

// The lowest 30 bits of value >> shift.
fp limb(std::uint64_t value, unsigned shift) noexcept {
  return fp::from(value >> shift & ((std::uint64_t{1} << 30) - 1));
}

}  // namespace

root_sponge::root_sponge(const segmenting& cut) noexcept {
  state_.fill(fp{});
  state_[16] = fp::from(root_domain);
  state_[17] = fp::from(root_version);
  state_[18] = fp::from(prover::log2_exact(cut.rows));
  state_[19] = limb(cut.first_index, 0);
  state_[20] = limb(cut.first_index, 30);
  state_[21] = fp::from(cut.partial ? 1 : 0);
}

void root_sponge::add(std::uint64_t index, std::uint64_t bytes,
                      const segment_digest& digest) noexcept {
  for (std::size_t i = 0; i < digest.size(); ++i) {
    state_[i] = fp::from(digest[i]);
  }
  state_[8] = limb(bytes, 0);
  state_[9] = limb(bytes, 30);
  state_[10] = limb(index, 0);
  state_[11] = limb(index, 30);
  state_[12] = fp::from(segment_block);
  std::fill(state_.begin() + 13, state_.begin() + 16, fp{});
  prover::permute(state_);
}

stream_root root_sponge::finish(std::uint64_t segments,
                                std::uint64_t bytes) noexcept {
  std::fill(state_.begin(), state_.begin() + 16, fp{});
  state_[0] = limb(segments, 0);
  state_[1] = limb(segments, 30);
  state_[2] = limb(bytes, 0);
  state_[3] = limb(bytes, 30);
  state_[4] = limb(bytes, 60);
  state_[12] = fp::from(end_block);
  prover::permute(state_);
  segment_digest out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = state_[i].canonical();
  return to_bytes(out);
}

std::uint64_t least_proof_bytes(const proof_options& options) noexcept {
  return std::uint64_t{profile_of(options.security).queries} *
         prover::column::count;
}

status record_order::take(const record_head& head) {
  const std::string where = "segment " + std::to_string(next_) + ": ";
  const bool first = next_ == header_.cut.first_index;
  if (head.kind == record_kind::end) {
    if (head.proof_bytes != 0) return invalid("end: it holds a proof");
    if (first) return invalid("end: there is no segment before it");
    if (!last_seen_ && !header_.cut.partial) {
      return invalid("end: no segment before it is marked as the last one");
    }
    return {};
  }
  if (last_seen_) return invalid(where + "it follows the last segment");
  if (head.index != next_) {
    return invalid(where + "the record bears the number " +
                   std::to_string(head.index));
  }
  if (next_ >> 60 != 0) return invalid(where + "its number is not below 2^60");
  const std::uint64_t capacity = header_.capacity();
  const bool last = head.kind == record_kind::last_segment;
  if (last && header_.cut.partial) {
    return invalid(where + "marked as the last one in a partial stream");
  }
  if (head.bytes > capacity) {
    return invalid(where + "more bytes than " + std::to_string(capacity));
  }
  if (head.bytes < capacity && !last) {
    return invalid(where + "shorter than " + std::to_string(capacity) +
                   " bytes, but not the last one");
  }
  if (head.bytes == 0 && next_ != 0) {
    return invalid(where + "empty, but not alone");
  }
  if (head.proof_bytes < least_proof_bytes(header_.options)) {
    return invalid(where + "no proof is as short as " +
                   std::to_string(head.proof_bytes) + " bytes");
  }
  if (head.proof_bytes > proof_size_limit(head.bytes, header_.options)) {
    return invalid(where + "no proof of " + std::to_string(head.bytes) +
                   " bytes is as long as " + std::to_string(head.proof_bytes));
  }
  for (const std::uint32_t word : to_digest(head.digest)) {
    if (word >= prover::modulus) {
      return invalid(where +
                     "its digest holds a number that is no field "
                     "element");
    }
  }
  last_seen_ = last;
  ++next_;
  return {};
}

status record_order::unknown() const {
  return invalid("segment " + std::to_string(next_) +
                 ": its record has no tag that is known");
}

status record_order::cut_short(std::size_t bytes) const {
  const std::string count =
      std::to_string(next_ - header_.cut.first_index) + " segments";
  return invalid("the stream is cut short after " + count +
                 (bytes == 0 ? "" : ", within the next record"));
}

void stream_sum::add(std::uint64_t bytes,
                     const segment_digest& digest) noexcept {
  root_.add(total_.cut.first_index + total_.segments, bytes, digest);
  ++total_.segments;
  total_.bytes += bytes;
}

const summary& stream_sum::finish() noexcept {
  total_.root = root_.finish(total_.segments, total_.bytes);
  return total_;
}

status stream_sum::check_end(const record_head& end) {
  finish();
  if (end.index != total_.segments) {
    return invalid("end: it counts " + std::to_string(end.index) +
                   " segments, and there are " +
                   std::to_string(total_.segments));
  }
  if (end.bytes != total_.bytes) {
    return invalid("end: it counts " + std::to_string(end.bytes) +
                   " bytes, and there are " + std::to_string(total_.bytes));
  }
  if (end.digest != total_.root) {
    return invalid("end: the root is not that of the segments");
  }
  return {};
}

record_head stream_sum::end() const noexcept {
  return {record_kind::end, 0, total_.segments, total_.bytes, total_.root};
}

}  // namespace nexus::proofs
