#include <nexus/age.hpp>
#include <utility>

#include "format/age_header.hpp"
#include "format/armor.hpp"
#include "ops/age_intro.hpp"
#include "ops/age_stream.hpp"

namespace nexus::age {
namespace {

constexpr std::size_t piece_bytes = 65536;
constexpr std::size_t header_bytes = 512;  // tried first; grows

// The file as it was before armor, as far as it is needed, and its sizes.
class binary_reader {
 public:
  using callback = std::function<result<std::size_t>(std::span<std::byte>)>;

  explicit binary_reader(const callback& read)
      : read_(read), piece_(piece_bytes) {}

  status detect_armor();
  // Appends to head() until it has `want` bytes or the input ends.
  status grow(std::size_t want);
  // Reads all that is left, keeping nothing.
  status drain();

  bool armored() const { return armored_; }
  bool at_end() const { return at_end_; }
  byte_view head() const { return head_; }
  std::uint64_t text_bytes() const { return text_bytes_; }
  std::uint64_t binary_bytes() const { return binary_bytes_; }

 private:
  status read_piece(bytes& out);
  status decode(byte_view text, bytes& out);

  const callback& read_;
  bytes piece_;
  bytes head_;
  armor_decoder armor_;
  bool armored_ = false;
  bool at_end_ = false;
  std::uint64_t text_bytes_ = 0;
  std::uint64_t binary_bytes_ = 0;
};

status binary_reader::detect_armor() {
  for (;;) {
    const armor_guess guess = guess_armor(head_, at_end_);
    if (guess == armor_guess::binary) return {};
    if (guess == armor_guess::armored) break;
    status more = grow(head_.size() + 1);
    if (!more.ok()) return more;
  }
  armored_ = true;
  binary_bytes_ = 0;
  const bytes text = std::exchange(head_, {});
  status decoded = decode(text, head_);
  return decoded.ok() && at_end_ ? armor_.finish() : decoded;
}

status binary_reader::grow(std::size_t want) {
  while (head_.size() < want && !at_end_) {
    status more = read_piece(head_);
    if (!more.ok()) return more;
  }
  return {};
}

status binary_reader::drain() {
  bytes scratch;
  while (!at_end_) {
    scratch.clear();
    status more = read_piece(scratch);
    if (!more.ok()) return more;
  }
  return {};
}

status binary_reader::read_piece(bytes& out) {
  auto count = read_(piece_);
  if (!count.ok()) return count.error();
  if (*count > piece_.size()) {
    return status(status_code::invalid_argument,
                  "inspect: the callback returned more than was asked for");
  }
  at_end_ = *count == 0;
  text_bytes_ += *count;
  if (at_end_) return armored_ ? armor_.finish() : status{};
  return decode(byte_view(piece_).first(*count), out);
}

status binary_reader::decode(byte_view text, bytes& out) {
  const std::size_t before = out.size();
  status fed;
  if (armored_) {
    fed = armor_.feed(text, out);
  } else {
    append(out, text);
  }
  binary_bytes_ += out.size() - before;
  return fed;
}

// Where a line of the armor is wrong, what was decoded ahead of it may hold a
// header that is wrong earlier.
result<age_header> read_header(binary_reader& in) {
  for (std::size_t want = header_bytes;; want = in.head().size() * 2) {
    status grown = in.grow(want);
    auto header = read_age_header(in.head(), in.at_end(), in.armored());
    if (!header.ok()) return header.error();
    if (!grown.ok()) return grown;
    if (header->has_value()) return std::move(**header);
  }
}

}  // namespace

result<description> inspect(
    const std::function<result<std::size_t>(std::span<std::byte>)>& read) {
  binary_reader in(read);
  status detected = in.detect_armor();
  if (!detected.ok()) return detected;
  auto header = read_header(in);
  if (!header.ok()) return header.error();
  status drained = in.drain();
  if (!drained.ok()) return drained;

  description out;
  out.armored = in.armored();
  for (age_stanza& stanza : header->stanzas) {
    out.stanza_types.push_back(std::move(stanza.type));
  }
  out.header_bytes = header->size;
  out.armor_bytes = in.text_bytes() - in.binary_bytes();
  const std::uint64_t body = in.binary_bytes() - header->size;
  if (body < age_nonce) {
    return status(status_code::invalid_data,
                  "header: the input ends before the nonce: truncated");
  }
  const auto opened = age_opened_size(body - age_nonce);
  if (!opened) {
    return status(status_code::invalid_data,
                  "payload: no plaintext takes " +
                      std::to_string(body - age_nonce) +
                      " bytes: truncated or corrupt");
  }
  out.payload_bytes = *opened;
  out.overhead_bytes = body - *opened;
  return out;
}

}  // namespace nexus::age
