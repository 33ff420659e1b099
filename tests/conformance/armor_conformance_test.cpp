// armor-encode and armor-decode on every device, against OpenSSL.
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "device_fixture.hpp"

namespace conformance {
namespace {

constexpr std::size_t line_input = 48;
constexpr std::size_t line_chars = 64;

bytes text_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

bytes reference_lines(view data, std::string_view ending = "\n") {
  bytes out;
  for (std::size_t at = 0; at < data.size(); at += line_input) {
    const view piece = data.subspan(at, std::min(line_input, data.size() - at));
    unsigned char line[line_chars + 1];
    const int n =
        EVP_EncodeBlock(line, piece.data(), static_cast<int>(piece.size()));
    out.insert(out.end(), line, line + n);
    out.insert(out.end(), ending.begin(), ending.end());
  }
  return out;
}

bool is_base64(int c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || c == '+' || c == '/';
}

class ArmorDeviceTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_ARMOR_ENCODE);
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_ARMOR_DECODE);
  }

  request request_for(const char* operation, view input, std::size_t capacity,
                      bool crlf = false) {
    params_ = {sizeof params_, crlf ? +NEXUS_ARMOR_CRLF : 0u};
    request wanted;
    wanted.operation = operation;
    wanted.input = input;
    wanted.capacity = capacity;
    wanted.params = &params_;
    wanted.params_bytes = sizeof params_;
    return wanted;
  }
  outcome encode(view data) {
    const std::size_t capacity = reference_lines(data).size();
    return run(request_for(NEXUS_JOB_ARMOR_ENCODE, data, capacity));
  }
  outcome decode(view text, bool crlf = false) {
    const std::size_t lines = text.size() / (line_chars + (crlf ? 2 : 1));
    return run(
        request_for(NEXUS_JOB_ARMOR_DECODE, text, lines * line_input, crlf));
  }
  void expect_bad_line(const outcome& end, view data, std::size_t line,
                       bool crlf = false) {
    EXPECT_EQ(end.status, NEXUS_E_DATA);
    EXPECT_EQ(end.error_offset, line * (line_chars + (crlf ? 2 : 1)));
    EXPECT_TRUE(std::ranges::equal(end.output, data.first(line * line_input)));
  }

 private:
  nexus_armor_params params_{};
};

TEST_P(ArmorDeviceTest, RejectsEveryForeignCharacter) {
  const bytes data = pattern(3 * line_input);
  const bytes good = reference_lines(data);
  for (int c = 0; c < 256; ++c) {
    if (is_base64(c)) continue;
    for (const std::size_t column : {0u, 1u, 2u, 3u, 31u, 32u, 62u, 63u}) {
      SCOPED_TRACE(testing::Message() << c << " in column " << column);
      bytes bad = good;
      bad[line_chars + 1 + column] = static_cast<std::uint8_t>(c);
      expect_bad_line(decode(bad), data, 1);
    }
  }
}

TEST_P(ArmorDeviceTest, RejectsAForeignCharacterInEveryPlace) {
  const bytes data = pattern(4 * line_input);
  const bytes good = reference_lines(data);
  for (const char c : {'=', '\0', '\n', '\r', ' ', '-', '_', '\x7f', '\xff'}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      if (good[at] == '\n' && c == '\n') continue;
      SCOPED_TRACE(testing::Message() << int{c} << " at " << at);
      bytes bad = good;
      bad[at] = static_cast<std::uint8_t>(c);
      expect_bad_line(decode(bad), data, at / (line_chars + 1));
    }
  }
}

TEST_P(ArmorDeviceTest, RejectsABadLineAmongMany) {
  const bytes data = pattern(4100 * line_input);
  const bytes good = reference_lines(data);
  for (const std::size_t line :
       {0u, 1u, 2u, 7u, 1023u, 1024u, 1025u, 4098u, 4099u}) {
    SCOPED_TRACE(line);
    bytes bad = good;
    bad[line * (line_chars + 1) + 20] = '=';
    bad.back() = 'A';  // a later fault must not be the one reported
    expect_bad_line(decode(bad), data, line);
  }
}

TEST_P(ArmorDeviceTest, RejectsLinesOfAnotherLength) {
  const bytes data = pattern(2 * line_input);
  const bytes good = reference_lines(data);
  bytes longer = good;
  longer.insert(longer.begin() + 65 + 64, 'A');
  longer.resize(2 * 65);
  expect_bad_line(decode(longer), data, 1);
  bytes shorter = good;
  shorter.erase(shorter.begin() + 65);
  expect_bad_line(decode(shorter), data, 1);
  bytes blank = good;
  blank.insert(blank.begin() + 65, '\n');
  blank.resize(2 * 65);
  expect_bad_line(decode(blank), data, 1);
}

TEST_P(ArmorDeviceTest, RejectsAShortOrPaddedLastLine) {
  const bytes data = pattern(2 * line_input);
  for (std::size_t rest = 1; rest < line_input; ++rest) {
    SCOPED_TRACE(rest);
    expect_bad_line(
        decode(reference_lines(view(data).first(line_input + rest))), data, 1);
  }
}

