// Runs over devices that delay, reorder, fail and vanish.
#include <chrono>
#include <future>
#include <memory>

#include <gmock/gmock.h>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;

class EngineDevices : public testing::Test {
 protected:
  stub stub_;
  const bytes text_ = sample(5000001);
  const bytes sealed_ = encrypted(text_.size(), false);
  const bytes armored_ = encrypted(text_.size(), true);

  // Both directions, with and without armor, give the same bytes as ever.
  telemetry expect_right_bytes(const engine_options& options) {
    engine machine(options);
    telemetry total;
    for (const bool armor : {false, true}) {
      auto there = encrypt_with(machine, text_, armor);
      EXPECT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
      EXPECT_EQ(there.output, armor ? armored_ : sealed_);
      auto back = decrypt_with(machine, there.output);
      EXPECT_TRUE(back.report.outcome.ok()) << back.report.outcome.message();
      EXPECT_EQ(back.output, text_);
      total.retries += there.report.statistics.retries;
      total.retries += back.report.statistics.retries;
      total.devices = back.report.statistics.devices;
    }
    return total;
  }
};

TEST_F(EngineDevices, AMixOfCpusAndGpusGivesTheSameBytes) {
  stub_.set(
      "cpus=2;gpus=2;cpu0.delay_us=300;gpu.jitter_us=3000;gpu1.reorder=2;"
      "gpu0.done=thread;cpu1.done=submit");
  for (const auto policy : {schedule_policy::lect, schedule_policy::threshold,
                            schedule_policy::round_robin}) {
    engine_options options = mixed_options();
    options.policy = policy;
    const auto t = expect_right_bytes(options);
    ASSERT_EQ(t.devices.size(), 5u);
    if (policy != schedule_policy::round_robin) continue;
    for (const auto& device : t.devices)
      EXPECT_GT(device.jobs, 0u) << device.id;
  }
}

TEST_F(EngineDevices, FailedJobsAreHandedOutAgainOnTheSameInput) {
  stub_.set(
      "cpus=1;gpus=2;gpu0.fail=every:3;gpu1.fail=every:4;"
      "gpu1.code=NO_MEMORY;cpu0.busy=every:3");
  engine_options options = mixed_options();
  options.policy = schedule_policy::round_robin;
  const auto t = expect_right_bytes(options);
  EXPECT_GT(t.retries, 0u);
}

TEST_F(EngineDevices, ADeviceThatIsLostMidRunIsDoneWithout) {
  stub_.set("cpus=1;gpus=1;gpu0.lost=after:5");
  engine_options options = mixed_options();
  options.policy = schedule_policy::threshold;
  const auto t = expect_right_bytes(options);
  bool quarantined = false;
  for (const auto& device : t.devices)
    if (device.gpu) quarantined = device.state == device_state::quarantined;
  EXPECT_TRUE(quarantined);
}

TEST_F(EngineDevices, WhenEveryDeviceFailsTheRunSaysSo) {
  stub_.set("cpus=2;fail=all;code=DEVICE");
  engine machine(stub_options());
  const auto tried = encrypt_with(machine, text_);
  EXPECT_EQ(tried.report.outcome.code(), status_code::device_failed);
  EXPECT_THAT(tried.report.outcome.message(),
              testing::AllOf(testing::StartsWith("segment "),
                             testing::HasSubstr("told to fail")));
  EXPECT_TRUE(tried.output.empty());
  for (std::uint32_t i = 0; i < 2; ++i)
    EXPECT_EQ(stub_.counters(i).accepted, stub_.counters(i).completed);
}

TEST_F(EngineDevices, WhereMemoryIsShortFewerJobsRunAtOnce) {
  if (std::thread::hardware_concurrency() < 2)
    GTEST_SKIP() << "a single processor has a single lane";
  stub_.set("cpus=1;depth=1;room=1;delay_us=1000");
  engine machine(stub_options());
  for (const bool armor : {false, true}) {
    const auto done = encrypt_with(machine, text_, armor);
    ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
    EXPECT_EQ(done.output, armor ? armored_ : sealed_);
    EXPECT_EQ(done.report.statistics.retries, 1u);
    EXPECT_EQ(done.report.statistics.devices.front().failed_jobs, 1u);
  }
}

