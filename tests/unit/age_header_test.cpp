#include "format/age_header.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nexus {
namespace {

// The vector "x25519" of the C2SP age test kit, and its file key.
constexpr std::string_view good =
    "age-encryption.org/v1\n"
    "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
    "hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE\n"
    "--- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg\n";

constexpr std::string_view version = "age-encryption.org/v1\n";
constexpr std::string_view mac_line =
    "--- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg\n";

file_key test_key() {
  file_key key;
  const byte_view text = as_bytes("YELLOW SUBMARINE");
  std::copy(text.begin(), text.end(), key.data());
  return key;
}

// A header whose stanzas are these lines.
std::string around(std::string_view stanzas) {
  return std::string(version) + std::string(stanzas) + std::string(mac_line);
}

status refusal_of(std::string_view text) {
  const auto parsed = parse_age_header(as_bytes(text), true);
  if (parsed.ok()) return {};
  EXPECT_EQ(parsed.error().code(), status_code::invalid_data);
  return parsed.error();
}

std::string why_not(std::string_view text) {
  const status s = refusal_of(text);
  return s.ok() ? "accepted" : s.message();
}

age_header parsed(std::string_view text) {
  const auto header = parse_age_header(as_bytes(text), true);
  EXPECT_TRUE(header.ok()) << header.error().message();
  return header.ok() && header.value() ? *header.value() : age_header{};
}

TEST(AgeHeader, RefusesWhatIsNotAnAgeFile) {
  EXPECT_EQ(why_not(""), "age header, byte 0: the file is empty");
  EXPECT_EQ(why_not("hello"), "age header, byte 0: not an age file");
  EXPECT_EQ(why_not("age-encryption.org/v2\n"),
            "age header, byte 19: the version of the format is not v1");
  EXPECT_EQ(why_not("age-encryption.org/v11\n"),
            "age header, byte 19: the version of the format is not v1");
}

TEST(AgeHeader, HintsAtTransfersThatChangedTheText) {
  const status crlf = refusal_of("age-encryption.org/v1\r\n-> X25519");
  EXPECT_EQ(crlf.message(),
            "age header, byte 21: the line ends with CR and LF");
  EXPECT_NE(crlf.hint().find("PowerShell"), std::string::npos);
  const status utf16 =
      refusal_of(std::string_view("\xff\xfe"
                                  "a\0g\0",
                                  6));
  EXPECT_EQ(utf16.message(),
            "age header, byte 0: not an age file but UTF-16 text");
  EXPECT_NE(utf16.hint().find("PowerShell"), std::string::npos);
}

TEST(AgeHeader, RefusesAFileWithoutStanza) {
  EXPECT_EQ(why_not(around("")),
            "age header, byte 22: the header has no stanza");
}

TEST(AgeHeader, RefusesBadStanzaLines) {
  EXPECT_EQ(why_not(around("->\n\n")),
            "age header, byte 22: the stanza has no type");
  EXPECT_EQ(why_not(around("-> \n\n")),
            "age header, byte 25: a stanza argument is empty");
  EXPECT_EQ(why_not(around("-> a  b\n\n")),
            "age header, byte 27: a stanza argument is empty");
  EXPECT_EQ(why_not(around("-> a \n\n")),
            "age header, byte 27: a stanza argument is empty");
  constexpr const char* character =
      ": a character that stanza arguments cannot have";
  for (const char* bad : {"\r", "\t", "\x1f", "\x7f", "\x80", "\xc3\xa9"}) {
    EXPECT_EQ(why_not(around("-> a" + std::string(bad) + "\n\n")),
              std::string("age header, byte 26") + character);
    EXPECT_EQ(why_not(around("-> " + std::string(bad) + "\n\n")),
              std::string("age header, byte 25") + character);
  }
  EXPECT_EQ(why_not(around("->a\n\n")),
            std::string("age header, byte 24") + character);
  constexpr const char* neither =
      "age header, byte 22: neither a stanza nor the end of the header";
  EXPECT_EQ(why_not(around("--> a\n\n")), neither);
  EXPECT_EQ(why_not(around("\n")), neither);
  EXPECT_EQ(why_not(around(" -> a\n\n")), neither);
}

TEST(AgeHeader, RefusesBadBodies) {
  const std::string full(64, 'A');
  constexpr const char* not_base64 =
      "age header, byte 27: a stanza's body is not canonical base64";
  EXPECT_EQ(why_not(around("-> a\nAA==\n")), not_base64);
  EXPECT_EQ(why_not(around("-> a\nAB\n")), not_base64);
  EXPECT_EQ(why_not(around("-> a\nA\n")), not_base64);
  EXPECT_EQ(why_not(around("-> a\nAA\r\n")), not_base64);
  EXPECT_EQ(why_not(around("-> a\n" + full + "A\n")),
            "age header, byte 27: a line of a stanza's body is too long");
  EXPECT_EQ(why_not(around("-> a\nAA\nAA\n")),
            "age header, byte 30: neither a stanza nor the end of the header");
  constexpr const char* no_last =
      ": the stanza's body does not end with a line of less than 64 characters";
  EXPECT_EQ(why_not(around("-> a\n")),
            std::string("age header, byte 27") + no_last);
  EXPECT_EQ(why_not(around("-> a\n" + full + "\n")),
            std::string("age header, byte 92") + no_last);
}

TEST(AgeHeader, RefusesBadMacLines) {
  const auto with = [](std::string_view end) {
    return why_not(std::string(version) + "-> a\n\n" + std::string(end));
  };
  const std::string mac(mac_line.substr(4, 43));
  EXPECT_EQ(with("---" + mac + "\n"),
            "age header, byte 28: the line of the MAC does not begin with "
            "\"--- \"");
  EXPECT_EQ(with("--- " + mac + " \n"),
            "age header, byte 28: the line of the MAC is too long");
  EXPECT_EQ(with("--- " + mac + "=\n"),
            "age header, byte 28: the line of the MAC is too long");
  EXPECT_EQ(with("--- " + mac.substr(0, 40) + "\n"),
            "age header, byte 32: the MAC is not 32 bytes long");
  EXPECT_EQ(with("--- " + mac.substr(0, 42) + "h\n"),
            "age header, byte 32: the MAC is not canonical base64");
  EXPECT_EQ(with("--- \n"),
            "age header, byte 32: the MAC is not 32 bytes long");
}

TEST(AgeHeader, RefusesEveryTruncation) {
  for (std::size_t n = 1; n < good.size(); ++n) {
    EXPECT_NE(
        why_not(good.substr(0, n)).find("the file ends within the header"),
        std::string::npos)
        << n;
  }
}

TEST(AgeHeader, RefusesMoreThan2MiB) {
  constexpr std::size_t limit = std::size_t{2} << 20;
  std::string text(version);
  text += "-> ";
  text.append(limit, 'a');
  constexpr const char* message =
      "age header, byte 2097152: the header is longer than 2 MiB";
  const auto growing = parse_age_header(as_bytes(text).first(limit), false);
  ASSERT_FALSE(growing.ok());
  EXPECT_EQ(growing.error().message(), message);
  EXPECT_EQ(why_not(text), message);
  const auto below = parse_age_header(as_bytes(text).first(limit - 1), false);
  ASSERT_TRUE(below.ok());
  EXPECT_FALSE(below.value().has_value());
}

TEST(AgeHeader, AsksForMoreUntilItIsComplete) {
  const std::string file = std::string(good) + "payload";
  for (std::size_t n = 0; n <= file.size(); ++n) {
    const auto header = parse_age_header(as_bytes(file).first(n), false);
    ASSERT_TRUE(header.ok()) << n;
    EXPECT_EQ(header.value().has_value(), n >= good.size()) << n;
  }
}

TEST(AgeHeader, RefusesBeforeItsEndWhatCanNotBecomeRight) {
  EXPECT_FALSE(parse_age_header(as_bytes("agf"), false).ok());
  const std::string line = "age-encryption.org/v1\n-> a\n";
  EXPECT_TRUE(
      parse_age_header(as_bytes(line + std::string(64, 'A')), false).ok());
  EXPECT_FALSE(
      parse_age_header(as_bytes(line + std::string(65, 'A')), false).ok());
}

TEST(AgeHeader, ReadsStanzasAndSizes) {
  const std::string text =
      around("-> type arg !~ +\n" + std::string(64, 'A') + "\n\n-> x\nAQ\n") +
      "payload";
  const age_header header = parsed(text);
  ASSERT_EQ(header.stanzas.size(), 2U);
  EXPECT_EQ(header.stanzas[0].type, "type");
  EXPECT_EQ(header.stanzas[0].args,
            (std::vector<std::string>{"arg", "!~", "+"}));
  EXPECT_EQ(header.stanzas[0].body, bytes(48));
  EXPECT_EQ(header.stanzas[1].type, "x");
  EXPECT_TRUE(header.stanzas[1].args.empty());
  EXPECT_EQ(header.stanzas[1].body, bytes(1, std::byte{1}));
  EXPECT_EQ(header.size, text.size() - 7);
  EXPECT_EQ(header.mac_size, text.size() - 7 - 45);
  EXPECT_EQ(header.mac[0], std::byte{0x5b});
  EXPECT_EQ(header.mac[31], std::byte{0xd8});
}

TEST(AgeHeader, MacRefusesAnotherKeyAndAnotherHeader) {
  const age_header header = parsed(good);
  const file_key none;
  const status s = verify_age_header(header, as_bytes(good), none);
  EXPECT_EQ(s.code(), status_code::invalid_data);
  EXPECT_TRUE(s.message().starts_with("header MAC is wrong"));
  for (std::size_t i = 0; i < header.mac_size; ++i) {
    std::string changed(good);
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(verify_age_header(header, as_bytes(changed), test_key()).ok())
        << i;
  }
}

TEST(AgeHeader, MacAcceptsThePublishedVector) {
  EXPECT_TRUE(verify_age_header(parsed(good), as_bytes(good), test_key()).ok());
}

TEST(AgeHeader, WritesWhatItRead) {
  EXPECT_EQ(as_text(serialize_age_header(parsed(good).stanzas, test_key())),
            good);
}

TEST(AgeHeader, WritesBodiesOfEveryLength) {
  std::vector<age_stanza> stanzas;
  for (std::size_t n = 0; n < 150; ++n) {
    stanzas.push_back({"t" + std::to_string(n), {"x"}, bytes(n, std::byte{9})});
  }
  const bytes text = serialize_age_header(stanzas, test_key());
  const age_header header = parsed(as_text(text));
  EXPECT_EQ(header.size, text.size());
  ASSERT_EQ(header.stanzas.size(), stanzas.size());
  for (std::size_t n = 0; n < stanzas.size(); ++n) {
    EXPECT_EQ(header.stanzas[n].type, stanzas[n].type);
    EXPECT_EQ(header.stanzas[n].body, stanzas[n].body);
  }
  EXPECT_TRUE(verify_age_header(header, text, test_key()).ok());
}

}  // namespace
}  // namespace nexus