TEST_P(ArmorDeviceTest, RejectsALineCutShort) {
  const bytes data = pattern(2 * line_input);
  const bytes good = reference_lines(data);
  for (std::size_t size = 66; size < 130; ++size) {
    SCOPED_TRACE(size);
    expect_bad_line(decode(view(good).first(size)), data, 1);
  }
  const bytes crlf = reference_lines(data, "\r\n");
  for (std::size_t size = 67; size < 132; ++size) {
    SCOPED_TRACE(size);
    expect_bad_line(decode(view(crlf).first(size), true), data, 1, true);
  }
}

TEST_P(ArmorDeviceTest, RejectsTheOtherLineEnding) {
  const bytes data = pattern(4 * line_input);
  expect_bad_line(decode(reference_lines(data, "\r\n")), data, 0);
  expect_bad_line(decode(reference_lines(data), true), data, 0, true);
  for (const std::string_view ending : {"\n\r", "\r\r", "\n\n", "\rA", "A\n"}) {
    bytes text = reference_lines(data, "\r\n");
    std::copy(ending.begin(), ending.end(), text.begin() + 2 * 66 + 64);
    expect_bad_line(decode(text, true), data, 2, true);
  }
}

TEST_P(ArmorDeviceTest, EncodesEveryLengthAsOpensslDoes) {
  for (std::size_t size = 0; size <= 4096; size += size < 200 ? 1 : 37) {
    SCOPED_TRACE(size);
    const bytes data = pattern(size);
    const outcome end = encode(data);
    ASSERT_EQ(end.status, NEXUS_OK);
    ASSERT_EQ(end.output, reference_lines(data));
  }
  const bytes big = pattern(5000 * line_input + 31);
  EXPECT_EQ(encode(big).output, reference_lines(big));
}

TEST_P(ArmorDeviceTest, EncodesTheVectorsOfRfc4648) {  // section 10
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},
      {"f", "Zg==\n"},
      {"fo", "Zm8=\n"},
      {"foo", "Zm9v\n"},
      {"foob", "Zm9vYg==\n"},
      {"fooba", "Zm9vYmE=\n"},
      {"foobar", "Zm9vYmFy\n"}};
  for (const auto& [data, text] : vectors) {
    EXPECT_EQ(encode(text_bytes(data)).output, text_bytes(text));
  }
}

TEST_P(ArmorDeviceTest, DecodesWhatWasEncoded) {
  for (const bool crlf : {false, true}) {
    for (const std::size_t lines :
         {0u, 1u, 2u, 3u, 4u, 5u, 17u, 1024u, 1025u, 5000u}) {
      SCOPED_TRACE(testing::Message() << lines << (crlf ? " CR LF" : " LF"));
      const bytes data = pattern(lines * line_input);
      const outcome end =
          decode(reference_lines(data, crlf ? "\r\n" : "\n"), crlf);
      EXPECT_EQ(end.status, NEXUS_OK);
      EXPECT_EQ(end.output, data);
    }
  }
}

// Every value in every place of a group: 64 lines with all characters.
TEST_P(ArmorDeviceTest, KnowsEveryCharacterInEveryColumn) {
  bytes data(64 * line_input);
  for (std::size_t line = 0; line < 64; ++line) {
    for (std::size_t group = 0; group < 16; ++group) {
      std::uint32_t v = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        v = v << 6 | static_cast<std::uint32_t>((line + 4 * group + i) % 64);
      }
      std::uint8_t* to = data.data() + line * line_input + 3 * group;
      to[0] = static_cast<std::uint8_t>(v >> 16);
      to[1] = static_cast<std::uint8_t>(v >> 8);
      to[2] = static_cast<std::uint8_t>(v);
    }
  }
  const bytes text = reference_lines(data);
  EXPECT_EQ(encode(data).output, text);
  EXPECT_EQ(decode(text).output, data);
}

TEST_P(ArmorDeviceTest, TakesBuffersOfAnyAlignment) {
  const bytes data = pattern(5 * line_input);
  const bytes text = reference_lines(data);
  for (std::size_t shift = 1; shift < 64; shift += 3) {
    SCOPED_TRACE(shift);
    request forth = request_for(NEXUS_JOB_ARMOR_ENCODE, data, text.size());
    forth.input_shift = shift;
    forth.output_shift = 64 - shift;
    EXPECT_EQ(run(forth).output, text);
    request back = request_for(NEXUS_JOB_ARMOR_DECODE, text, data.size());
    back.input_shift = shift;
    back.output_shift = 64 - shift;
    EXPECT_EQ(run(back).output, data);
  }
}

TEST_P(ArmorDeviceTest, RefusesOutputsTooSmallAndFlagsItDoesNotKnow) {
  const bytes data = pattern(100);
  const bytes text = reference_lines(pattern(2 * line_input));
  EXPECT_EQ(run(request_for(NEXUS_JOB_ARMOR_ENCODE, data,
                            reference_lines(data).size() - 1))
                .status,
            NEXUS_E_ARGUMENT);
  EXPECT_EQ(
      run(request_for(NEXUS_JOB_ARMOR_DECODE, text, 2 * line_input - 1)).status,
      NEXUS_E_ARGUMENT);
  EXPECT_EQ(run(request_for(NEXUS_JOB_ARMOR_ENCODE, data, 1000, true)).status,
            NEXUS_E_ARGUMENT)
      << "CR LF is for decoding only";
}

INSTANTIATE_TEST_SUITE_P(Devices, ArmorDeviceTest, testing::ValuesIn(targets()),
                         name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ArmorDeviceTest);

}  // namespace
}  // namespace conformance
