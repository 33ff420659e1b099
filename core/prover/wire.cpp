#include "prover/wire.hpp"

#include <span>
#include <string>

namespace nexus::prover {
namespace {

constexpr std::size_t longest_word = 5;
constexpr std::size_t longest_length = 10;

void put_varint(bytes& out, std::uint64_t value) {
  for (; value >= 128; value >>= 7) {
    out.push_back(static_cast<std::byte>(value & 127) | std::byte{128});
  }
  out.push_back(static_cast<std::byte>(value));
}

class writer {
 public:
  static constexpr bool reads = false;
  bytes out;

  void element(const fp& value) { put_varint(out, value.word()); }
  void varint(std::uint64_t value, const char*) { put_varint(out, value); }
  void byte(unsigned value, const char*) {
    out.push_back(static_cast<std::byte>(value));
  }
  void list(const siblings& values, std::size_t) {
    put_varint(out, values.size());
  }
};

// Goes on after the first error without reading anything more.
class reader {
 public:
  static constexpr bool reads = true;
  explicit reader(byte_view data) noexcept : data_(data) {}

  void element(fp& value) {
    value = fp{};
    const std::uint64_t word = next_varint(longest_word);
    if (word >= modulus) {
      fail("is no field element");
    } else {
      value = fp::from_word(static_cast<std::uint32_t>(word));
    }
  }
  void varint(std::uint64_t expected, const char* what) {
    if (next_varint(longest_length) != expected) {
      fail(what);
    }
  }
  void byte(unsigned expected, const char* what) {
    begin();
    if (next_byte() != expected) {
      fail(what);
    }
  }
  void list(siblings& values, std::size_t most) {
    const std::uint64_t count = next_varint(longest_length);
    if (count > most) {
      fail("is no number of siblings");
    }
    values.resize(failed() ? 0 : static_cast<std::size_t>(count));
  }

  status finish() {
    begin();
    if (at_ != data_.size()) {
      fail("lies behind its end");
    }
    return failed() ? status{status_code::invalid_data,
                             "segment proof: byte " + std::to_string(start_) +
                                 " " + error_}
                    : status{};
  }

 private:
  [[nodiscard]] bool failed() const noexcept { return error_ != nullptr; }

  // What is read next starts here; an error's place stays.
  void begin() noexcept {
    if (!failed()) {
      start_ = at_;
    }
  }

  void fail(const char* what) noexcept {
    if (!failed()) {
      error_ = what;
    }
  }

  unsigned next_byte() noexcept {
    if (failed()) {
      return 0;
    }
    if (at_ == data_.size()) {
      begin();
      fail("is missing");
      return 0;
    }
    return std::to_integer<unsigned>(data_[at_++]);
  }

  std::uint64_t next_varint(std::size_t longest) noexcept {
    begin();
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < longest; ++i) {
      const unsigned next = next_byte();
      // The tenth byte holds the 64th bit alone.
      if (i == longest_length - 1 && next > 1) {
        break;
      }
      value |= std::uint64_t{next & 127} << (7 * i);
      if (next < 128) {
        if (next == 0 && i != 0) {
          fail("starts a number that is longer than it need be");
        }
        return value;
      }
    }
    fail("starts a number that does not end");
    return 0;
  }

  byte_view data_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;  // of what is being read
  const char* error_ = nullptr;
};

// The layout, once for both directions. Proof is const for a writer.
template <class Codec, class Proof>
class layout {
 public:
  layout(Codec& codec, Proof& proof, const proof_shape& shape) noexcept
      : codec_(codec), proof_(proof), shape_(shape) {}

  void walk() {
    commitments();
    opened_values();
    codec_.varint(proof_.rounds.size(), "is no number of rounds");
    for (auto& round : proof_.rounds) {
      cap(round.commitment);
    }
    codec_.varint(proof_.rounds.size(), "is no number of rounds");
    for (auto& round : proof_.rounds) {
      codec_.element(round.witness);
    }
    if (shape_.wire == proof_wire::p3_0_6) {
      queries();
    } else {
      batches();
    }
    elements(std::span(proof_.final_polynomial));
    codec_.element(proof_.query_witness);
    codec_.varint(shape_.log_rows, "is another number of rows");
  }

 private:
  using batch =
      std::conditional_t<Codec::reads, opened_rows, const opened_rows>;
  using groups =
      std::conditional_t<Codec::reads, opened_groups, const opened_groups>;
  static constexpr const char* bad_length = "is another length";
  static constexpr const char* bad_option = "is another option";

  [[nodiscard]] std::size_t query_count() const noexcept {
    return shape_.parameters.queries;
  }

  template <class Digest>
  void hash(Digest& value) {
    for (auto& x : value) {
      codec_.element(x);
    }
  }

  template <class Digest>
  void cap(Digest& value) {
    codec_.varint(1, bad_length);
    hash(value);
  }

  template <class Ext>
  void elements(std::span<Ext> values) {
    codec_.varint(values.size(), bad_length);
    for (auto& x : values) {
      for (auto& c : x.c) {
        codec_.element(c);
      }
    }
  }

  template <class Element>
  void row(std::span<Element> values) {
    codec_.varint(values.size(), bad_length);
    for (auto& x : values) {
      codec_.element(x);
    }
  }

  void commitments() {
    cap(proof_.trace_commitment);
    cap(proof_.quotient_commitment);
    codec_.byte(0, bad_option);  // nothing random
  }

  void opened_values() {
    elements(std::span(proof_.trace_local));
    codec_.byte(1, bad_option);
    elements(std::span(proof_.trace_next));
    codec_.byte(0, bad_option);  // nothing preprocessed, at either point
    codec_.byte(0, bad_option);
    codec_.varint(quotient_chunks, bad_length);
    for (auto& chunk : proof_.chunks) {
      elements(std::span(chunk));
    }
    codec_.byte(0, bad_option);  // nothing random
  }

