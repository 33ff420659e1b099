#include "trace.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace nexus::tool {
namespace {

using nlohmann::json;

segment_event event(segment_step step, std::uint64_t segment, double begin,
                    double end, const char* worker = "W0") {
  segment_event made;
  made.step = step;
  made.segment = segment;
  made.begin_seconds = begin;
  made.end_seconds = end;
  made.job = "prove";
  made.worker = worker;
  return made;
}

segment_event step_of(double begin, const char* name) {
  segment_event made = event(segment_step::working, 0, begin, begin);
  made.job_step_name = name;
  return made;
}

class TraceText : public testing::Test {
 protected:
  // "TRACK NAME BEGIN+LENGTH" of every slice, in microseconds.
  std::vector<std::string> slices(const std::vector<segment_event>& events) {
    std::string text = trace_text::head();
    for (const segment_event& each : events) text_.add(each, text);
    trace_ = json::parse(text + text_.tail(3));
    std::map<int, std::string> tracks;
    std::vector<std::string> got;
    for (const json& each : trace_["traceEvents"]) {
      if (each["name"] == "thread_name")
        tracks[each["tid"]] = each["args"]["name"];
      if (each["ph"] != "X") continue;
      std::ostringstream line;
      line << tracks.at(each["tid"]) << " " << each["name"].get<std::string>()
           << " " << each["ts"].get<double>() << "+"
           << each["dur"].get<double>();
      got.push_back(line.str());
    }
    return got;
  }

  trace_text text_;
  json trace_;
};

using lines = std::vector<std::string>;

TEST_F(TraceText, IsValidWithoutEvents) {
  EXPECT_EQ(slices({}), lines{});
  EXPECT_EQ(trace_["otherData"]["dropped_events"], 3);
}

TEST_F(TraceText, PutsJobsThatOverlapOnALaneOneAfterTheOther) {
  EXPECT_EQ(slices({event(segment_step::computed, 0, 1, 3),
                    event(segment_step::computed, 1, 2, 5),
                    event(segment_step::computed, 2, 0, 1, "GPU0")}),
            (lines{"W0 segment 0 1e+06+2e+06", "W0 segment 1 3e+06+2e+06",
                   "GPU0 lane 0 segment 2 0+1e+06"}));
}

TEST_F(TraceText, PutsReadsThatOverlapOnTracksOfTheirOwn) {
  segment_event written = event(segment_step::written, 4, 3, 4);
  written.segments = 3;
  EXPECT_EQ(slices({event(segment_step::read, 0, 0, 2),
                    event(segment_step::read, 1, 1, 3),
                    event(segment_step::read, 2, 2, 4), written}),
            (lines{"read segment 0 0+2e+06", "read 1 segment 1 1e+06+2e+06",
                   "read segment 2 2e+06+2e+06",
                   "write segment 4 to 6 3e+06+1e+06"}));
}

TEST_F(TraceText, EndsAStepWithTheNextOneOrTheJob) {
  EXPECT_EQ(
      slices({step_of(1, "a"), step_of(2, "b"),
              event(segment_step::computed, 0, 0, 5)}),
      (lines{"W0 a 1e+06+1e+06", "W0 b 2e+06+3e+06", "W0 segment 0 0+5e+06"}));
}

TEST_F(TraceText, CountsOnlyWhatChanges) {
  segment_event changed = event(segment_step::submitted, 0, 1, 1);
  changed.window_used = 2;
  slices({event(segment_step::submitted, 0, 0, 0),
          event(segment_step::submitted, 0, 1, 1), changed});
  std::vector<std::string> counters;
  for (const json& each : trace_["traceEvents"])
    if (each["ph"] == "C")
      counters.push_back(each["name"].get<std::string>() + each["args"].dump());
  EXPECT_EQ(counters, (lines{"window{\"segments\":0}", "memory{\"bytes\":0}",
                             "window{\"segments\":2}"}));
}

TEST_F(TraceText, StaysJsonWhateverThingsAreCalled) {
  segment_event odd = event(segment_step::computed, 0, 0, 1, "W\"\\\n\xff");
  odd.job = "\"";
  odd.ok = false;
  EXPECT_EQ(slices({odd}).size(), 1u);
}

class TraceFile : public testing::Test {
 protected:
  ~TraceFile() override { ::unlink(path_.c_str()); }
  json content() const {
    std::ifstream file(path_);
    return json::parse(file);
  }
  // Once what has been added is there: a reader may see half of a write.
  json settled() const {
    json now = json::value_t::discarded;
    for (int i = 0; i < 1000 && now.is_discarded(); ++i) {
      std::ifstream file(path_);
      now = json::parse(file, nullptr, false);
      if (now.is_discarded())
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return now;
  }
  const std::string path_ =
      testing::TempDir() + "/trace-" + std::to_string(::getpid());
};

TEST_F(TraceFile, IsValidWheneverNothingIsBeingWritten) {
  auto opened = trace_file::open(path_);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(content()["traceEvents"].size(), 1u);
  std::size_t before = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    (*opened)->add(event(segment_step::computed, i, 0, 1));
    if (i % 100 != 0) continue;
    const std::size_t now = settled()["traceEvents"].size();
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_TRUE((*opened)->close().ok());
  EXPECT_EQ(content()["traceEvents"].size(), 2000u + 4);
  EXPECT_EQ((*opened)->dropped(), 0u);
}

TEST_F(TraceFile, SaysWhatCouldNotBeWritten) {
  const auto none = trace_file::open("/no/such/trace");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), status_code::io_error);
  auto full = trace_file::open("/dev/full");
  ASSERT_TRUE(full.ok());
  (*full)->add(event(segment_step::computed, 0, 0, 1));
  EXPECT_EQ((*full)->close().message(),
            "cannot write /dev/full: No space left on device");
}

}  // namespace
}  // namespace nexus::tool
