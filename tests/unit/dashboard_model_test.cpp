#include "dashboard/model.hpp"

#include <gtest/gtest.h>

#include "dashboard/cpu_meter.hpp"

namespace nexus::tool {
namespace {

device_telemetry cpu_device(std::uint32_t lanes) {
  device_telemetry device;
  device.id = "cpu:0";
  device.lanes = lanes;
  device.active_workers = lanes;
  return device;
}

segment_event job(segment_step step, std::uint64_t segment,
                  const char* worker) {
  segment_event event;
  event.step = step;
  event.segment = segment;
  event.bytes = 100;
  event.job = "prove";
  event.worker = worker;
  return event;
}

telemetry at(double seconds, std::uint64_t bytes) {
  telemetry now;
  now.elapsed_seconds = seconds;
  now.input_bytes = bytes;
  return now;
}

TEST(DashboardModel, HasARowForEachLaneAndCardInOrder) {
  telemetry now;
  now.devices = {cpu_device(11), cpu_device(1)};
  now.devices[1].gpu = true;
  now.devices[1].state = device_state::quarantined;
  dashboard_model model;
  model.add(job(segment_step::submitted, 0, "GPU0"));
  model.add(now, {});
  ASSERT_EQ(model.workers().size(), 12u);
  EXPECT_EQ(model.workers()[2].name, "W2");
  EXPECT_EQ(model.workers()[10].name, "W10");
  EXPECT_EQ(model.workers()[11].name, "GPU0");
  EXPECT_EQ(model.workers()[11].state, device_state::quarantined);
}

TEST(DashboardModel, FollowsAJobFromItsStartThroughItsStepsToItsEnd) {
  dashboard_model model;
  model.add(job(segment_step::submitted, 7, "W0"));
  segment_event step = job(segment_step::working, 7, "W0");
  step.job_step = 3;
  step.job_steps = 6;
  step.job_step_name = "quotient";
  model.add(step);
  const worker_view& worker = model.workers().front();
  ASSERT_EQ(worker.jobs_now.size(), 1u);
  EXPECT_EQ(worker.jobs_now[0].step_name, "quotient");
  model.add(job(segment_step::computed, 7, "W0"));
  EXPECT_TRUE(worker.jobs_now.empty());
  EXPECT_EQ(worker.jobs, 1u);
  EXPECT_EQ(worker.bytes, 100u);
  segment_event failed = job(segment_step::computed, 8, "W0");
  failed.ok = false;
  model.add(failed);
  EXPECT_EQ(worker.failures, 1u);
  EXPECT_EQ(worker.bytes, 100u);
}

TEST(DashboardModel, ForgetsJobsWhoseEndWasNeverTold) {
  dashboard_model model;
  for (std::uint64_t i = 0; i < 100; ++i)
    model.add(job(segment_step::submitted, i, "W0"));
  EXPECT_LE(model.workers().front().jobs_now.size(), 8u);
  telemetry now;
  now.devices = {cpu_device(1)};
  now.devices[0].active_workers = 0;
  model.add(now, {});
  EXPECT_TRUE(model.workers().front().jobs_now.empty());
}

TEST(DashboardModel, SamplesThroughputAndFillsWhatWasMissed) {
  dashboard_model model;
  model.add(at(0.2, 10), {});
  EXPECT_TRUE(model.read_rates().empty());
  model.add(at(0.5, 100), {});
  ASSERT_EQ(model.read_rates().size(), 1u);
  EXPECT_DOUBLE_EQ(model.read_rates()[0], 200);
  model.add(at(2.0, 400), {});
  ASSERT_EQ(model.read_rates().size(), 4u);
  EXPECT_DOUBLE_EQ(model.read_rates()[3], 200);
  model.add(at(100'000, 500), {});
  EXPECT_EQ(model.read_rates().size(), dashboard_model::most_samples);
}

TEST(DashboardModel, TellsTheUseOfProcessorsFromTwoReadings) {
  dashboard_model model;
  model.add(at(1, 0), {10, 20, 5});
  EXPECT_FALSE(model.machine_part());
  model.add(at(2, 0), {11, 24, 7});
  EXPECT_DOUBLE_EQ(*model.machine_part(), 0.25);
  EXPECT_DOUBLE_EQ(*model.process_cpus(), 2);
}

TEST(DashboardModel, KeepsTheLatestEvents) {
  dashboard_model model;
  for (int i = 0; i < 500; ++i)
    model.add(log_line{log_level::info, {}, std::to_string(i)});
  EXPECT_EQ(model.events().size(), dashboard_model::most_events);
  EXPECT_EQ(model.events().back().text, "499");
}

TEST(CpuMeter, CountsAllButIdleAndWaiting) {
  const cpu_reading read =
      parse_cpu("cpu  1 2 3 40 50 6 7 8 900 900\ncpu0 ", 10);
  EXPECT_DOUBLE_EQ(read.machine_busy, 2.7);
  EXPECT_DOUBLE_EQ(read.machine_total, 11.7);
  EXPECT_EQ(parse_cpu("", 10).machine_total, 0);
  EXPECT_EQ(parse_cpu("intr 5", 10).machine_total, 0);
}

}  // namespace
}  // namespace nexus::tool
