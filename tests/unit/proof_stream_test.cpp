// The container around proofs: header, records, root, and what inspect() and
// join() make of them. The proofs in it are made up: nothing here verifies one.
#include "format/proof_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

namespace nexus::proofs {
namespace {

stream_header header_of(std::uint64_t rows, std::uint64_t first = 0,
                        bool partial = false) {
  return {{rows, first, partial}, {}};
}

// A stream in memory, made without the code under test but for its pieces.
struct made_segment {
  std::uint64_t bytes = 0;
  segment_digest digest{};
  nexus::bytes proof;
};

bytes stream_of(const stream_header& header,
                const std::vector<made_segment>& segments) {
  const std::string text = serialize(header);
  bytes out(as_bytes(text).begin(), as_bytes(text).end());
  stream_sum sum(header);
  const auto add = [&out](const record_head& head, byte_view proof) {
    std::array<std::byte, record_head_bytes> raw;
    store(head, raw.data());
    append(out, raw);
    append(out, proof);
  };
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const made_segment& each = segments[i];
    const bool last = i + 1 == segments.size() && !header.cut.partial;
    add({last ? record_kind::last_segment : record_kind::segment,
         static_cast<std::uint32_t>(each.proof.size()),
         header.cut.first_index + i, each.bytes, to_bytes(each.digest)},
        each.proof);
    sum.add(each.bytes, each.digest);
  }
  sum.finish();
  add(sum.end(), {});
  return out;
}

const std::size_t least = least_proof_bytes({});

made_segment segment(std::uint64_t length, std::uint32_t seed) {
  made_segment out;
  out.bytes = length;
  std::iota(out.digest.begin(), out.digest.end(), seed);
  out.proof.assign(least + seed % 7, static_cast<std::byte>(seed));
  return out;
}

// As few bytes at a time as a pipe may give.
read_function reader_of(const bytes& data, std::size_t piece = 997) {
  auto at = std::make_shared<std::size_t>(0);
  return [&data, at, piece](byte_span into) -> result<std::size_t> {
    const std::size_t n = std::min({into.size(), piece, data.size() - *at});
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(*at), n,
                into.begin());
    *at += n;
    return n;
  };
}

status look_into(const bytes& stream) {
  return inspect(reader_of(stream)).error();
}

TEST(ProofHeader, SaysEverythingInText) {
  EXPECT_EQ(serialize({{65536, 0, false}, {}}),
            "nexus-pipe proof stream v1\nsegment-rows: 65536\n"
            "security: conjectured\nwire: p3-0.6\nfirst-segment: 0\n"
            "partial: no\n\n");
  EXPECT_EQ(serialize({{256, 12, true},
                       {proof_security::proven, proof_wire::p3_0_7}}),
            "nexus-pipe proof stream v1\nsegment-rows: 256\nsecurity: proven\n"
            "wire: p3-0.7\nfirst-segment: 12\npartial: yes\n\n");
}

TEST(ProofHeader, ComesBackAsItWas) {
  for (const auto security :
       {proof_security::conjectured, proof_security::proven}) {
    for (const auto wire : {proof_wire::p3_0_6, proof_wire::p3_0_7}) {
      const stream_header header{{1u << 20, (std::uint64_t{1} << 60) - 1, true},
                                 {security, wire}};
      const std::string text = serialize(header) + "what follows";
      const auto parsed = parse_header(as_bytes(text), false);
      ASSERT_TRUE(parsed.ok()) << parsed.error().message();
      ASSERT_TRUE(parsed->has_value());
      EXPECT_EQ((*parsed)->header.cut, header.cut);
      EXPECT_EQ((*parsed)->header.options.security, security);
      EXPECT_EQ((*parsed)->header.options.wire, wire);
      EXPECT_EQ((*parsed)->size, serialize(header).size());
      EXPECT_LE((*parsed)->size, max_header_bytes);
    }
  }
}