  // One query's rows of one tree, of `matrices` matrices of one width.
  void rows(batch& from, std::size_t query, std::size_t matrices) {
    const std::size_t all = from.values.size() / query_count();
    const std::size_t width = all / matrices;
    codec_.varint(matrices, bad_length);
    for (std::size_t m = 0; m < matrices; ++m) {
      row(std::span(from.values).subspan(query * all + m * width, width));
    }
  }

  void group(groups& from, std::size_t query) {
    const std::size_t width = from.values.size() / query_count();
    elements(std::span(from.values).subspan(query * width, width));
  }

  template <class Opened>
  void path(Opened& from, std::size_t query) {
    const std::size_t depth = from.proof.size() / query_count();
    codec_.varint(depth, bad_length);
    for (auto& x : std::span(from.proof).subspan(query * depth, depth)) {
      hash(x);
    }
  }

  void queries() {
    codec_.varint(query_count(), "is another number of queries");
    for (std::size_t q = 0; q < query_count(); ++q) {
      codec_.varint(2, bad_length);
      rows(proof_.trace, q, 1);
      path(proof_.trace, q);
      rows(proof_.quotient, q, quotient_chunks);
      path(proof_.quotient, q);
      codec_.varint(proof_.rounds.size(), "is no number of rounds");
      for (auto& round : proof_.rounds) {
        codec_.byte(round.opened.log_arity, "is another arity");
        group(round.opened, q);
        path(round.opened, q);
      }
    }
  }

  template <class Opened>
  void pruned(Opened& from, unsigned depth) {
    codec_.list(from.proof, query_count() * depth);
    for (auto& x : from.proof) {
      hash(x);
    }
  }

  void all_rows(batch& from, std::size_t matrices) {
    codec_.varint(query_count(), "is another number of queries");
    for (std::size_t q = 0; q < query_count(); ++q) {
      rows(from, q, matrices);
    }
    pruned(from, shape_.log_length());
  }

  void batches() {
    codec_.varint(2, bad_length);
    all_rows(proof_.trace, 1);
    all_rows(proof_.quotient, quotient_chunks);
    codec_.varint(proof_.rounds.size(), "is no number of rounds");
    unsigned depth = shape_.log_length();
    for (auto& round : proof_.rounds) {
      codec_.byte(round.opened.log_arity, "is another arity");
      codec_.varint(query_count(), "is another number of queries");
      for (std::size_t q = 0; q < query_count(); ++q) {
        group(round.opened, q);
      }
      depth -= round.opened.log_arity;
      pruned(round.opened, depth);
    }
  }

  Codec& codec_;
  Proof& proof_;
  const proof_shape& shape_;
};

}  // namespace

segment_stark make_stark(const proof_shape& shape) {
  const std::size_t queries = shape.parameters.queries;
  const bool paths = shape.wire == proof_wire::p3_0_6;
  segment_stark out{};
  out.trace_local.resize(column::count);
  out.trace_next.resize(column::count);
  for (auto& chunk : out.chunks) {
    chunk.resize(4);
  }
  unsigned depth = shape.log_length();
  out.trace.values.resize(queries * column::count);
  out.quotient.values.resize(queries * quotient_chunks * 4);
  out.trace.proof.resize(paths ? queries * depth : 0);
  out.quotient.proof.resize(paths ? queries * depth : 0);
  for (const unsigned log_arity : fri_arities(shape.log_rows)) {
    depth -= log_arity;
    auto& round = out.rounds.emplace_back();
    round.opened.log_arity = log_arity;
    round.opened.values.resize(queries * ((std::size_t{1} << log_arity) - 1));
    round.opened.proof.resize(paths ? queries * depth : 0);
  }
  out.final_polynomial.resize(final_length);
  return out;
}

bytes encode(const segment_stark& proof, const proof_shape& shape) {
  writer codec;
  layout(codec, proof, shape).walk();
  return std::move(codec.out);
}

result<segment_stark> decode(byte_view data, const proof_shape& shape) {
  // A byte per element at the least: a short input takes no memory either.
  if (data.size() < shape.parameters.queries * column::count) {
    return status{status_code::invalid_data, "segment proof: cut short"};
  }
  segment_stark proof = make_stark(shape);
  reader codec(data);
  layout(codec, proof, shape).walk();
  if (status bad = codec.finish(); !bad.ok()) {
    return bad;
  }
  return proof;
}

std::uint64_t encoded_limit(const proof_shape& shape) noexcept {
  // Elements of a query: its rows, two paths, and the rounds' groups and paths.
  std::uint64_t per_query = column::count + quotient_chunks * 4;
  std::uint64_t digests = 2 * std::uint64_t{shape.log_length()};
  std::uint64_t rounds = 0;
  constexpr unsigned log_end = log_blowup + log_final_length;
  for (unsigned depth = shape.log_length(); depth > log_end; ++rounds) {
    const unsigned log_arity = std::min(depth - log_end, max_log_arity);
    depth -= log_arity;
    digests += depth;
    per_query += 4 * ((std::uint64_t{1} << log_arity) - 1);
  }
  per_query += 8 * digests;
  const std::uint64_t queries = shape.parameters.queries;
  const std::uint64_t once = 2 * 4 * column::count + quotient_chunks * 16 +
                             4 * final_length + 8 * (2 + rounds) + rounds + 1;
  // Lengths and tags: fewer than four per round or tree of a query, and 64.
  const std::uint64_t marks = queries * 4 * (rounds + 2) + 4 * rounds + 64;
  return longest_word * (queries * per_query + once) + longest_length * marks;
}

}  // namespace nexus::prover
