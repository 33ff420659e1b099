#include "text_guard.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nexus::tool {
namespace {

// What a guard that holds `hold` bytes let through.
struct fixture {
  explicit fixture(std::size_t hold)
      : guard(
            [this](std::span<const std::byte> data) {
              shown.append(reinterpret_cast<const char*>(data.data()),
                           data.size());
              return status{};
            },
            hold) {}

  status write(std::string_view text) {
    return guard.write(std::as_bytes(std::span(text.data(), text.size())));
  }

  std::string shown;
  text_guard guard;
};

TEST(TextGuard, RefusesEveryControlCharacterButLineEndsAndTabs) {
  for (int c = 0; c < 256; ++c) {
    fixture f(64);
    const char byte = static_cast<char>(c);
    const bool fine =
        c == '\n' || c == '\r' || c == '\t' || (c >= 0x20 && c != 0x7f);
    EXPECT_EQ(f.write({&byte, 1}).ok(), fine) << c;
  }
}

TEST(TextGuard, RefusesControlCharactersOfUtf8AndNotItsLetters) {
  EXPECT_FALSE(fixture(64)
                   .write("a\xc2\x9b"
                          "31m")
                   .ok());  // CSI
  EXPECT_TRUE(fixture(64).write("\xc2\xa0 \xc3\x9f \xe2\x80\x93").ok());
}

TEST(TextGuard, SeesAControlCharacterCutInTwo) {
  fixture f(64);
  EXPECT_TRUE(f.write("a\xc2").ok());
  EXPECT_FALSE(f.write("\x9b").ok());
}

TEST(TextGuard, ShowsNothingOfBinaryThatItCouldHold) {
  fixture f(64);
  EXPECT_TRUE(f.write("looks like text").ok());
  const status refused = f.write(std::string_view("\0", 1));
  EXPECT_EQ(refused.code(), status_code::invalid_argument);
  EXPECT_FALSE(refused.hint().empty());
  EXPECT_EQ(f.shown, "");
}

TEST(TextGuard, HoldsTextUntilTheRunIsOver) {
  fixture f(8);
  EXPECT_TRUE(f.write("1234").ok());
  EXPECT_TRUE(f.write("5678").ok());
  EXPECT_EQ(f.shown, "");
  EXPECT_TRUE(f.guard.flush().ok());
  EXPECT_EQ(f.shown, "12345678");
  EXPECT_TRUE(f.guard.flush().ok());
  EXPECT_EQ(f.shown, "12345678");
}

TEST(TextGuard, PassesOnInOrderOnceTheLimitIsExceeded) {
  fixture f(8);
  EXPECT_TRUE(f.write("1234567").ok());
  EXPECT_TRUE(f.write("89").ok());
  EXPECT_EQ(f.shown, "123456789");
  EXPECT_TRUE(f.write("a").ok());
  EXPECT_EQ(f.shown, "123456789a");
  EXPECT_FALSE(f.write("b\x1b").ok());
  EXPECT_EQ(f.shown, "123456789a");
}

TEST(TextGuard, HandsOnTheFailureOfTheTerminal) {
  text_guard guard(
      [](std::span<const std::byte>) {
        return status(status_code::broken_pipe, "gone");
      },
      8);
  const std::string text = "ab";
  EXPECT_TRUE(guard.write(std::as_bytes(std::span(text))).ok());
  EXPECT_EQ(guard.flush().code(), status_code::broken_pipe);
}

}  // namespace
}  // namespace nexus::tool
