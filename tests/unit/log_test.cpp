#include "log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

namespace nexus::tool {
namespace {

using nlohmann::json;

// 2026-11-21 12:30:00.007
log_line line(log_level level, std::string text) {
  const std::chrono::milliseconds since(1795264200007);
  return {level, std::chrono::system_clock::time_point(since), std::move(text)};
}

TEST(LogLine, IsAMessageOfTheCommandOnATerminal) {
  EXPECT_EQ(plain_text(line(log_level::error, "bad")),
            "nexus-pipe: error: bad");
  EXPECT_EQ(plain_text(line(log_level::hint, "see")), "nexus-pipe: hint: see");
  EXPECT_EQ(plain_text(line(log_level::info, "[W0] x")),
            "nexus-pipe: note: [W0] x");
  EXPECT_EQ(plain_text(line(log_level::note, "a\x1b[1mb\n")),
            "nexus-pipe: note: a?[1mb?");
}

TEST(LogLine, HasADateInAFile) {
  EXPECT_EQ(dated_text(line(log_level::warning, "[GPU1] gone\n")),
            "2026-11-21T12:30:00.007Z warning [GPU1] gone?");
}

TEST(LogLine, NamesTheWorkerAsAFieldOfJson) {
  const auto parsed =
      json::parse(json_text(line(log_level::note, "[W12] segment 3: \"x\"\n")));
  EXPECT_EQ(parsed, json({{"time", "2026-11-21T12:30:00.007Z"},
                          {"level", "note"},
                          {"worker", "W12"},
                          {"message", "segment 3: \"x\"\n"}}));
}

TEST(LogLine, TakesNothingElseForAWorker) {
  for (const char* text :
       {"plain", "[W] x", "[X1] x", "[W1x] x", "[W1]x", "[]", "[GPU] x", "["}) {
    const auto parsed = json::parse(json_text(line(log_level::note, text)));
    EXPECT_FALSE(parsed.contains("worker")) << text;
    EXPECT_EQ(parsed["message"], text);
  }
}

TEST(LogLine, StaysJsonWithoutUtf8) {
  EXPECT_NO_THROW((void)json::parse(json_text(line(log_level::note, "\xff"))));
}

class LogWriterTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
  void TearDown() override {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  std::unique_ptr<log_writer> open(const watch_arguments& arguments = {}) {
    auto opened = log_writer::open(
        arguments, [this](std::string_view text, const std::stop_token& hurry) {
          return write_patiently(ends_[1], text, hurry) == 0;
        });
    EXPECT_TRUE(opened.ok());
    return *std::move(opened);
  }

  // All of it; closes the writing end.
  std::string read_all() {
    ::close(ends_[1]);
    ends_[1] = -1;
    std::string text;
    char part[4096];
    for (ssize_t n = 0; (n = ::read(ends_[0], part, sizeof part)) > 0;)
      text.append(part, static_cast<std::size_t>(n));
    return text;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(LogWriterTest, WritesInOrder) {
  open()->write(log_level::note, "one");
  auto log = open();
  log->write(log_level::note, "two");
  log->write(log_level::data, "{}");
  log.reset();
  EXPECT_EQ(read_all(), "nexus-pipe: note: one\nnexus-pipe: note: two\n{}\n");
}

TEST_F(LogWriterTest, NeverWaitsForAReaderAndSaysWhatWasDropped) {
  ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
  auto log = open();
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100'000; ++i) log->write(log_level::note, "text");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  std::atomic<bool> told = false;
  std::string text;
  std::thread reader([&] {
    char part[4096];
    while (!told) {
      const ssize_t n = ::read(ends_[0], part, sizeof part);
      if (n <= 0) break;
      text.append(part, static_cast<std::size_t>(n));
      told = text.find(" log lines were dropped: nobody read them in time") !=
             std::string::npos;
    }
  });
  // It is said ahead of a line that comes through.
  while (!told) {
    log->write(log_level::note, "more");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto took = std::chrono::steady_clock::now() - began;
    if (took > std::chrono::seconds(60)) break;
  }
  EXPECT_TRUE(told);
  log.reset();
  ::close(std::exchange(ends_[1], -1));  // ends the reader if nothing else did
  reader.join();
}

TEST_F(LogWriterTest, GivesUpOnAReaderThatNeverCame) {
  ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
  auto log = open();
  for (int i = 0; i < 1000; ++i) log->write(log_level::note, "text");
  const auto began = std::chrono::steady_clock::now();
  log.reset();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, std::chrono::milliseconds(1900));
  EXPECT_LT(took, std::chrono::seconds(10));
}

TEST_F(LogWriterTest, RefusesAFileThatCannotBe) {
  watch_arguments arguments;
  arguments.log_file = "/no/such/log";
  const auto opened = log_writer::open(arguments, nullptr);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), status_code::io_error);
  EXPECT_EQ(opened.error().message(),
            "cannot write /no/such/log: No such file or directory");
}

}  // namespace
}  // namespace nexus::tool
