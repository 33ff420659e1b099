// What the engine offers to devices with memory of their own: imported
// buffers, tags to leave to it, larger segments, and a question before a probe.
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <future>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class EngineGpus : public testing::Test {
 protected:
  // From a pipe, so that input and output are the engine's own memory.
  engine_result run_piped(engine& with, operation& work, byte_view input) {
    engine_result result;
    const fed_pipe pipe(input);
    result.report = with.run(work, source::from_descriptor(pipe.fd()),
                             sink::to_memory(result.output));
    return result;
  }
  engine_result run_from_file(engine& with, operation& work, byte_view input) {
    const std::string path = folder_ / "input";
    write_file(path, input);
    auto from = source::from_file(path);
    EXPECT_TRUE(from.ok()) << path;
    engine_result result;
    result.report =
        with.run(work, std::move(*from), sink::to_memory(result.output));
    return result;
  }
  // Both directions, from pipes and files, with and without armor.
  void expect_right_bytes(engine& with) {
    for (const bool armor : {false, true}) {
      const auto there = age::make_encrypt(to_test_identity(armor));
      const auto sealed = run_piped(with, *there, text_);
      EXPECT_TRUE(sealed.report.outcome.ok())
          << sealed.report.outcome.message();
      EXPECT_TRUE(sealed.output == (armor ? armored_ : sealed_));
      const auto back = decryption();
      const auto opened = run_piped(with, *back, sealed.output);
      EXPECT_TRUE(opened.report.outcome.ok())
          << opened.report.outcome.message();
      EXPECT_TRUE(opened.output == text_);
      const auto again = decryption();
      const auto read = run_from_file(with, *again, sealed.output);
      EXPECT_TRUE(read.report.outcome.ok()) << read.report.outcome.message();
      EXPECT_TRUE(read.output == text_);
    }
  }
  engine_options gpu_options() {
    engine_options options = stub_options();
    options.policy = schedule_policy::round_robin;
    options.max_inflight = 4;  // so few buffers that they come back
    return options;
  }

  stub stub_;
  const scratch_directory folder_;
  const bytes text_ = sample(3000001);
  const bytes sealed_ = encrypted(text_.size(), false);
  const bytes armored_ = encrypted(text_.size(), true);
};

// ---- imported buffers -------------------------------------------------------

TEST_F(EngineGpus, BuffersAreImportedOnceForEachDeviceAndReleasedInTheEnd) {
  stub_.set("cpus=0;gpus=2;gpu.import=1;gpu.jitter_us=300");
  std::uint64_t imported = 0;
  {
    engine machine(gpu_options());
    const auto work = age::make_encrypt(to_test_identity(false));
    const auto sealed = run_piped(machine, *work, sample(12000001));
    ASSERT_TRUE(sealed.report.outcome.ok());
    for (std::uint32_t i = 0; i < 2; ++i) {
      const auto c = stub_.counters(i);
      EXPECT_EQ(c.imported_jobs, c.accepted);
      EXPECT_LT(c.imported, c.accepted)
          << "buffers that came back were imported again";
      EXPECT_EQ(c.imported, c.released) << "memory is gone, its import not";
      imported += c.imported;
    }
    EXPECT_GT(imported, 0u);
    expect_right_bytes(machine);
  }
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto c = stub_.counters(i);
    EXPECT_EQ(c.imported, c.released);
    EXPECT_EQ(c.bad_imports, 0u);
    EXPECT_EQ(c.imported_jobs, c.accepted);
  }
}

TEST_F(EngineGpus, ImportsStayRightWhenJobsAreHandedOutAgain) {
  stub_.set(
      "cpus=0;gpus=2;gpu.import=1;gpu0.fail=every:3;gpu1.fail=every:4;"
      "gpu1.code=NO_MEMORY");
  {
    engine machine(gpu_options());
    expect_right_bytes(machine);
  }
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto c = stub_.counters(i);
    EXPECT_GT(c.imported_jobs, 0u);
    EXPECT_EQ(c.imported, c.released);
    EXPECT_EQ(c.bad_imports, 0u);
  }
}

