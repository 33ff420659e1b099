// Decrypting armor whose text is cut into segments: lines that the devices do
// not take, errors far into the stream, and which of two errors is reported.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "format/armor.hpp"
#include "support/age_files.hpp"

namespace nexus {
namespace {

using namespace test;

constexpr std::size_t text_size = 131072 + 500;  // 2 chunks and a bit
const std::vector<std::uint64_t> segments = {1, 650, 66 * 40, 1000000};

const std::vector<std::string>& good_lines() {
  static const std::vector<std::string> lines =
      lines_of(encrypted(text_size, true));
  return lines;
}

// Fails as told in every segment size, and releases just these bytes.
void expect_refused(const bytes& file, const std::string& message,
                    std::size_t released) {
  for (const std::uint64_t segment : segments) {
    const run_result r = decrypt(file, in_segments(segment));
    EXPECT_EQ(r.end.code(), status_code::invalid_data);
    EXPECT_EQ(r.end.message().substr(0, message.size()), message)
        << "in segments of " << segment;
    EXPECT_TRUE(r.output == sample(released))
        << r.output.size() << " bytes in segments of " << segment;
  }
}

std::string line_number(std::size_t index) {
  return "armor: line " + std::to_string(index + 1) + ": ";
}

TEST(AgeArmored, NamesTheWrongLineWhereverItStands) {
  // Lines of the header, of the first chunk, of the third, and the last ones.
  const std::size_t last = good_lines().size() - 2;
  for (const std::size_t at : {1ul, 9ul, 700ul, 1500ul, last - 700, last - 1}) {
    const std::size_t chunks =
        at * 48 < 200 ? 0 : ((at - 1) * 48 - 184) / 65552;
    std::vector<std::string> lines = good_lines();
    lines[at][5] = '*';
    expect_refused(joined(lines), line_number(at) + "not canonical base64",
                   chunks * 65536);
    lines = good_lines();
    lines[at] += "A";
    expect_refused(joined(lines), line_number(at) + "longer than 64",
                   chunks * 65536);
    lines = good_lines();
    lines[at].pop_back();
    expect_refused(joined(lines), line_number(at) + "not canonical base64",
                   chunks * 65536);
    lines = good_lines();
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), "");
    expect_refused(joined(lines), line_number(at) + "empty line",
                   chunks * 65536);
    lines[at] = "Comment: x";
    expect_refused(joined(lines), line_number(at) + "PEM headers",
                   chunks * 65536);
    if (at == 1) continue;  // "AAAA" would be a wrong header ahead of it
    lines[at] = "AAAA";
    expect_refused(joined(lines), line_number(at + 1) + "not the END line",
                   chunks * 65536);
  }
}

TEST(AgeArmored, TakesLinesThatEndDifferently) {
  const std::vector<std::string>& lines = good_lines();
  for (const bool mostly_crlf : {false, true}) {
    for (std::size_t odd = 0; odd < lines.size(); odd += odd < 12 ? 1 : 397) {
      std::string text;
      for (std::size_t i = 0; i < lines.size(); ++i) {
        text += lines[i] + ((i == odd) == mostly_crlf ? "\n" : "\r\n");
      }
      for (const std::uint64_t segment : segments) {
        const run_result r = decrypt(as_bytes(text), in_segments(segment));
        EXPECT_TRUE(r.end.ok()) << r.end.message() << ", odd line " << odd;
        EXPECT_TRUE(r.output == sample(text_size)) << "odd line " << odd;
      }
    }
  }
}

TEST(AgeArmored, HasRoomWhereLinesGetShorterAfterThePrologue) {
  // The header's lines end in CR LF, and all others in LF.
  std::string text;
  for (std::size_t i = 0; i < good_lines().size(); ++i) {
    text += good_lines()[i] + (i < 12 ? "\r\n" : "\n");
  }
  for (const std::uint64_t segment : segments) {
    const run_result r = decrypt(as_bytes(text), in_segments(segment));
    EXPECT_TRUE(r.end.ok()) << r.end.message();
    EXPECT_TRUE(r.output == sample(text_size));
  }
}

TEST(AgeArmored, BoundsTheWhitespaceAfterTheEndOverAllSegments) {
  const bytes file = joined(good_lines());
  for (const std::uint64_t segment : segments) {
    bytes padded = file;
    append(padded, as_bytes(std::string(armor_max_space, ' ')));
    const run_result r = decrypt(padded, in_segments(segment));
    EXPECT_TRUE(r.end.ok()) << r.end.message();
    EXPECT_TRUE(r.output == sample(text_size));
  }
  bytes padded = file;
  append(padded, as_bytes(std::string(armor_max_space + 1, '\n')));
  expect_refused(padded,
                 line_number(good_lines().size() + armor_max_space) +
                     "too much whitespace after",
                 131072);
  padded.resize(file.size() + 700);
  append(padded, as_bytes("x"));
  expect_refused(padded, line_number(good_lines().size() + 700) + "text after",
                 131072);
  padded = file;
  append(padded, file);
  expect_refused(padded, line_number(good_lines().size()) + "text after",
                 131072);
}

