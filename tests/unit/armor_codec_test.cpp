// The base64 loops of the CPU plugin, each instruction set with the same body.
#include "armor.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string>
#include <vector>

namespace nexus::cpu {
namespace {

using bytes = std::vector<std::uint8_t>;

bytes pattern(std::size_t size) {
  bytes out(size);
  std::uint32_t x = 12345;
  for (auto& byte : out) {
    x = x * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>(x >> 24);
  }
  return out;
}

bytes reference(const bytes& data, const std::string& ending) {
  bytes out;
  for (std::size_t at = 0; at < data.size(); at += 48) {
    unsigned char line[65];
    EVP_EncodeBlock(line, data.data() + at, 48);
    out.insert(out.end(), line, line + 64);
    out.insert(out.end(), ending.begin(), ending.end());
  }
  return out;
}

class ArmorCodecTest : public testing::TestWithParam<const armor_codec*> {
 protected:
  // In memory of exactly the size, so that a sanitizer sees a step too far.
  std::size_t decode(const bytes& text, std::size_t ending, bytes& out) {
    const std::size_t lines = text.size() / (64 + ending);
    out = bytes(lines * 48);
    return GetParam()->decode(text.data(), lines, ending, out.data());
  }
};

TEST_P(ArmorCodecTest, StopsAtEveryCharacterThatIsNotOfTheAlphabet) {
  const bytes data = pattern(5 * 48);
  const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const std::size_t ending : {1u, 2u}) {
    const bytes good = reference(data, ending == 1 ? "\n" : "\r\n");
    for (int c = 0; c < 256; ++c) {
      if (alphabet.find(static_cast<char>(c)) != std::string::npos) continue;
      for (std::size_t column = 0; column < 64; ++column) {
        bytes bad = good, out;
        bad[3 * (64 + ending) + column] = static_cast<std::uint8_t>(c);
        ASSERT_EQ(decode(bad, ending, out), 3u) << c << " in " << column;
        ASSERT_TRUE(
            std::equal(out.begin(), out.begin() + 3 * 48, data.begin()));
      }
    }
  }
}

TEST_P(ArmorCodecTest, StopsAtEveryOtherLineEnding) {
  const bytes data = pattern(3 * 48);
  for (int c = 0; c < 256; ++c) {
    const auto byte = static_cast<std::uint8_t>(c);
    bytes lf = reference(data, "\n"), out;
    lf[65 + 64] = byte;
    EXPECT_EQ(decode(lf, 1, out), c == '\n' ? 3u : 1u) << c;
    bytes cr = reference(data, "\r\n"), crlf = cr;
    cr[66 + 64] = byte;
    EXPECT_EQ(decode(cr, 2, out), c == '\r' ? 3u : 1u) << c;
    crlf[66 + 65] = byte;
    EXPECT_EQ(decode(crlf, 2, out), c == '\n' ? 3u : 1u) << c;
  }
}

TEST_P(ArmorCodecTest, EncodesAndDecodesAnyNumberOfLines) {
  for (const std::size_t lines : {0u, 1u, 2u, 3u, 4u, 7u, 8u, 33u, 1000u}) {
    SCOPED_TRACE(lines);
    const bytes data = pattern(lines * 48);
    const bytes text = reference(data, "\n");
    bytes made(lines * 65), back;
    GetParam()->encode(data.data(), lines, made.data());
    EXPECT_EQ(made, text);
    EXPECT_EQ(decode(text, 1, back), lines);
    EXPECT_EQ(back, data);
    EXPECT_EQ(decode(reference(data, "\r\n"), 2, back), lines);
    EXPECT_EQ(back, data);
  }
}

// Each of the 24-bit groups whose fields run through all pairs of values.
TEST_P(ArmorCodecTest, KnowsEveryPairOfFields) {
  bytes data;
  for (std::uint32_t pair = 0; pair < 4096; ++pair) {
    const std::uint32_t v = pair << 12 | (4095 - pair);
    data.push_back(static_cast<std::uint8_t>(v >> 16));
    data.push_back(static_cast<std::uint8_t>(v >> 8));
    data.push_back(static_cast<std::uint8_t>(v));
  }
  const std::size_t lines = data.size() / 48;
  bytes made(lines * 65), back;
  GetParam()->encode(data.data(), lines, made.data());
  EXPECT_EQ(made, reference(data, "\n"));
  EXPECT_EQ(decode(made, 1, back), lines);
  EXPECT_EQ(back, data);
}

TEST(ArmorCodecs, EndWithThePlainOneAndArePickedByName) {
  ASSERT_FALSE(armor_codecs().empty());
  EXPECT_STREQ(armor_codecs().back()->name, "plain");
  EXPECT_STREQ(pick_armor_codec("plain").name, "plain");
  EXPECT_EQ(&pick_armor_codec(nullptr), armor_codecs().front());
  EXPECT_EQ(&pick_armor_codec("no such"), armor_codecs().front());
}

std::string name_of(const testing::TestParamInfo<const armor_codec*>& each) {
  return each.param->name;
}

INSTANTIATE_TEST_SUITE_P(Codecs, ArmorCodecTest,
                         testing::ValuesIn(armor_codecs().begin(),
                                           armor_codecs().end()),
                         name_of);

}  // namespace
}  // namespace nexus::cpu