TEST_F(EngineDevices, AJobThatFindsNoMemoryAloneEndsTheRun) {
  stub_.set("cpus=1;fail=all;code=NO_MEMORY");
  engine machine(stub_options());
  const auto tried = encrypt_with(machine, text_);
  EXPECT_EQ(tried.report.outcome.code(), status_code::out_of_memory);
  EXPECT_THAT(tried.report.outcome.message(),
              testing::MatchesRegex("segment [0-9]+ found no memory, 3 times "
                                    "with no other at work: it takes .* KiB; "
                                    "last on stub:0: stub: told to fail"));
  EXPECT_TRUE(tried.output.empty());
  EXPECT_EQ(stub_.counters(0).accepted, stub_.counters(0).completed);
}

TEST_F(EngineDevices, ACardWithoutMemoryDoesNotSlowTheOthers) {
  stub_.set(
      "cpus=1;gpus=1;depth=1;gpu.fail=all;gpu.code=NO_MEMORY;"
      "cpu.delay_us=2000");
  engine_options options = stub_options();
  options.policy = schedule_policy::round_robin;
  engine machine(options);
  const auto done = encrypt_with(machine, text_);
  ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
  EXPECT_EQ(done.output, sealed_);
  EXPECT_EQ(stub_.counters(0).most_held,
            std::min(2u, std::thread::hardware_concurrency()));
}

TEST_F(EngineDevices, ADeviceThatCannotBeOpenedIsLeftOut) {
  stub_.set("cpus=1;gpus=1;gpu0.open_code=NO_MEMORY");
  const auto t = expect_right_bytes(mixed_options());
  EXPECT_EQ(t.devices.size(), 2u);
}

TEST_F(EngineDevices, ANamedBackendIsTheOnlyOneThatRuns) {
  stub_.set("cpus=1;gpus=1");
  engine_options options = mixed_options();
  options.backend = "stub";
  const auto t = expect_right_bytes(options);
  for (const auto& device : t.devices) EXPECT_EQ(device.plugin, "stub");
  EXPECT_GT(stub_.counters(0).completed + stub_.counters(1).completed, 0u);
}

TEST_F(EngineDevices, ABackendThatIsNotThereIsAnError) {
  engine_options options = mixed_options();
  options.backend = "quantum";
  engine machine(options);
  const auto tried = encrypt_with(machine, text_);
  EXPECT_EQ(tried.report.outcome.code(), status_code::no_device);
  EXPECT_NE(tried.report.outcome.message().find("quantum"), std::string::npos);
}

TEST_F(EngineDevices, ASmallInputNeverTouchesAGpu) {
  stub_.set("cpus=0;gpus=1");
  engine_options options = mixed_options();
  options.gpu_min_input_bytes = text_.size() + 1;
  engine machine(options);
  EXPECT_TRUE(encrypt_with(machine, text_).report.outcome.ok());
  EXPECT_EQ(stub_.counters(0).opened, 0u);
}

TEST_F(EngineDevices, APipeBringsTheGpusInOnceItHasGrown) {
  stub_.set("cpus=0;gpus=1");
  engine_options options = mixed_options();
  options.gpu_min_input_bytes = 1u << 20;
  engine machine(options);
  const fed_pipe pipe(text_);
  auto work = age::make_encrypt(to_test_identity(false));
  bytes output;
  const auto report = machine.run(*work, source::from_descriptor(pipe.fd()),
                                  sink::to_memory(output));
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(output, sealed_);
  EXPECT_EQ(stub_.counters(0).opened, 1u);
}