TEST_F(EngineGpus, ARunThatIsStoppedReleasesItsImports) {
  stub_.set("cpus=0;gpus=1;gpu.import=1;hold=1");
  {
    engine machine(gpu_options());
    std::stop_source stop;
    run_options options;
    options.stop = stop.get_token();
    std::thread stopper([&] {
      while (stub_.counters(0).accepted == 0) std::this_thread::sleep_for(1ms);
      stop.request_stop();
    });
    const auto tried = encrypt_with(machine, text_, false, options);
    stopper.join();
    EXPECT_EQ(tried.report.outcome.code(), status_code::cancelled);
  }
  const auto c = stub_.counters(0);
  EXPECT_GT(c.imported, 0u);
  EXPECT_EQ(c.imported, c.released);
  EXPECT_EQ(c.bad_imports, 0u);
}

TEST_F(EngineGpus, ADeviceThatCannotImportWorksWithoutAndIsNotAskedAgain) {
  stub_.set("cpus=0;gpus=1;gpu.import=1;import_code=NO_MEMORY");
  engine machine(gpu_options());
  const auto work = age::make_encrypt(to_test_identity(false));
  const auto sealed = run_piped(machine, *work, text_);
  ASSERT_TRUE(sealed.report.outcome.ok()) << sealed.report.outcome.message();
  EXPECT_TRUE(sealed.output == sealed_);
  const auto c = stub_.counters(0);
  EXPECT_GT(c.imported, 0u);
  EXPECT_LT(c.imported, c.accepted);
  EXPECT_EQ(c.imported_jobs, 0u);
  EXPECT_EQ(c.released, 0u);
}

TEST_F(EngineGpus, NothingIsImportedForADeviceThatDoesNotAsk) {
  stub_.set("cpus=1;gpus=1");
  engine machine(gpu_options());
  expect_right_bytes(machine);
  EXPECT_EQ(stub_.counters(0).imported + stub_.counters(1).imported, 0u);
}

// ---- tags -------------------------------------------------------------------

TEST_F(EngineGpus, TagsThatADeviceLeavesAreCompared) {
  stub_.set("cpus=0;gpus=2;gpu.tags=1;gpu.jitter_us=300");
  engine machine(gpu_options());
  expect_right_bytes(machine);
}

TEST_F(EngineGpus, DamageIsFoundInTheTagsThatADeviceLeaves) {
  stub_.set("cpus=0;gpus=2;gpu.tags=1;gpu.jitter_us=300");
  bytes damaged = sealed_;
  const std::size_t header = sealed_.size() - text_.size() - 46 * 16;
  ASSERT_EQ(text_.size() / 65536 + 1, 46u);
  damaged[header + 30 * 65552 + 100] ^= std::byte{0x10};
  engine machine(gpu_options());
  const auto opened = decrypt_with(machine, damaged);
  EXPECT_EQ(opened.report.outcome.code(), status_code::invalid_data);
  EXPECT_THAT(opened.report.outcome.message(), HasSubstr("chunk 30 "));
  EXPECT_EQ(opened.output.size(), 30u * 65536);
  EXPECT_TRUE(
      std::equal(opened.output.begin(), opened.output.end(), text_.begin()));
  EXPECT_EQ(opened.report.statistics.retries, 0u)
      << "nobody else has to be asked whose fault it is";
}

// ---- the size of segments ---------------------------------------------------

class SegmentsOfGpus : public EngineGpus {
 protected:
  std::uint64_t segment_of(engine_options options, std::size_t size) {
    options.segment_bytes = asked_;
    engine machine(options);
    if (before_) before_(machine);
    const auto sealed = encrypt_with(machine, sample(size));
    EXPECT_TRUE(sealed.report.outcome.ok()) << sealed.report.outcome.message();
    window_ = sealed.report.statistics.window;
    return sealed.report.statistics.segment_bytes;
  }
  std::optional<std::uint64_t> asked_;
  std::function<void(engine&)> before_;
  std::uint32_t window_ = 0;
};

