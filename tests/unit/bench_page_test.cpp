#include "bench/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/chart.hpp"
#include "bench/html.hpp"
#include "bench/print.hpp"

namespace nexus::tool::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* hostile = "<script>alert(\"x\")</script>&'\x1b[31m\n";

samples of(std::initializer_list<double> values) {
  samples made;
  for (const double value : values) made.add(value);
  return made;
}

run_point run_of(bench_op op, const std::string& name, std::uint32_t workers,
                 std::uint64_t segment, double rate) {
  run_point run;
  run.op = op;
  run.backend = name;
  run.workers = workers;
  run.segment_bytes = segment;
  run.data_bytes = 1'000'000'000;
  run.seconds = of({1e9 / rate, 1.1e9 / rate, 0.9e9 / rate});
  run.processors = of({1});
  run.others = of({0});
  return run;
}

// Whatever is a text says what a hostile driver or directory could.
results full(const std::string& text) {
  results made;
  made.version = made.date = made.command = made.processor = made.kernel = text;
  made.repeats = 3;
  made.memory.push_back({1, of({10e9}), of({20e9})});
  made.memory.push_back({2, of({18e9}), of({36e9})});
  made.disk = {text, text, true, 1 << 20, of({1e9}), of({2e9}), 0.5, ""};
  device_description device;
  device.id = device.plugin = device.name = device.driver = text;
  made.backends.push_back({text, false, 2, {device}});
  made.backends.push_back({"cuda", true, 2, {}});
  for (const std::string& name : {text, std::string("cuda")}) {
    for (const bench_op op : {bench_op::encrypt, bench_op::digest}) {
      made.runs.push_back(run_of(op, name, 2, 1 << 18, 3e9));
      made.runs.push_back(run_of(op, name, 2, 1 << 20, 4e9));
      made.latencies.push_back({op, name, of({1e-3}), of({2e-3})});
    }
    made.runs.push_back(run_of(bench_op::encrypt, name, 1, 1 << 20, 2e9));
    made.runs.back().all_workers = false;
  }
  made.machine.cpu_quota = 1.5;
  made.machine.cpu_quota_origin = text;
  made.notes.push_back(text);
  return made;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != text.npos;
       at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(Escaped, LeavesNoMarkup) {
  EXPECT_EQ(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escaped("\x1b[0m\n\t\x7f"), " [0m   ");
  EXPECT_EQ(escaped("5 \u00b5s"), "5 \u00b5s");
  EXPECT_EQ(escaped(std::string("a\0b", 3)), "a b");
}

TEST(Coordinate, IsShortAndNeverAnExponent) {
  EXPECT_EQ(coordinate(0), "0");
  EXPECT_EQ(coordinate(-0.0001), "0");
  EXPECT_EQ(coordinate(12.5), "12.5");
  EXPECT_EQ(coordinate(100), "100");
  EXPECT_EQ(coordinate(1.0 / 3), "0.33");
  EXPECT_EQ(coordinate(1e300), "0");
  EXPECT_EQ(coordinate(std::numeric_limits<double>::quiet_NaN()), "0");
  EXPECT_EQ(coordinate(std::numeric_limits<double>::infinity()), "0");
}

TEST(EvenMarks, ReachTheMostInRoundSteps) {
  EXPECT_THAT(even_marks(4, 4), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(even_marks(4.1, 4), ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(even_marks(11, 4), ElementsAre(0, 5, 10, 15));
  EXPECT_THAT(even_marks(700, 4), ElementsAre(0, 200, 400, 600, 800));
  EXPECT_THAT(even_marks(0, 4), ElementsAre(0, 1));
  EXPECT_THAT(even_marks(-3, 4), ElementsAre(0, 1));
  EXPECT_THAT(even_marks(std::numeric_limits<double>::infinity(), 4),
              ElementsAre(0, 1));
}

TEST(DecadeMarks, EncloseTheValues) {
  EXPECT_THAT(decade_marks(0.5, 30), ElementsAre(0.1, 1, 10, 100));
  EXPECT_THAT(decade_marks(1, 1), ElementsAre(1, 10));
  EXPECT_THAT(decade_marks(0, 30), ElementsAre(1, 10));
}

TEST(LineChart, PlacesPointsByTheirValues) {
  line_chart chart;
  chart.id = "c";
  chart.x_marks = {{0, "0"}, {2, "2"}};
  chart.series = {{"s", {{0, 0, 0, 0}, {1, 2, 2, 2}, {2, 4, 4, 4}}}};
  const std::string svg = draw(chart);
  // The left edge below, the middle half-way up, the right edge on top.
  EXPECT_THAT(svg, HasSubstr("d=\"M44 216L210 122L376 28\""));
}

TEST(LineChart, MakesRoomForWhatItIsComparedWith) {
  line_chart chart;
  chart.x_marks = {{0, "0"}, {2, "2"}};
  chart.series = {{"s", {{1, 2, 2, 2}}}};
  chart.level = {5, "five"};
  chart.slope = 4;
  const std::string svg = draw(chart);
  // Up to 8: the level below it, the line from corner to corner.
  EXPECT_THAT(svg, HasSubstr("x1=\"44\" y1=\"98.5\" x2=\"376\" y2=\"98.5\""));
  EXPECT_THAT(svg, HasSubstr("x1=\"44\" y1=\"216\" x2=\"376\" y2=\"28\""));
}

TEST(LineChart, KeepsValuesThatAreNoneInside) {
  line_chart chart;
  chart.x_marks = {{1, "1"}};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  chart.series = {{"s", {{1, nan, nan, nan}}}};
  EXPECT_THAT(draw(chart), Not(HasSubstr("nan")));
}

TEST(DotChart, GivesARowToEachAndNamesItsValue) {
  dot_chart chart;
  chart.id = "d";
  chart.rows = {{"slow", 0.1, 0.1, 0.1, "100 MB/s"},
                {"fast", 10, 10, 10, "10 GB/s"}};
  const std::string svg = draw(chart);
  EXPECT_EQ(count(svg, "class=\"s0 dot\""), 2);
  EXPECT_THAT(svg, HasSubstr("d=\"M118 22m"));
  EXPECT_THAT(svg, HasSubstr("d=\"M324 50m"));
  EXPECT_THAT(svg, HasSubstr(">10 GB/s<"));
}

TEST(HtmlTable, EscapesItsCells) {
  const std::string html = to_html(
      {hostile, {{hostile}, {"n", true}}, {{hostile, "1", "too many"}}});
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("too many")));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">1</td>"));
}

