// What is told of runs from outside: setup, events, snapshots.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <nexus/proof_stream.hpp>

#include "engine_fixture.hpp"

namespace nexus::test {
namespace {

constexpr std::uint64_t capacity = 15300;  // of 256 rows

engine_result prove_with(engine& with, byte_view data, run_options options) {
  proofs::prove_options how;
  how.cut.rows = 256;
  const auto work = proofs::make_prove(how);
  return run_in_memory(with, *work, data, std::move(options));
}

void expect_steps(const engine_options& how) {
  const bytes data(5 * capacity);
  std::map<std::uint64_t, std::vector<segment_event>> told;
  run_options options;
  options.trace = [&told](const segment_event& event) {
    told[event.segment].push_back(event);
  };
  engine with(how);
  const auto done = prove_with(with, data, std::move(options));
  ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
  ASSERT_EQ(told.size(), 5u);
  for (const auto& [segment, events] : told) {
    std::string order;
    double last = 0;
    for (const segment_event& event : events) {
      if (event.step == segment_step::submitted) order += "submitted ";
      if (event.step == segment_step::computed) order += "computed ";
      if (event.step != segment_step::working) continue;
      EXPECT_EQ(event.job, "prove");
      EXPECT_EQ(event.worker.front(), 'W');
      EXPECT_EQ(event.job_steps, 6u);
      EXPECT_EQ(event.begin_seconds, event.end_seconds);
      EXPECT_GE(event.begin_seconds, last);
      last = event.begin_seconds;
      order += std::to_string(event.job_step) + event.job_step_name + " ";
    }
    EXPECT_EQ(order,
              "submitted 1witness 2trace 3quotient 4openings 5folding "
              "6queries computed ");
  }
}

TEST(Watching, TellsTheStepsOfEachProofInTheirOrder) {
  expect_steps(cpu_options());
}

TEST(Watching, TellsThemFromAHelperProcessToo) {
  engine_options options = cpu_options();
  options.isolation.mode = isolate_mode::all;
  options.isolation.program = NEXUS_TEST_WORKER;
  expect_steps(options);
}

TEST(Watching, TellsTheSetupOnce) {
  std::vector<run_setup> told;
  run_options options;
  options.planned = [&told](const run_setup& setup) { told.push_back(setup); };
  engine with(cpu_options(1));
  const auto done = prove_with(with, bytes(2 * capacity), std::move(options));
  ASSERT_TRUE(done.report.outcome.ok());
  ASSERT_EQ(told.size(), 1u);
  const run_setup& setup = told.front();
  EXPECT_EQ(setup.operation, "prove");
  EXPECT_EQ(setup.workers, 1u);
  EXPECT_NE(setup.workers_reason.find("at most 1 asked for"),
            std::string::npos);
  EXPECT_EQ(setup.segment_bytes, capacity);
  EXPECT_EQ(setup.budget_bytes, 64u << 20);
  EXPECT_GE(setup.window, 1u);
  EXPECT_GT(setup.processors, 0u);
  EXPECT_GT(setup.memory_total_bytes, setup.memory_available_bytes);
}

TEST(Watching, TellsNoSetupOfARunThatNeverBegins) {
  run_options options;
  options.planned = [](const run_setup&) { ADD_FAILURE(); };
  engine_options few = cpu_options();
  few.memory_bytes = 1000;
  engine with(few);
  EXPECT_FALSE(prove_with(with, bytes(capacity), std::move(options))
                   .report.outcome.ok());
}

TEST(Watching, SnapshotsTellOfRunsUnderWay) {
  engine with(cpu_options());
  EXPECT_TRUE(with.snapshot().empty());
  std::atomic<bool> go_on = false;
  std::size_t left = 64;
  auto feed = [&](std::span<std::byte> into) -> result<std::size_t> {
    if (left == 0) return std::size_t{0};
    while (left == 1 && !go_on) std::this_thread::yield();
    --left;
    std::fill(into.begin(), into.end(), std::byte{1});
    return into.size();
  };
  const auto work = age::make_encrypt(to_test_identity(false));
  std::promise<run_report> ended;
  with.start(*work, source::from_callback(feed), sink::discard(), {},
             [&](run_report report) { ended.set_value(std::move(report)); });
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::vector<telemetry> now;
  do {
    now = with.snapshot();
  } while ((now.empty() || now.front().segments == 0) &&
           std::chrono::steady_clock::now() < deadline);
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now.front().operation, "encrypt");
  EXPECT_GT(now.front().input_bytes, 0u);
  EXPECT_GT(now.front().segments, 0u);
  ASSERT_EQ(now.front().devices.size(), 1u);
  go_on = true;
  EXPECT_TRUE(ended.get_future().get().outcome.ok());
  EXPECT_TRUE(with.snapshot().empty());
}

}  // namespace
}  // namespace nexus::test