TEST_F(EngineDevices, TheWindowIsNeverExceededWhileAStragglerHoldsIt) {
  stub_.set("cpus=2;depth=8;cpu.late=only:1;late_us=300000");
  engine_options options = stub_options();
  options.max_inflight = 6;
  engine machine(options);
  const auto sealed = encrypt_with(machine, text_);
  ASSERT_TRUE(sealed.report.outcome.ok());
  EXPECT_EQ(sealed.output, sealed_);
  EXPECT_EQ(sealed.report.statistics.window_peak, 6u);
  EXPECT_GT(sealed.report.statistics.stalls.reorder, 0.1);
}

TEST_F(EngineDevices, AStopDrainsTheDevicesBeforeItReturns) {
  stub_.set("cpus=2;hold=1");
  engine machine(stub_options());
  std::stop_source stop;
  run_options options;
  options.stop = stop.get_token();
  auto work = age::make_encrypt(to_test_identity(false));
  bytes output;
  std::promise<run_report> promise;
  machine.start(*work, source::from_memory(text_), sink::to_memory(output),
                options,
                [&promise](run_report r) { promise.set_value(std::move(r)); });
  for (int i = 0; i < 1000 && stub_.counters(0).accepted == 0; ++i)
    std::this_thread::sleep_for(1ms);
  EXPECT_GT(stub_.counters(0).accepted, 0u);
  stop.request_stop();
  auto future = promise.get_future();
  ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(future.get().outcome.code(), status_code::cancelled);
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto c = stub_.counters(i);
    EXPECT_EQ(c.accepted, c.completed);
  }
}

TEST_F(EngineDevices, AStopOfOneRunLeavesTheOtherAlone) {
  stub_.set("cpus=2;delay_us=2000");
  engine machine(stub_options());
  std::stop_source stop;
  run_options options;
  options.stop = stop.get_token();
  auto doomed = age::make_encrypt(to_test_identity(false));
  bytes dropped;
  std::promise<run_report> promise;
  machine.start(*doomed, source::from_memory(text_), sink::to_memory(dropped),
                options,
                [&promise](run_report r) { promise.set_value(std::move(r)); });
  std::thread stopper([&stop] {
    std::this_thread::sleep_for(10ms);
    stop.request_stop();
  });
  const auto other = encrypt_with(machine, text_);
  stopper.join();
  EXPECT_EQ(promise.get_future().get().outcome.code(), status_code::cancelled);
  EXPECT_TRUE(other.report.outcome.ok()) << other.report.outcome.message();
  EXPECT_EQ(other.output, sealed_);
}

TEST_F(EngineDevices, DamagedInputReleasesTheSamePrefixHoweverJobsEnd) {
  stub_.set("cpus=2;gpus=1;jitter_us=3000;reorder=2");
  bytes damaged = sealed_;
  const std::size_t header = sealed_.size() - text_.size() - 77 * 16;
  ASSERT_EQ(text_.size() / 65536 + 1, 77u);
  damaged[header + 40 * 65552 + 100] ^= std::byte{0x10};
  for (int round = 0; round < 3; ++round) {
    engine machine(mixed_options());
    const auto opened = decrypt_with(machine, damaged);
    EXPECT_EQ(opened.report.outcome.code(), status_code::invalid_data);
    EXPECT_EQ(opened.output.size(), 40u * 65536);
    EXPECT_TRUE(
        std::equal(opened.output.begin(), opened.output.end(), text_.begin()));
  }
}

TEST_F(EngineDevices, OneBusyRunDoesNotStarveAnother) {
  stub_.set("cpus=1;delay_us=500");
  engine_options options = stub_options();
  options.memory_bytes = 4u << 20;
  engine machine(options);
  const bytes large = sample(20u << 20);
  auto first = age::make_encrypt(to_test_identity(false));
  std::promise<run_report> promise;
  machine.start(*first, source::from_memory(large), sink::discard(), {},
                [&promise](run_report r) { promise.set_value(std::move(r)); });
  auto future = promise.get_future();
  const auto second = encrypt_with(machine, sample(600000));
  EXPECT_TRUE(second.report.outcome.ok());
  EXPECT_EQ(future.wait_for(0s), std::future_status::timeout)
      << "the small run had to wait for the large one";
  EXPECT_TRUE(future.get().outcome.ok());
}

}  // namespace
}  // namespace nexus::test
