// Proof streams as files: looked into, and put together.
#include <algorithm>
#include <array>
#include <utility>

#include "format/proof_stream.hpp"
#include "prover/segment.hpp"

namespace nexus::proofs {
namespace {

// A stream, record by record.
class stream_parser {
 public:
  explicit stream_parser(const read_function& read) : read_(read) {}

  status read_header();
  // Reads the next record and checks it; at the end also what the stream adds
  // up to, and that nothing follows.
  status next();

  [[nodiscard]] const stream_header& header() const noexcept { return header_; }
  [[nodiscard]] const record_head& head() const noexcept { return head_; }
  [[nodiscard]] byte_view proof() const noexcept { return proof_; }
  [[nodiscard]] bool ended() const noexcept {
    return head_.kind == record_kind::end;
  }
  [[nodiscard]] const summary& total() const noexcept { return sum_.total(); }

 private:
  result<std::size_t> fill(byte_span into);

  const read_function& read_;
  bytes ahead_;  // read, not taken
  stream_header header_;
  record_order order_;
  stream_sum sum_;
  record_head head_;
  bytes proof_;
};

// Reads until there is no more room, or no more input.
result<std::size_t> stream_parser::fill(byte_span into) {
  std::size_t filled = std::min(ahead_.size(), into.size());
  std::copy_n(ahead_.begin(), filled, into.begin());
  ahead_.erase(ahead_.begin(),
               ahead_.begin() + static_cast<std::ptrdiff_t>(filled));
  while (filled < into.size()) {
    auto got = read_(into.subspan(filled));
    if (!got.ok()) return got.error();
    if (*got > into.size() - filled) {
      return status(status_code::invalid_argument,
                    "the callback returned more than was asked for");
    }
    if (*got == 0) break;
    filled += *got;
  }
  return filled;
}

status stream_parser::read_header() {
  bytes head(max_header_bytes);
  const auto got = fill(head);
  if (!got.ok()) return got.error();
  head.resize(*got);
  const auto parsed = parse_header(head, *got < max_header_bytes);
  if (!parsed.ok()) return parsed.error();
  header_ = (*parsed)->header;
  order_ = record_order(header_);
  sum_ = stream_sum(header_);
  ahead_.assign(head.begin() + static_cast<std::ptrdiff_t>((*parsed)->size),
                head.end());
  return {};
}

status stream_parser::next() {
  std::array<std::byte, record_head_bytes> head;
  auto got = fill(head);
  if (!got.ok()) return got.error();
  if (*got < head.size()) return order_.cut_short(*got);
  const auto parsed = parse_record_head(head);
  if (!parsed.ok()) return order_.unknown();
  if (status bad = order_.take(*parsed); !bad.ok()) return bad;
  head_ = *parsed;
  if (ended()) {
    if (status bad = sum_.check_end(head_); !bad.ok()) return bad;
    std::byte more{};
    got = fill({&more, 1});
    if (!got.ok()) return got.error();
    return *got == 0
               ? status{}
               : status{status_code::invalid_data, "end: something follows it"};
  }
  proof_.resize(head_.proof_bytes);
  got = fill(proof_);
  if (!got.ok()) return got.error();
  if (*got < proof_.size()) {
    return {status_code::invalid_data,
            "segment " + std::to_string(head_.index) +
                ": the stream is cut short within its proof"};
  }
  sum_.add(head_.bytes, to_digest(head_.digest));
  return {};
}

segment_description describe(const record_head& head) {
  return {{head.index, head.kind == record_kind::last_segment},
          head.bytes,
          to_digest(head.digest)};
}

status write_record(const record_head& head, byte_view proof,
                    const write_function& write) {
  std::array<std::byte, record_head_bytes> text;
  store(head, text.data());
  status written = write(text);
  return written.ok() && !proof.empty() ? write(proof) : written;
}

// Where reading itself failed, the reader has named it.
status named(const std::string& name, const status& failure) {
  if (failure.kind() != error_kind::data) return failure;
  return {failure.code(), name + ": " + failure.message(), failure.hint(),
          failure.system_error()};
}

// That a part can stand where it does.
status check_fit(const std::vector<part>& parts,
                 const std::vector<stream_parser>& streams, std::size_t i) {
  const stream_header& first = streams.front().header();
  const stream_header& mine = streams[i].header();
  const auto refuse = [&](const std::string& why) {
    return status(status_code::invalid_data, parts[i].name + ": " + why);
  };
  if (mine.cut.rows != first.cut.rows) {
    return refuse("its segments are of " + std::to_string(mine.cut.rows) +
                  " rows, those of the parts before of " +
                  std::to_string(first.cut.rows));
  }
  if (mine.options.security != first.options.security ||
      mine.options.wire != first.options.wire) {
    return refuse("its proofs are of another profile or wire format");
  }
  if (!mine.cut.partial && i + 1 < parts.size()) {
    return refuse("it is the end of a stream, and other parts follow");
  }
  return {};
}

}  // namespace

std::array<std::uint32_t, 16> public_values(
    const segment_description& segment) noexcept {
  const prover::segment_statement statement{segment.bytes, segment.position};
  const prover::capacity top = statement.top();
  std::array<std::uint32_t, 16> out;
  std::copy(segment.digest.begin(), segment.digest.end(), out.begin());
  std::transform(top.begin(), top.end(), out.begin() + 8,
                 [](prover::fp x) { return x.canonical(); });
  return out;
}

bool is_proof_stream(std::span<const std::byte> head) noexcept {
  constexpr std::string_view family = "nexus-pipe proof stream v";
  return as_text(head).starts_with(family);
}

result<summary> inspect(const read_function& read,
                        const segment_visitor& visit) {
  stream_parser stream(read);
  if (status bad = stream.read_header(); !bad.ok()) return bad;
  for (;;) {
    if (status bad = stream.next(); !bad.ok()) return bad;
    if (stream.ended()) return stream.total();
    if (!visit) continue;
    status seen = visit(describe(stream.head()), stream.proof());
    if (!seen.ok()) return seen;
  }
}

result<summary> join(const std::vector<part>& parts,
                     const write_function& write) {
  if (parts.empty()) {
    return status(status_code::invalid_argument, "there are no parts to join");
  }
  std::vector<stream_parser> streams;
  for (const part& each : parts) {
    stream_parser& stream = streams.emplace_back(each.read);
    if (status bad = stream.read_header(); !bad.ok()) {
      return named(each.name, bad);
    }
    status fits = check_fit(parts, streams, streams.size() - 1);
    if (!fits.ok()) return fits;
  }
  stream_header header = streams.front().header();
  header.cut.partial = streams.back().header().cut.partial;
  if (status bad = write(as_bytes(serialize(header))); !bad.ok()) return bad;
  stream_sum sum(header);
  std::uint64_t next = header.cut.first_index;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::uint64_t begin = streams[i].header().cut.first_index;
    if (begin != next) {
      return status(status_code::invalid_data,
                    parts[i].name + ": it begins with segment " +
                        std::to_string(begin) + ", where " +
                        std::to_string(next) + " should follow");
    }
    for (;; ++next) {
      if (status bad = streams[i].next(); !bad.ok()) {
        return named(parts[i].name, bad);
      }
      if (streams[i].ended()) break;
      const record_head& head = streams[i].head();
      sum.add(head.bytes, to_digest(head.digest));
      status written = write_record(head, streams[i].proof(), write);
      if (!written.ok()) return written;
    }
  }
  sum.finish();
  status written = write_record(sum.end(), {}, write);
  if (!written.ok()) return written;
  return sum.total();
}

}  // namespace nexus::proofs