TEST(ProofHeader, WaitsForItsEnd) {
  const std::string text = serialize(header_of(256));
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto head = as_bytes(text).first(n);
    const auto more = parse_header(head, false);
    ASSERT_TRUE(more.ok()) << n << ": " << more.error().message();
    EXPECT_FALSE(more->has_value()) << n;
    EXPECT_EQ(parse_header(head, true).error().code(),
              status_code::invalid_data)
        << n;
  }
}

// Of the changes that leave a header, each is another one.
TEST(ProofHeader, HasOneForm) {
  const std::string text = serialize(header_of(65536, 10, true));
  int headers = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string other = text;
      other[i] = static_cast<char>(value);
      if (other == text) continue;
      const auto parsed = parse_header(as_bytes(other), true);
      if (!parsed.ok()) continue;
      ++headers;
      EXPECT_EQ(serialize((*parsed)->header), other);
    }
  }
  // Other digits of the first segment's number, and the other wire format.
  EXPECT_EQ(headers, 8 + 9 + 1);
}

TEST(ProofHeader, RefusesWhatItDoesNotKnow) {
  const auto message = [](std::string text) {
    return parse_header(as_bytes(text), true).error().message();
  };
  EXPECT_EQ(message(""), "not a proof stream");
  EXPECT_EQ(message("age-encryption.org/v1\n"), "not a proof stream");
  EXPECT_EQ(message("nexus-pipe proof stream v2\n\n"),
            "header: a proof stream of a version that is not known");
  EXPECT_EQ(message("nexus-pipe proof stream v1\r\n"), "not a proof stream");
  EXPECT_EQ(message("nexus-pipe proof stream vX\n"), "not a proof stream");
  EXPECT_EQ(message("nexus-pipe proof stream v1\n\n"),
            "header: a line is not as it must be");
  std::string text = serialize(header_of(512));
  text.replace(text.find("512"), 3, "500");
  EXPECT_EQ(message(text),
            "header: segments of 500 rows: not a power of two from 256 to "
            "1048576");
  EXPECT_EQ(message("nexus-pipe proof stream v1\n" + std::string(300, 'x')),
            "header: it does not end");
}

TEST(ProofRecord, IsFiftySixBytes) {
  record_head head{record_kind::last_segment,
                   0x04030201,
                   0x0807060504030201,
                   0x1817161514131211,
                   {}};
  for (std::size_t i = 0; i < head.digest.size(); ++i) {
    head.digest[i] = static_cast<std::byte>(0xa0 + i);
  }
  bytes raw(record_head_bytes);
  store(head, raw.data());
  EXPECT_EQ(as_text(byte_view(raw).first(24)),
            "LAST\1\2\3\4\1\2\3\4\5\6\7\x8\x11\x12\x13\x14\x15\x16\x17\x18");
  EXPECT_EQ(raw[24], std::byte{0xa0});
  EXPECT_EQ(raw[55], std::byte{0xbf});
  const auto back = parse_record_head(raw);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->kind, head.kind);
  EXPECT_EQ(back->proof_bytes, head.proof_bytes);
  EXPECT_EQ(back->index, head.index);
  EXPECT_EQ(back->bytes, head.bytes);
  EXPECT_EQ(back->digest, head.digest);
  raw[0] = std::byte{'l'};
  EXPECT_FALSE(parse_record_head(raw).ok());
}

// Computed by a program of its own from the definition in
// docs/file-formats.md.
TEST(ProofRoot, IsTheSpongeThatIsSpecified) {
  root_sponge empty({256, 0, false});
  empty.add(0, 0, segment_digest{});
  EXPECT_EQ(to_text(empty.finish(1, 0)),
            "e29c1465fbf1fc7232764d24bfb2a5029f088205477d9758fe4e422837262a23");

  root_sponge part({65536, 5, true});
  segment_digest digest{1, 2, 3, 4, 5, 6, 7, 8};
  part.add(5, 3916800, digest);
  digest.fill(2130706432);
  part.add(6, 3916800, digest);
  EXPECT_EQ(to_text(part.finish(2, 7833600)),
            "6830ad724c37b713f575e319e19ca23fb95d6a1e4ad43158f99ac7430da56216");

  const std::uint64_t first = (std::uint64_t{1} << 59) + 7;
  root_sponge late({1u << 20, first, false});
  std::iota(digest.begin(), digest.end(), 0);
  late.add(first, 62668800, digest);
  std::iota(digest.begin(), digest.end(), 100);
  late.add(first + 1, 12345, digest);
  EXPECT_EQ(to_text(late.finish(2, 62668800 + 12345)),
            "d786033ffd576c0728260c28b33c6b419885937e0c7d084c4d9653684062845c");
}

