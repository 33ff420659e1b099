#include "format/armor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "format/base64.hpp"

namespace nexus {
namespace {

const std::string begin = std::string(armor_begin) + "\n";
const std::string end = std::string(armor_end) + "\n";
const std::string full_line(64, 'A');  // 48 zero bytes

struct decoded {
  status fed;
  bytes out;
  bool at_full_line = false;
  bool crlf = false;
};

// Fed in pieces of this size, then finished.
decoded decode(const std::string& text, std::size_t piece = 1u << 20) {
  decoded r;
  armor_decoder decoder;
  for (std::size_t at = 0; at < text.size() && r.fed.ok(); at += piece) {
    r.fed =
        decoder.feed(as_bytes(std::string_view(text).substr(at, piece)), r.out);
    if (r.fed.ok()) r.at_full_line = decoder.at_full_line();
  }
  r.crlf = decoder.crlf();
  if (r.fed.ok()) r.fed = decoder.finish();
  return r;
}

std::string with_crlf(const std::string& text) {
  std::string out;
  for (char c : text)
    out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

std::string armor(byte_view data) {
  std::string out = begin;
  const std::string text = encode_padded_base64(data);
  for (std::size_t i = 0; i < text.size(); i += 64) {
    out += text.substr(i, 64) + "\n";
  }
  return out + end;
}

struct wrong {
  std::string text;
  std::string message;
};

TEST(ArmorDecoder, NamesWhatIsWrongAndWhere) {
  const std::string full = full_line + "\n";
  const std::vector<wrong> cases = {
      {begin + full, "armor: line 3: the END line is missing: truncated"},
      {begin + full + full_line, "armor: line 3: the END line is missing"},
      {begin + full + "AAAA", "armor: line 3: the END line is missing"},
      {begin, "armor: line 2: the END line is missing"},
      {"", "armor: line 1: the END line is missing"},
      {begin + full + "\n" + end, "armor: line 3: empty line"},
      {begin + "\n" + full + end, "armor: line 2: empty line"},
      {begin + full + "  \n" + end, "armor: line 3: empty line"},
      {begin + full_line + "A\n" + end,
       "armor: line 2: longer than 64 characters"},
      {begin + std::string(5000, 'A'),
       "armor: line 2: longer than 64 characters"},
      {begin + "Comment: hello\n" + end,
       "armor: line 2: PEM headers are not allowed"},
      {begin + "AAA\n" + end, "armor: line 2: not canonical base64"},
      {begin + "AB==\n" + end, "armor: line 2: not canonical base64"},
      {begin + "AAA*\n" + end, "armor: line 2: not canonical base64"},
      {begin + "AA=\n=\n" + end, "armor: line 2: not canonical base64"},
      {begin + "=AAA\n" + end, "armor: line 2: not canonical base64"},
      {begin + "AA==AAAA\n" + end, "armor: line 2: not canonical base64"},
      {begin + "A===\n" + end, "armor: line 2: not canonical base64"},
      {begin + "====\n" + end, "armor: line 2: not canonical base64"},
      {begin + "AAAA\nAAAA\n" + end,
       "armor: line 3: not the END line, which follows a short"},
      {begin + "AAAA\n\n" + end, "armor: line 3: not the END line"},
      {begin + "AAAA \n" + end, "armor: line 2: whitespace at"},
      {begin + " AAAA\n" + end, "armor: line 2: whitespace at"},
      {begin + "AAAA\r\r\n" + end, "armor: line 2: whitespace at"},
      {begin + "-----END AGE ENCRYPTED FILE-----x\n",
       "armor: line 2: not the line '-----END"},
      {begin + "-----END AGE ENCRYPTED FILE----- \n",
       "armor: line 2: whitespace"},
      {begin + begin + end, "armor: line 2: not the line '-----END"},
      {" " + begin + end, "armor: line 1: whitespace ahead of the BEGIN text"},
      {"\n\t" + begin + end, "armor: line 2: whitespace ahead"},
      {std::string(armor_begin) + " \n" + end,
       "armor: line 1: not the line '-----BEGIN"},
      {begin + end + "x", "armor: line 3: text after the END line"},
      {begin + end + "\n\n" + begin, "armor: line 5: text after the END line"},
  };
  for (const wrong& c : cases) {
    for (const std::size_t piece : {1u, 2u, 7u, 65u, 66u, 1u << 20}) {
      const decoded r = decode(c.text, piece);
      EXPECT_EQ(r.fed.code(), status_code::invalid_data) << c.text;
      EXPECT_EQ(r.fed.message().substr(0, c.message.size()), c.message)
          << c.text << " in pieces of " << piece;
    }
  }
}

TEST(ArmorDecoder, KeepsWhatStandsAheadOfTheWrongLine) {
  for (const std::size_t piece : {1u, 3u, 65u, 500u}) {
    const decoded r =
        decode(begin + full_line + "\n" + full_line + "\n!!!!\n" + end, piece);
    EXPECT_FALSE(r.fed.ok());
    EXPECT_EQ(r.out, bytes(96));
  }
}

TEST(ArmorDecoder, BoundsTheWhitespaceOnEitherSide) {
  const std::string most(armor_max_space, '\n');
  EXPECT_TRUE(decode(most + begin + "AAAA\n" + end).fed.ok());
  EXPECT_TRUE(decode(begin + "AAAA\n" + end + most).fed.ok());
  EXPECT_TRUE(decode(most + begin + "AAAA\n" + end + most, 5).fed.ok());
  EXPECT_EQ(decode("\n" + most + begin + end, 100).fed.message(),
            "armor: line 1025: too much whitespace ahead of the BEGIN line");
  EXPECT_EQ(decode(begin + end + most + " ", 100).fed.message(),
            "armor: line 1027: too much whitespace after the END line");
}

TEST(ArmorDecoder, ReadsBackEveryLengthInEveryPieceSize) {
  for (std::size_t n = 0; n <= 200; ++n) {
    bytes data(n);
    for (std::size_t i = 0; i < n; ++i) data[i] = static_cast<std::byte>(i * 7);
    for (const bool crlf : {false, true}) {
      const std::string text = crlf ? with_crlf(armor(data)) : armor(data);
      for (const std::size_t piece : {1u, 2u, 64u, 65u, 66u, 67u, 4096u}) {
        const decoded r = decode(text, piece);
        EXPECT_TRUE(r.fed.ok()) << r.fed.message();
        EXPECT_EQ(r.out, data) << n << " bytes in pieces of " << piece;
        EXPECT_EQ(r.crlf, crlf);
      }
    }
  }
}

TEST(ArmorDecoder, TakesMixedLineEndingsAndAMissingLastOne) {
  const std::string text = begin + full_line + "\r\n" + full_line +
                           "\nAAAA\r\n" + std::string(armor_end);
  for (const std::size_t piece : {1u, 66u, 4096u}) {
    const decoded r = decode(text, piece);
    EXPECT_TRUE(r.fed.ok()) << r.fed.message();
    EXPECT_EQ(r.out, bytes(99));
    EXPECT_TRUE(decode(text + "\r", piece).fed.ok());
  }
}

TEST(ArmorDecoder, KnowsWhereWholeLinesMayFollow) {
  armor_decoder decoder;
  bytes out;
  EXPECT_FALSE(decoder.at_full_line());
  ASSERT_TRUE(decoder.feed(as_bytes(begin), out).ok());
  EXPECT_TRUE(decoder.at_full_line());
  ASSERT_TRUE(decoder.feed(as_bytes("AA"), out).ok());
  EXPECT_FALSE(decoder.at_full_line());
  ASSERT_TRUE(decoder.feed(as_bytes(full_line.substr(2) + "\n"), out).ok());
  EXPECT_TRUE(decoder.at_full_line());
  decoder.skip_lines(100);
  ASSERT_TRUE(decoder.feed(as_bytes("AA==\n"), out).ok());
  EXPECT_FALSE(decoder.at_full_line());
  EXPECT_FALSE(decoder.ended());
  EXPECT_EQ(out.size(), 49u);
  EXPECT_EQ(decoder.finish().message(),
            "armor: line 104: the END line is missing: truncated");
}

TEST(GuessArmor, AsksForMoreUntilItCanTell) {
  const auto guess = [](const std::string& head, bool at_end) {
    return guess_armor(as_bytes(head), at_end);
  };
  for (const std::string& space : {std::string(), std::string(" \r\n\t"),
                                   std::string(armor_max_space, '\n')}) {
    for (std::size_t n = 0; n < armor_begin.size(); ++n) {
      const std::string head = space + begin.substr(0, n);
      EXPECT_EQ(guess(head, false), armor_guess::unsure) << head;
      EXPECT_EQ(guess(head, true), armor_guess::binary) << head;
    }
    EXPECT_EQ(guess(space + begin, false), armor_guess::armored);
    EXPECT_EQ(guess(space + std::string(armor_begin), true),
              armor_guess::armored);
  }
  EXPECT_EQ(guess("age-encryption.org/v1\n", false), armor_guess::binary);
  EXPECT_EQ(guess("-----BEGIN age", false), armor_guess::binary);
  EXPECT_EQ(guess(std::string(armor_max_space + 1, ' '), false),
            armor_guess::binary);
}

}  // namespace
}  // namespace nexus
