#include "format/bech32.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace nexus {
namespace {

bytes from_hex(std::string_view hex) {
  bytes out;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    out.push_back(static_cast<std::byte>(
        std::stoi(std::string(hex.substr(0, 2)), nullptr, 16)));
  }
  return out;
}

std::string why_not(std::string_view text, std::string_view prefix,
                    std::size_t size) {
  bytes out(size, std::byte{7});
  const status s = decode_bech32(text, prefix, out);
  if (s.ok()) return "accepted";
  EXPECT_EQ(s.code(), status_code::invalid_data);
  EXPECT_EQ(out, bytes(size)) << "left something behind";
  return s.message();
}

// BIP-173, "Test vectors": all but the one that is only too long.
TEST(Bech32, RefusesThePublishedInvalidTexts) {
  for (const char* text :
       {"\x20"
        "1nwldj5",
        "\x7f"
        "1axkwrx",
        "\x80"
        "1eym55h",
        "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3",
        "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee"}) {
    EXPECT_EQ(bech32_prefix(text), "") << text;
  }
}

TEST(Bech32, RefusesMixedCase) {
  EXPECT_EQ(bech32_prefix("A12UEl5L"), "");
  EXPECT_EQ(why_not("A12uel5l", "a", 0), "upper and lower case are mixed");
}

TEST(Bech32, RefusesAnyChangedCharacter) {
  const std::string text = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = other[i] == 'q' ? 'p' : 'q';
    EXPECT_NE(why_not(other, "abcdef", 20), "accepted") << i;
  }
}

TEST(Bech32, RefusesAnotherPrefixOrLength) {
  const std::string text = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
  EXPECT_EQ(why_not(text, "abcde", 20), "the prefix is another one");
  EXPECT_EQ(why_not(text, "abcdef", 19), "the length is wrong");
  EXPECT_EQ(why_not(text, "abcdef", 21), "the length is wrong");
  EXPECT_EQ(why_not("", "abcdef", 20), "the prefix is missing");
}

// Right checksums, over one byte and two bits more.
TEST(Bech32, RefusesUnusedBitsThatAreNotZero) {
  EXPECT_EQ(why_not("a1llttal5m", "a", 1), "unused bits are not zero");
  EXPECT_EQ(why_not("a1qpamnt9j", "a", 1), "unused bits are not zero");
  EXPECT_EQ(why_not("a1qzngxatd", "a", 1), "unused bits are not zero");
  EXPECT_EQ(why_not("a1lu9cgf6y", "a", 1), "accepted");
}

// A right checksum, over one byte and seven bits more.
TEST(Bech32, RefusesAGroupThatNoByteUses) {
  EXPECT_EQ(why_not("a1qqqd87cpp", "a", 1), "the length is wrong");
}

TEST(Bech32, AcceptsThePublishedValidTexts) {
  const struct {
    std::string text;
    std::string prefix;
    std::string hex;
  } vectors[] = {
      {"a12uel5l", "a", ""},
      {"?1ezyfcl", "?", ""},
      {"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcluded"
       "charactersbio1tt5tgs",
       "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcluded"
       "charactersbio",
       ""},
      {"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef",
       "00443214c74254b635cf84653a56d7c675be77df"},
      {"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "split",
       "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"},
      // Too long for BIP-173, but there is no limit here.
      {"an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcluded"
       "charactersbio1569pvx",
       "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcluded"
       "charactersbio",
       ""},
  };
  for (const auto& v : vectors) {
    EXPECT_EQ(bech32_prefix(v.text), v.prefix);
    const bytes data = from_hex(v.hex);
    bytes out(data.size());
    EXPECT_TRUE(decode_bech32(v.text, v.prefix, out).ok()) << v.text;
    EXPECT_EQ(out, data);
    EXPECT_EQ(encode_bech32(v.prefix, data).view(), v.text);
  }
}

TEST(Bech32, AcceptsEitherCaseOfTextAndPrefix) {
  EXPECT_EQ(bech32_prefix("A12UEL5L"), "A");
  EXPECT_EQ(why_not("A12UEL5L", "a", 0), "accepted");
  EXPECT_EQ(why_not("a12uel5l", "A", 0), "accepted");
}

TEST(Bech32, WritesUpperCaseForAPrefixInUpperCase) {
  EXPECT_EQ(encode_bech32("A", {}).view(), "A12UEL5L");
  // Capitals are for looks: the checksum is that of lower case.
  const bytes data(32, std::byte{0xa5});
  bytes out(32);
  const secret_string text = encode_bech32("AGE-SECRET-KEY-", data);
  EXPECT_TRUE(decode_bech32(text.view(), "age-secret-key-", out).ok());
  EXPECT_EQ(out, data);
}

TEST(Bech32, RoundTripsEveryLength) {
  bytes data;
  for (unsigned n = 0; n < 200; ++n) {
    const secret_string text = encode_bech32("age", data);
    bytes out(n, std::byte{1});
    EXPECT_TRUE(decode_bech32(text.view(), "age", out).ok()) << n;
    EXPECT_EQ(out, data);
    data.push_back(static_cast<std::byte>(n * 91 + 5));
  }
}

}  // namespace
}  // namespace nexus