TEST(ProofRoot, IsReadBackFromText) {
  const std::string text =
      "e29c1465fbf1fc7232764d24bfb2a5029f088205477d9758fe4e422837262a23";
  const auto root = parse_root(text);
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(to_text(*root), text);
  for (const std::string& bad :
       {std::string(), text.substr(2), text + "00", "g" + text.substr(1),
        "-" + text.substr(1), " " + text.substr(1)}) {
    EXPECT_EQ(parse_root(bad).error().code(), status_code::invalid_argument)
        << bad;
  }
}

TEST(ProofInspect, SumsUpWhatIsThere) {
  const bytes stream = stream_of(
      header_of(256), {segment(15300, 1), segment(15300, 20), segment(5, 40)});
  std::vector<segment_description> seen;
  std::vector<std::size_t> sizes;
  const auto total = inspect(
      reader_of(stream), [&](const segment_description& what, byte_view proof) {
        seen.push_back(what);
        sizes.push_back(proof.size());
        return status{};
      });
  ASSERT_TRUE(total.ok()) << total.error().message();
  EXPECT_EQ(total->segments, 3u);
  EXPECT_EQ(total->bytes, 30605u);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1].position.index, 1u);
  EXPECT_FALSE(seen[1].position.last);
  EXPECT_TRUE(seen[2].position.last);
  EXPECT_EQ(seen[2].bytes, 5u);
  EXPECT_EQ(seen[2].digest, segment(5, 40).digest);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{least + 1, least + 6, least + 5}));
}

TEST(ProofInspect, EndsWithTheVisitorsFailure) {
  const bytes stream = stream_of(header_of(256), {segment(5, 1)});
  const auto total =
      inspect(reader_of(stream), [](const segment_description&, byte_view) {
        return status(status_code::io_error, "enough");
      });
  EXPECT_EQ(total.error().message(), "enough");
}

TEST(ProofInspect, RefusesAStreamCutShortAtAnyByte) {
  const bytes stream =
      stream_of(header_of(256), {segment(15300, 1), segment(5, 2)});
  EXPECT_TRUE(look_into(stream).ok());
  for (std::size_t n = 0; n < stream.size(); ++n) {
    const byte_view head = byte_view(stream).first(n);
    std::size_t at = 0;
    const auto total = inspect([&](byte_span into) -> result<std::size_t> {
      const std::size_t size = std::min(into.size(), n - at);
      std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(at), size,
                  into.begin());
      at += size;
      return size;
    });
    EXPECT_EQ(total.error().code(), status_code::invalid_data) << n;
  }
}

// But for the proofs' own bytes, which only verify() looks at.
TEST(ProofInspect, RefusesAnyOtherByte) {
  const stream_header header = header_of(256, 3, true);
  const std::vector<made_segment> segments = {segment(15300, 1),
                                              segment(15300, 2)};
  const bytes stream = stream_of(header, segments);
  ASSERT_TRUE(look_into(stream).ok());
  const std::size_t begin = serialize(header).size();
  const std::size_t wire = serialize(header).find("p3-0.6") + 5;
  // Where the heads lie.
  const std::size_t second =
      begin + record_head_bytes + segments[0].proof.size();
  const std::size_t end = second + record_head_bytes + segments[1].proof.size();
  ASSERT_EQ(end + record_head_bytes, stream.size());
  for (std::size_t i = 0; i < stream.size(); ++i) {
    const bool in_proof = (i >= begin + record_head_bytes && i < second) ||
                          (i >= second + record_head_bytes && i < end);
    if (in_proof) continue;
    for (int bit = 0; bit < 8; ++bit) {
      bytes other = stream;
      other[i] ^= static_cast<std::byte>(1 << bit);
      // 6 ^ 1 = 7: another wire format, of which the root knows nothing.
      if (i == wire && bit == 0) continue;
      EXPECT_EQ(look_into(other).code(), status_code::invalid_data)
          << i << ", bit " << bit;
    }
  }
  bytes longer = stream;
  longer.push_back({});
  EXPECT_EQ(look_into(longer).message(), "end: something follows it");
}