TEST_F(SegmentsOfGpus, AreAsLargeAsTheGpuPrefers) {
  stub_.set(
      "cpus=0;gpus=2;gpu0.preferred_bytes=2097152;gpu1.preferred_bytes="
      "3145728");
  EXPECT_EQ(segment_of(stub_options(), 60u << 20), 3u << 20);
}

TEST_F(SegmentsOfGpus, AreThoseThatWereAskedForIfAnyWere) {
  stub_.set("cpus=0;gpus=1;gpu.preferred_bytes=4194304");
  asked_ = 128u << 10;
  EXPECT_EQ(segment_of(stub_options(), 8u << 20), 128u << 10);
}

TEST_F(SegmentsOfGpus, LeaveTheWindowRoomForFour) {
  stub_.set("cpus=0;gpus=1;max_lanes=1;gpu.preferred_bytes=67108864");
  const auto size = segment_of(stub_options(), 200u << 20);
  EXPECT_GE(size, 4u << 20);
  EXPECT_LE(size, 16u << 20) << "of a budget of 64 MiB";
  EXPECT_GE(window_, 4u);
}

TEST_F(SegmentsOfGpus, AreSmallerWhereTheInputIs) {
  stub_.set("cpus=0;gpus=1;gpu.preferred_bytes=4194304");
  EXPECT_LE(segment_of(stub_options(), 8u << 20), 1u << 20);
}

TEST_F(SegmentsOfGpus, AreNotThoseOfADeviceThatIsNotUsed) {
  stub_.set("cpus=0;gpus=1;gpu.preferred_bytes=4194304;gpu.on_request=1");
  engine_options options = mixed_options();
  const auto first = segment_of(options, 40u << 20);
  before_ = [](engine& machine) {
    EXPECT_TRUE(encrypt_with(machine, sample(100000)).report.outcome.ok());
  };
  EXPECT_EQ(first, segment_of(options, 40u << 20));
  EXPECT_EQ(first, 1u << 20);
}

// Opened by a run before: that makes it known when the size is decided.
TEST_F(SegmentsOfGpus, GoToTheGpuUnderThePolicyOfTheThreshold) {
  stub_.set("cpus=1;gpus=1;gpu.preferred_bytes=4194304");
  engine_options options = mixed_options();
  options.policy = schedule_policy::threshold;
  options.gpu_threshold_bytes = 4u << 20;
  before_ = [](engine& machine) {
    EXPECT_TRUE(encrypt_with(machine, sample(100000)).report.outcome.ok());
  };
  EXPECT_EQ(segment_of(options, 80u << 20), 4u << 20);
  EXPECT_GT(stub_.counters(1).accepted, 0u);
}

// ---- one card, two plugins --------------------------------------------------

TEST_F(EngineGpus, ACardThatTwoPluginsSeeCountsOnce) {
  const std::string path = folder_ / "nexus-card.so";
  ASSERT_TRUE(
      std::filesystem::copy_file(NEXUS_TEST_BAD_PLUGIN_DIR "/card.so", path));
  engine_options options = mixed_options();
  options.plugin_directories = {NEXUS_TEST_STUB_DIR, folder_.path()};
  for (const auto& [score, used] :
       {std::pair{"99", "card:0"}, std::pair{"100", "card:0"},
        std::pair{"101", "stub:0"}}) {
    stub_.set("cpus=0;gpus=1;gpu.pci=0000:01:00.0;gpu.score=" +
              std::string(score));
    engine machine(options);
    std::vector<std::string> in_use;
    for (const auto& plugin : machine.plugins())
      for (const auto& device : plugin.devices)
        if (device.lanes != 0) in_use.push_back(device.id);
    EXPECT_THAT(in_use, testing::ElementsAre(used)) << score;
  }
}