TEST(AgeArmored, TakesNoFullLineAfterTheEnd) {
  // In a segment of its own, a device finds nothing wrong with the line.
  const std::string line = std::string(64, 'A') + "\n";
  for (const std::size_t n : {5u, 1000u}) {
    const bytes file = encrypted(n, true);
    const std::size_t lines = lines_of(file).size();
    // Where the segments begin is up to the prologue: try every distance.
    for (std::size_t space = 0; space < 65; ++space) {
      bytes longer = file;
      append(longer, as_bytes(std::string(space, ' ') + line + line));
      const run_result r = decrypt(longer, in_segments(65));
      EXPECT_EQ(r.end.message(), line_number(lines) + "text after the END line")
          << space << " spaces";
    }
  }
}

TEST(AgeArmored, TakesWhitespaceAheadOfTheBeginLine) {
  for (const std::string& space : {std::string("\n"), std::string("  \r\n\t\n"),
                                   std::string(armor_max_space, '\n')}) {
    bytes file = to_bytes(space);
    append(file, joined(good_lines()));
    for (const std::uint64_t segment : segments) {
      EXPECT_TRUE(decrypt(file, in_segments(segment)).output ==
                  sample(text_size));
    }
  }
  bytes file = to_bytes(" ");
  append(file, joined(good_lines()));
  expect_refused(file, "armor: line 1: whitespace ahead of the BEGIN text", 0);
}

TEST(AgeArmored, ReportsTheErrorThatComesFirst) {
  // The armor lacks its end, and a chunk is wrong.
  for (std::size_t chunk = 0; chunk < 2; ++chunk) {
    std::vector<std::string> lines = good_lines();
    lines.pop_back();
    std::string& line = lines[10 + chunk * 1366];
    line[5] = line[5] == 'A' ? 'B' : 'A';
    expect_refused(joined(lines),
                   "payload: chunk " + std::to_string(chunk) + " does not",
                   chunk * 65536);
  }
  // Without its last line, the final chunk is cut off by the armor's error.
  std::vector<std::string> lines = good_lines();
  lines.pop_back();
  expect_refused(joined(lines),
                 line_number(lines.size()) + "the END line is missing", 131072);
}

TEST(AgeArmored, WaitsWithAFullFinalChunkForTheEnd) {
  // The final chunk is full: it may end a segment that is not the last one.
  for (const std::size_t n : {65536u, 131072u}) {
    const std::vector<std::string> lines = lines_of(encrypted(n, true));
    for (std::uint64_t segment = 65; segment < 65 * 1400; segment += 65 * 53) {
      const run_result r = decrypt(joined(lines), in_segments(segment));
      EXPECT_TRUE(r.end.ok()) << r.end.message();
      EXPECT_TRUE(r.output == sample(n));
    }
    std::vector<std::string> cut = lines;
    cut.pop_back();
    expect_refused(joined(cut),
                   line_number(cut.size()) + "the END line is missing", n);
  }
}

TEST(AgeArmored, NoticesDataAfterTheFinalChunk) {
  for (const std::size_t n : {65536u, 131072u}) {
    bytes binary = encrypted(n, false);
    append(binary, sample(100));
    const bytes encoded = naive_armor_encode(binary).output;
    bytes file = to_bytes(std::string(armor_begin) + "\n");
    append(file, encoded);
    append(file, as_bytes(std::string(armor_end) + "\n"));
    expect_refused(file, "payload: data after the final chunk", n);
  }
}

TEST(AgeArmored, ReadsAFileWhoseHeaderIsMostOfIt) {
  age::encrypt_options options = to_test_identity(true);
  for (int i = 0; i < 300; ++i) {
    auto other = age::identity::generate();
    ASSERT_TRUE(other.ok());
    options.recipients.insert(options.recipients.begin(),
                              other->to_recipient());
  }
  auto op = age::make_encrypt(options);
  const bytes file = run_operation(*op, sample(10)).output;
  for (const std::uint64_t segment : segments) {
    for (const std::size_t ahead : {0u, 1u << 20}) {
      const run_result r = decrypt(file, in_segments(segment, ahead));
      EXPECT_TRUE(r.end.ok()) << r.end.message();
      EXPECT_EQ(r.output, sample(10));
    }
  }
}

}  // namespace
}  // namespace nexus