struct broken_case {
  const char* what;
  const char* message;
  void (*change)(std::vector<record_head>&);
  bool partial = false;
};

class ProofOrder : public testing::TestWithParam<broken_case> {};

// Heads alone, fed to the rules one by one.
TEST_P(ProofOrder, IsEnforced) {
  using kind = record_kind;
  const auto size = static_cast<std::uint32_t>(least);
  std::vector<record_head> heads = {{kind::segment, size, 0, 15300, {}},
                                    {kind::segment, size, 1, 15300, {}},
                                    {kind::last_segment, size, 2, 7, {}},
                                    {kind::end, 0, 3, 30607, {}}};
  GetParam().change(heads);
  record_order order(header_of(256, 0, GetParam().partial));
  status outcome;
  for (const record_head& head : heads) {
    if (outcome.ok()) outcome = order.take(head);
  }
  EXPECT_EQ(outcome.message(), GetParam().message);
}

using heads_of = std::vector<record_head>&;
INSTANTIATE_TEST_SUITE_P(
    Rules, ProofOrder,
    testing::Values(
        broken_case{"nothing", "", [](heads_of) {}},
        broken_case{"missing", "segment 1: the record bears the number 2",
                    [](heads_of h) { h.erase(h.begin() + 1); }},
        broken_case{"twice", "segment 1: the record bears the number 0",
                    [](heads_of h) { h.insert(h.begin(), h[0]); }},
        broken_case{"no_last",
                    "end: no segment before it is marked as the last one",
                    [](heads_of h) { h.erase(h.begin() + 2); }},
        broken_case{"after_last", "segment 1: it follows the last segment",
                    [](heads_of h) { h[0].kind = record_kind::last_segment; }},
        broken_case{"short_inside",
                    "segment 1: shorter than 15300 bytes, but not the last one",
                    [](heads_of h) { h[1].bytes = 15299; }},
        broken_case{"too_long", "segment 2: more bytes than 15300",
                    [](heads_of h) { h[2].bytes = 15301; }},
        broken_case{"empty_end", "segment 2: empty, but not alone",
                    [](heads_of h) { h[2].bytes = 0; }},
        broken_case{"no_segment", "end: there is no segment before it",
                    [](heads_of h) { h.erase(h.begin(), h.begin() + 3); }},
        broken_case{"end_with_proof", "end: it holds a proof",
                    [](heads_of h) { h[3].proof_bytes = 1; }},
        broken_case{"no_field_element",
                    "segment 0: its digest holds a number that is no field "
                    "element",
                    [](heads_of h) { h[0].digest.fill(std::byte{0xff}); }},
        broken_case{"last_in_part",
                    "segment 2: marked as the last one in a partial stream",
                    [](heads_of) {}, true}),
    [](const auto& given) { return given.param.what; });

TEST(ProofOrderRules, NoProofIsLongerOrShorterThanItsLimits) {
  const std::uint64_t limit = proof_size_limit(5, {});
  record_head head{
      record_kind::last_segment, static_cast<std::uint32_t>(limit), 0, 5, {}};
  EXPECT_TRUE(record_order(header_of(256)).take(head).ok());
  ++head.proof_bytes;
  EXPECT_FALSE(record_order(header_of(256)).take(head).ok());
  head.proof_bytes = static_cast<std::uint32_t>(least);
  EXPECT_TRUE(record_order(header_of(256)).take(head).ok());
  --head.proof_bytes;
  EXPECT_FALSE(record_order(header_of(256)).take(head).ok());
}