TEST_F(EngineGpus, AnOperationThatTwoPluginsBringIsListedOnce) {
  for (const std::string name : {"good", "other"})
    ASSERT_TRUE(std::filesystem::copy_file(
        NEXUS_TEST_BAD_PLUGIN_DIR "/" + name + ".so",
        folder_ / ("nexus-" + name + ".so")));
  engine_options options = mixed_options();
  options.plugin_directories = {folder_.path()};
  engine machine(options);
  const auto found = machine.plugins();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0].operations, testing::ElementsAre("nothing"));
  EXPECT_EQ(found[0].note, "");
  EXPECT_THAT(found[1].operations, testing::IsEmpty());
  EXPECT_EQ(found[1].note,
            "its operation \"nothing\" is hidden by that of plugin good");
}

// ---- health -----------------------------------------------------------------

TEST_F(EngineGpus, ADeviceThatSaysItIsIllGetsNoProbe) {
  stub_.set("cpus=1;max_lanes=1;depth=1;fail=first:1;health=DEVICE");
  engine machine(gpu_options());
  const auto tried = encrypt_with(machine, text_);
  EXPECT_EQ(tried.report.outcome.code(), status_code::device_failed);
  EXPECT_THAT(tried.report.outcome.message(), HasSubstr("stub:0"));
  EXPECT_THAT(tried.report.outcome.message(), HasSubstr("told to be ill"));
  const auto c = stub_.counters(0);
  EXPECT_EQ(c.accepted, 1u) << "a job was sent to it all the same";
  EXPECT_GE(c.health_asked, 5u);
}

TEST_F(EngineGpus, ADeviceThatRecoversIsUsedAgain) {
  stub_.set("cpus=1;max_lanes=1;depth=1;fail=first:1;health=DEVICE");
  engine machine(gpu_options());
  std::thread healer([this] {
    while (stub_.counters(0).health_asked < 2) std::this_thread::sleep_for(1ms);
    stub_.set("health=OK");
  });
  const auto sealed = encrypt_with(machine, text_);
  healer.join();
  EXPECT_TRUE(sealed.report.outcome.ok()) << sealed.report.outcome.message();
  EXPECT_TRUE(sealed.output == sealed_);
}

TEST_F(EngineGpus, ADeviceThatIsGoneForGoodIsNeverAskedAgain) {
  stub_.set("cpus=1;max_lanes=1;depth=1;lost=after:3");
  engine machine(gpu_options());
  const auto tried = encrypt_with(machine, text_);
  EXPECT_EQ(tried.report.outcome.code(), status_code::no_device);
  EXPECT_THAT(tried.report.outcome.message(),
              HasSubstr("stub:0 is gone: stub: lost"));
  EXPECT_EQ(tried.report.statistics.devices.at(0).state, device_state::dead);
  const auto before = stub_.counters(0);
  EXPECT_EQ(before.health_asked, 1u);
  const auto again = encrypt_with(machine, text_);
  EXPECT_EQ(again.report.outcome.code(), status_code::no_device);
  EXPECT_THAT(again.report.outcome.hint(), HasSubstr("gone: stub: lost"));
  EXPECT_EQ(stub_.counters(0).submitted, before.submitted);
}

// The lane that the probe had is free again, and so is the run.
TEST_F(EngineGpus, AStopWhileADeviceIsIllEndsTheRun) {
  stub_.set("cpus=1;max_lanes=1;depth=1;fail=first:1;health=DEVICE");
  engine machine(gpu_options());
  std::stop_source stop;
  run_options options;
  options.stop = stop.get_token();
  std::thread stopper([&] {
    while (stub_.counters(0).health_asked < 2) std::this_thread::sleep_for(1ms);
    stop.request_stop();
  });
  const auto tried = encrypt_with(machine, text_, false, options);
  stopper.join();
  EXPECT_EQ(tried.report.outcome.code(), status_code::cancelled);
  stub_.set("health=OK");
  EXPECT_TRUE(encrypt_with(machine, text_).report.outcome.ok());
}

}  // namespace
}  // namespace nexus::test
