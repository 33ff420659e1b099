#include "metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace nexus::tool {
namespace {

using testing::HasSubstr;
using testing::Not;

device_telemetry device(device_state state) {
  device_telemetry made;
  made.id = "cpu:0";
  made.plugin = "c\"p\\u\n";
  made.state = state;
  made.jobs = 7;
  made.active_workers = 2;
  made.restarts = 3;
  made.busy_seconds = 1e-7;
  return made;
}

segment_event job_done(double seconds, const char* worker = "W0") {
  segment_event event;
  event.step = segment_step::computed;
  event.job = "prove";
  event.worker = worker;
  event.begin_seconds = 1;
  event.end_seconds = 1 + seconds;
  return event;
}

TEST(MetricsText, IsThereBeforeTheRunIs) {
  const std::string text = metrics_text(std::nullopt, {}, false);
  EXPECT_THAT(text, HasSubstr("\nnexus_run_finished 0\n"));
  EXPECT_THAT(text, HasSubstr("\nnexus_input_bytes_total 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("nexus_device")));
  EXPECT_THAT(text, Not(HasSubstr("nexus_input_size_bytes")));
}

// promtool checks the rest, in tests/cli/test_watch.py.
TEST(MetricsText, TellsEachMetricOnceWithHelpAndType) {
  telemetry run;
  run.devices = {device(device_state::ready), device(device_state::dead)};
  run.input_total_bytes = 5;
  job_durations jobs;
  jobs.add(job_done(0.2));
  std::istringstream lines(metrics_text(run, jobs.copy(), true));
  std::set<std::string> helped;
  std::string current;
  std::string last_line;
  for (std::string line; std::getline(lines, line); last_line = line) {
    std::istringstream words(line);
    std::string mark, kind, name;
    words >> mark >> kind >> name;
    if (kind == "HELP") {
      EXPECT_TRUE(helped.insert(name).second) << name << " comes twice";
      current = name;
    } else if (kind == "TYPE") {
      EXPECT_EQ(name, current);
      EXPECT_TRUE(last_line.starts_with("# HELP " + name + " "));
    } else {
      EXPECT_TRUE(line.starts_with(current)) << line;
    }
  }
  EXPECT_GT(helped.size(), 25u);
}

TEST(MetricsText, EscapesLabelsAndSumsOverDevices) {
  telemetry run;
  run.devices = {device(device_state::quarantined),
                 device(device_state::ready)};
  run.queued_jobs = 9;
  const std::string text = metrics_text(run, {}, false);
  EXPECT_THAT(text, HasSubstr("\nnexus_device_jobs_total{device=\"cpu:0\","
                              "plugin=\"c\\\"p\\\\u \",kind=\"cpu\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("kind=\"cpu\",state=\"quarantined\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kind=\"cpu\"} 1e-07\n"));
  EXPECT_THAT(text, HasSubstr("\nprover_active_workers 4\n"));
  EXPECT_THAT(text, HasSubstr("\nprover_queued_tasks 9\n"));
  EXPECT_THAT(text, HasSubstr("\nprover_worker_restarts_total 6\n"));
}

TEST(MetricsText, CumulatesTheBucketsOfJobs) {
  job_durations jobs;
  jobs.add(job_done(0.5));
  jobs.add(job_done(0.25));
  jobs.add(job_done(64));
  jobs.add(job_done(1, "GPU0"));
  segment_event other = job_done(1);
  other.step = segment_step::submitted;
  jobs.add(other);
  const std::string text = metrics_text(std::nullopt, jobs.copy(), false);
  const std::string cpu =
      "nexus_job_duration_seconds_bucket{job=\"prove\",kind=\"cpu\",le=";
  EXPECT_THAT(text, HasSubstr(cpu + "\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(cpu + "\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(cpu + "\"60\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(cpu + "\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("_sum{job=\"prove\",kind=\"cpu\"} 64.75\n"));
  EXPECT_THAT(text, HasSubstr("_count{job=\"prove\",kind=\"cpu\"} 3\n"));
  // A bound belongs to its bucket.
  EXPECT_THAT(text, HasSubstr("kind=\"gpu\",le=\"1\"} 1\n"));
}

TEST(Health, IsThatSomeDeviceCanBeUsed) {
  EXPECT_TRUE(is_healthy(std::nullopt));
  telemetry run;
  EXPECT_TRUE(is_healthy(run));
  run.devices = {device(device_state::dead), device(device_state::quarantined)};
  EXPECT_FALSE(is_healthy(run));
  run.devices.push_back(device(device_state::backing_off));
  EXPECT_TRUE(is_healthy(run));
}

}  // namespace
}  // namespace nexus::tool