struct joined {
  status outcome;
  bytes stream;
};

joined join_all(const std::vector<bytes>& streams) {
  joined out;
  std::vector<part> parts;
  for (const bytes& each : streams) {
    parts.push_back({"part " + std::to_string(parts.size()), reader_of(each)});
  }
  out.outcome = join(parts, [&out](byte_view data) {
                  append(out.stream, data);
                  return status{};
                }).error();
  return out;
}

TEST(ProofJoin, MakesTheStreamThatWasNeverCut) {
  const std::vector<made_segment> all = {segment(15300, 1), segment(15300, 2),
                                         segment(15300, 3), segment(9, 4)};
  const bytes whole = stream_of(header_of(256), all);
  const bytes a = stream_of(header_of(256, 0, true), {all[0], all[1]});
  const bytes b = stream_of(header_of(256, 2, true), {all[2]});
  const bytes c = stream_of(header_of(256, 3), {all[3]});
  const joined abc = join_all({a, b, c});
  ASSERT_TRUE(abc.outcome.ok()) << abc.outcome.message();
  EXPECT_EQ(abc.stream, whole);
  // And parts of parts.
  const joined bc = join_all({b, c});
  ASSERT_TRUE(bc.outcome.ok());
  EXPECT_EQ(join_all({a, bc.stream}).stream, whole);
  const joined ab = join_all({a, b});
  EXPECT_EQ(ab.stream,
            stream_of(header_of(256, 0, true), {all[0], all[1], all[2]}));
  EXPECT_EQ(join_all({whole}).stream, whole);
}

TEST(ProofJoin, RefusesWhatDoesNotFit) {
  const auto full = segment(15300, 1);
  const bytes a = stream_of(header_of(256, 0, true), {full});
  const bytes b = stream_of(header_of(256, 1, true), {full});
  const bytes c = stream_of(header_of(256, 2), {segment(9, 4)});
  const auto refusal = [](const std::vector<bytes>& streams) {
    const joined out = join_all(streams);
    EXPECT_EQ(out.outcome.code(), status_code::invalid_data);
    return out.outcome.message();
  };
  EXPECT_EQ(refusal({a, c}),
            "part 1: it begins with segment 2, where 1 should follow");
  EXPECT_EQ(refusal({b, a}),
            "part 1: it begins with segment 0, where 2 should follow");
  EXPECT_EQ(refusal({a, a}),
            "part 1: it begins with segment 0, where 1 should follow");
  EXPECT_EQ(refusal({c, b}),
            "part 0: it is the end of a stream, and other parts follow");
  EXPECT_EQ(refusal({a, stream_of(header_of(512, 1), {segment(9, 1)})}),
            "part 1: its segments are of 512 rows, those of the parts before "
            "of 256");
  stream_header other = header_of(256, 1);
  other.options.wire = proof_wire::p3_0_7;
  EXPECT_EQ(refusal({a, stream_of(other, {segment(9, 1)})}),
            "part 1: its proofs are of another profile or wire format");
  bytes cut = b;
  cut.pop_back();
  EXPECT_EQ(refusal({a, cut, c}),
            "part 1: the stream is cut short after 1 segments, within the "
            "next record");
  EXPECT_EQ(refusal({a, bytes(100)}), "part 1: not a proof stream");
  EXPECT_EQ(join_all({}).outcome.code(), status_code::invalid_argument);
}

TEST(ProofJoin, EndsWithTheWritersFailure) {
  const bytes whole = stream_of(header_of(256), {segment(9, 4)});
  const auto outcome = join({{"it", reader_of(whole)}}, [](byte_view) {
    return status(status_code::io_error, "full");
  });
  EXPECT_EQ(outcome.error().message(), "full");
}

}  // namespace
}  // namespace nexus::proofs