TEST(Page, EscapesWhateverIsNotItsOwn) {
  const std::string page = as_page(full(hostile));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
}

TEST(Page, HasNothingThatIsFetchedOrRun) {
  const std::string page = as_page(full("name"));
  for (const char* part : {"http:", "https:", "//", "@import", "url(", "<img",
                           "<script", "onload", "<iframe", "src="}) {
    EXPECT_THAT(page, Not(HasSubstr(part)));
  }
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(Page, HasAChartAndATableForEachSweep) {
  const std::string page = as_page(full("cpu"));
  // Two operations by segment, one by workers, and all on one scale.
  EXPECT_EQ(count(page, "<svg"), 4);
  EXPECT_EQ(count(page, "</svg>"), 4);
  EXPECT_EQ(count(page, "<svg role=\"img\""), 4);
  EXPECT_EQ(count(page, "<desc"), 4);
  EXPECT_GE(count(page, "<table>"), 6);
  EXPECT_EQ(count(page, "<table>"), count(page, "</table>"));
  // Segments of both backends: each has its own mark.
  EXPECT_THAT(page, HasSubstr("class=\"s1 dot\""));
}

TEST(Page, NamesNoElementTwice) {
  const std::string page = as_page(full("cpu"));
  std::vector<std::string> names;
  for (auto at = page.find(" id=\""); at != page.npos;
       at = page.find(" id=\"", at + 1)) {
    names.push_back(page.substr(at + 5, page.find('"', at + 5) - at - 5));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_GT(names.size(), 10u);
}

TEST(Page, TellsWhenOthersHadTheProcessors) {
  results quiet = full("cpu");
  EXPECT_THAT(as_page(quiet), Not(HasSubstr("Other programs, or")));
  for (run_point& run : quiet.runs) {
    if (run.backend == "cuda") run.others = of({0.7});
  }
  EXPECT_THAT(as_page(quiet), Not(HasSubstr("Other programs, or")));
  for (run_point& run : quiet.runs) run.others = of({0.7});
  EXPECT_THAT(as_page(quiet), HasSubstr("had up to 0.70 of the"));
}

TEST(Page, StandsWithoutRunsAndDisk) {
  const std::string page = as_page(results());
  EXPECT_THAT(page, HasSubstr("</html>"));
  EXPECT_EQ(count(page, "<svg"), 0);
}

TEST(Json, HoldsEveryRunAndSurvivesBytesThatAreNoText) {
  const auto all = nlohmann::json::parse(as_json(full("\xff\x1b")));
  EXPECT_EQ(all["runs"].size(), 10u);
  EXPECT_EQ(all["runs"][0]["seconds"]["samples"].size(), 3u);
  EXPECT_EQ(all["memory"][1]["threads"], 2);
  EXPECT_TRUE(all["disk"]["in_memory"]);
  EXPECT_NEAR(all["runs"][0]["share"], 3e9 / 18e9, 1e-3);
}

TEST(Table, HidesControlCharacters) {
  const std::string text = as_table(full("\x1b[31mx"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("OPERATION"));
}

}  // namespace
}  // namespace nexus::tool::bench
