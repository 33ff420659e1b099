#include "dashboard/layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace nexus::tool {
namespace {

dashboard_model busy_model(std::uint32_t lanes) {
  dashboard_model model;
  telemetry now;
  now.operation = "encrypt";
  now.elapsed_seconds = 60;
  now.input_total_bytes = 4096;
  now.input_bytes = 1024;
  now.output_bytes = 1000;
  now.window = 64;
  now.window_used = 8;
  now.budget_bytes = 1 << 30;
  now.buffer_bytes = 1 << 29;
  now.stalls.compute = 12.34;
  device_telemetry cpu;
  cpu.id = "cpu:0";
  cpu.lanes = lanes;
  cpu.active_workers = lanes;
  device_telemetry card;
  card.id = "cuda:0";
  card.gpu = true;
  card.state = device_state::quarantined;
  card.restarts = 3;
  now.devices = {cpu, card};
  model.add(now, {});
  model.add(log_line{log_level::error, {}, "[W0] \x1b[31mänd 日本語 \xff"});
  return model;
}

std::string text_of(const screen_line& line) {
  std::string text;
  for (const styled_text& part : line) text += part.text;
  return text;
}

std::string text_of(const std::vector<screen_line>& lines) {
  std::string text;
  for (const screen_line& line : lines) text += text_of(line) + "\n";
  return text;
}

TEST(Width, CountsWideCharactersTwiceAndMarksNotAtAll) {
  EXPECT_EQ(width_of("abc"), 3u);
  EXPECT_EQ(width_of("ä日"), 3u);
  EXPECT_EQ(width_of("e\u0301"), 1u);
}

TEST(Fitted, NeverCutsACharacterInTwo) {
  EXPECT_EQ(fitted("日本", 3), "日");
  EXPECT_EQ(fitted("日本", 1), "");
  EXPECT_EQ(fitted("abc", 0), "");
}

TEST(Fitted, ShowsNoControlCharacterOrBrokenText) {
  EXPECT_EQ(fitted("a\x1b[2J\x7f", 10), "a?[2J?");
  EXPECT_EQ(fitted("\xc2\x9b"
                   "1",
                   10),
            "?1");  // a C1 control
  EXPECT_EQ(fitted("\xff\xc3", 10), "??");
  EXPECT_EQ(fitted("\u202e"
                   "x",
                   10),
            "?x");  // would turn the line around
  EXPECT_EQ(fitted("ä日", 10, false), "??");
}

TEST(Layout, FitsEveryScreen) {
  for (const std::uint32_t lanes : {1u, 3u, 200u}) {
    const dashboard_model model = busy_model(lanes);
    for (const bool unicode : {true, false}) {
      for (std::size_t rows = 0; rows < 70; ++rows) {
        for (const std::size_t columns : {0u, 1u, 5u, 39u, 40u, 80u, 200u}) {
          const auto lines = lay_out(model, {rows, columns, unicode});
          EXPECT_LE(lines.size(), rows);
          for (const screen_line& line : lines)
            ASSERT_LE(width_of(text_of(line)), columns)
                << rows << "x" << columns << ": " << text_of(line);
        }
      }
    }
  }
}

TEST(Layout, ShowsAllThatMattersOn80By24) {
  const std::string shown = text_of(lay_out(busy_model(2), {24, 80, true}));
  for (const char* word :
       {"encrypt", "25%", "1.00 KiB of 4.00 KiB", "read", "written", "CPU",
        "512 MiB of 1.00 GiB", "8 of 64 segments", "compute 12.3s", "W0", "W1",
        "GPU0", "quarantined", "restarts", "日本語", "q or Ctrl-C"})
    EXPECT_NE(shown.find(word), std::string::npos) << word << "\n" << shown;
}

TEST(Layout, KeepsProgressWorkersAndTheLastEventOn40By10) {
  const std::string shown = text_of(lay_out(busy_model(2), {10, 40, true}));
  for (const char* word : {"encrypt 25%", "read", "GPU0", "quarantined", "日"})
    EXPECT_NE(shown.find(word), std::string::npos) << word << "\n" << shown;
}

TEST(Layout, PutsWorkersThatAreIllFirstWhereThereIsNoRoom) {
  const std::string shown = text_of(lay_out(busy_model(100), {24, 80, true}));
  EXPECT_NE(shown.find("GPU0"), std::string::npos) << shown;
  EXPECT_NE(shown.find(" more"), std::string::npos) << shown;
}

TEST(Layout, UsesAsciiAloneWhereAsked) {
  const std::string shown = text_of(lay_out(busy_model(2), {60, 200, false}));
  EXPECT_TRUE(std::all_of(shown.begin(), shown.end(), [](char c) {
    return c == '\n' || (c >= ' ' && c <= '~');
  }));
}

TEST(Layout, SurvivesAModelThatKnowsNothing) {
  EXPECT_FALSE(lay_out(dashboard_model(), {24, 80, true}).empty());
}

}  // namespace
}  // namespace nexus::tool
