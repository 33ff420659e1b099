#include "format/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nexus {
namespace {

std::string text_of(const std::optional<bytes>& data) {
  return data ? std::string(as_text(*data)) : "(refused)";
}

TEST(Base64, RefusesCharactersOutsideOfTheAlphabet) {
  for (const char* text : {"Zm9v\n", "Zm 9", "Zm9-", "Zm9_", "Zm\x80v", "Z\r9v",
                           "Zm9*", "*m9v", "Z*9v", "Zm*v", "Z*", "Zm*", "*g"}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
  EXPECT_FALSE(decode_base64(std::string_view("Zm9\0", 4)));
}

TEST(Base64, RefusesPaddingWhereThereIsNone) {
  EXPECT_FALSE(decode_base64("Zg=="));
  EXPECT_FALSE(decode_base64("Zm8="));
}

TEST(Base64, RefusesALengthThatNoDataHas) {
  EXPECT_FALSE(decode_base64("Z"));
  EXPECT_FALSE(decode_base64("Zm9vA"));
}

TEST(Base64, RefusesUnusedBitsThatAreNotZero) {
  EXPECT_FALSE(decode_base64("Zh"));
  EXPECT_FALSE(decode_base64("Zo"));
  EXPECT_FALSE(decode_base64("Zm9"));
  EXPECT_FALSE(decode_base64("Zm+"));
}

TEST(Base64, PaddedFormNeedsExactPadding) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zm8", "Zm8==", "Zm9v====",
                           "====", "=", "Zh==", "Zm9=", "Z===", "Zg==Zg=="}) {
    EXPECT_FALSE(decode_padded_base64(text)) << text;
  }
}

TEST(Base64, RefusalLeavesTheOutputAsItWas) {
  bytes out(3, std::byte{7});
  EXPECT_FALSE(append_base64(out, "Zm9vYh"));
  EXPECT_EQ(out, bytes(3, std::byte{7}));
}

// RFC 4648, section 10.
TEST(Base64, FollowsThePublishedVectors) {
  const struct {
    const char* data;
    const char* bare;
    const char* padded;
  } vectors[] = {{"", "", ""},
                 {"f", "Zg", "Zg=="},
                 {"fo", "Zm8", "Zm8="},
                 {"foo", "Zm9v", "Zm9v"},
                 {"foob", "Zm9vYg", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy", "Zm9vYmFy"}};
  for (const auto& v : vectors) {
    EXPECT_EQ(encode_base64(as_bytes(v.data)), v.bare);
    EXPECT_EQ(encode_padded_base64(as_bytes(v.data)), v.padded);
    EXPECT_EQ(text_of(decode_base64(v.bare)), v.data);
    EXPECT_EQ(text_of(decode_padded_base64(v.padded)), v.data);
  }
}

TEST(Base64, RoundTripsEveryByteAtEveryLength) {
  bytes data;
  for (unsigned n = 0; n < 300; ++n) {
    const std::string text = encode_base64(data);
    EXPECT_EQ(text.size(), base64_size(n));
    EXPECT_EQ(decode_base64(text), data);
    const std::string padded = encode_padded_base64(data);
    EXPECT_EQ(padded.size(), padded_base64_size(n));
    EXPECT_EQ(decode_padded_base64(padded), data);
    data.push_back(static_cast<std::byte>(n * 37));
  }
}

// Whatever is accepted is what encoding gives.
TEST(Base64, AcceptsOneTextPerValue) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      const auto data = decode_base64(text);
      if (data) {
        EXPECT_EQ(encode_base64(*data), text);
      }
    }
  }
}

}  // namespace
}  // namespace nexus
