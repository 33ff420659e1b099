// Whole runs on the devices of the OpenCL and CUDA plugins: the very bytes that
// the processor makes. Skipped where there is no such device; OpenCL's is PoCL,
// which shows two here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nexus/proof_stream.hpp>

#include "engine_fixture.hpp"
#include "sanitizers.hpp"

namespace nexus::test {
namespace {

// Before anything asks for devices.
const bool environment = [] {
  ::setenv("POCL_DEVICES", "pthread basic", 0);
  const char* cache = std::getenv("NEXUS_TEST_CACHE_DIR");
  ::setenv("XDG_CACHE_HOME", cache != nullptr ? cache : NEXUS_TEST_CACHE_DIR,
           1);
  return true;
}();

// PoCL does not end well in a sanitized process, which is not ours to mend.
constexpr bool is_sanitized = NEXUS_ASAN || NEXUS_TSAN;

class EngineCards : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(environment);
    if (is_sanitized) GTEST_SKIP() << "not in a sanitized process";
    engine machine(card_options());
    for (const auto& plugin : machine.plugins()) {
      if (plugin.name != GetParam()) continue;
      for (const auto& device : plugin.devices) {
        if (device.score != 0) ++devices_;
      }
    }
    if (devices_ == 0) GTEST_SKIP() << "no device of " << GetParam();
  }
  static engine_options card_options() {
    engine_options options = cpu_options();
    options.backend = GetParam();
    options.memory_bytes = 512u << 20;
    return options;
  }
  static engine_options processor_options() {
    engine_options options = cpu_options();
    options.backend = "cpu";
    return options;
  }
  // All that ran, ran there: on every device of the plugin or on some.
  void expect_ran_on_card(const run_report& report) const {
    std::uint64_t jobs = 0, failed = 0;
    for (const auto& device : report.statistics.devices) {
      EXPECT_EQ(device.plugin, GetParam()) << device.id;
      jobs += device.jobs;
      failed += device.failed_jobs;
    }
    EXPECT_EQ(jobs, report.statistics.segments);
    EXPECT_EQ(failed, 0u);
  }

  std::size_t devices_ = 0;
};

TEST_P(EngineCards, SealTheBytesThatTheProcessorSeals) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{65536}, std::size_t{65537},
        std::size_t{5000001}}) {
    const bytes text = sample(size);
    engine processor(processor_options());
    const auto expected = encrypt_with(processor, text);
    ASSERT_TRUE(expected.report.outcome.ok());
    for (const std::uint64_t segment : {65536u, 1048576u}) {
      engine_options options = card_options();
      options.segment_bytes = segment;
      engine card(options);
      const auto sealed = encrypt_with(card, text);
      ASSERT_TRUE(sealed.report.outcome.ok())
          << sealed.report.outcome.message();
      EXPECT_TRUE(sealed.output == expected.output) << size;
      expect_ran_on_card(sealed.report);
      const auto opened = decrypt_with(card, sealed.output);
      ASSERT_TRUE(opened.report.outcome.ok())
          << opened.report.outcome.message();
      EXPECT_TRUE(opened.output == text) << size;
      expect_ran_on_card(opened.report);
    }
  }
}

// From a pipe, so that both buffers are the engine's and get imported.
TEST_P(EngineCards, WorkOnBuffersOfTheEngine) {
  const bytes text = sample(9000001);
  const bytes expected = encrypted(text.size(), false);
  engine_options options = card_options();
  options.segment_bytes = 256u << 10;
  engine card(options);
  for (int round = 0; round < 2; ++round) {
    bytes output;
    const fed_pipe pipe(text);
    const auto work = age::make_encrypt(to_test_identity(false));
    const run_report report = card.run(
        *work, source::from_descriptor(pipe.fd()), sink::to_memory(output));
    ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
    EXPECT_TRUE(output == expected);
    expect_ran_on_card(report);
  }
}

TEST_P(EngineCards, TakePartEachOne) {
  if (devices_ < 2) GTEST_SKIP() << "only one device";
  engine_options options = card_options();
  options.segment_bytes = 64u << 10;
  options.policy = schedule_policy::round_robin;
  engine card(options);
  const bytes text = sample(6000000);
  const auto sealed = encrypt_with(card, text);
  EXPECT_TRUE(sealed.output == encrypted(text.size(), false));
  EXPECT_EQ(sealed.report.statistics.devices.size(), devices_);
  for (const auto& device : sealed.report.statistics.devices)
    EXPECT_GT(device.jobs, 0u) << device.id;
}

TEST_P(EngineCards, FindDamageWhereTheProcessorFindsIt) {
  bytes damaged = encrypted(2000000, false);
  damaged[1000000] ^= std::byte{1};
  engine processor(processor_options()), card(card_options());
  const auto expected = decrypt_with(processor, damaged);
  const auto found = decrypt_with(card, damaged);
  ASSERT_EQ(expected.report.outcome.code(), status_code::invalid_data);
  EXPECT_EQ(found.report.outcome.code(), status_code::invalid_data);
  EXPECT_EQ(found.report.outcome.message(), expected.report.outcome.message());
  EXPECT_TRUE(found.output == expected.output);
}

TEST_P(EngineCards, DigestAsTheProcessorDoes) {
  const bytes data = sample(2000001);
  for (const std::uint64_t rows : {256u, 4096u, 65536u}) {
    proofs::segmenting cut;
    cut.rows = rows;
    engine processor(processor_options()), card(card_options());
    const auto expected = proofs::make_digest(cut);
    const auto work = proofs::make_digest(cut);
    ASSERT_TRUE(run_in_memory(processor, *expected, data).report.outcome.ok());
    const auto done = run_in_memory(card, *work, data);
    ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
    EXPECT_EQ(work->total().root, expected->total().root) << rows;
    EXPECT_EQ(work->total().segments, expected->total().segments);
    expect_ran_on_card(done.report);
  }
}

TEST_P(EngineCards, AreStoppedInTheMiddle) {
  const bytes text = sample(60000000);
  engine card(card_options());
  for (const bool digests : {false, true}) {
    std::stop_source stop;
    run_options options;
    options.stop = stop.get_token();
    std::thread stopper([&stop] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      stop.request_stop();
    });
    std::unique_ptr<operation> work;
    if (digests)
      work = proofs::make_digest({});
    else
      work = age::make_encrypt(to_test_identity(false));
    const auto tried = run_in_memory(card, *work, text, options);
    stopper.join();
    // It may have been faster.
    if (!tried.report.outcome.ok()) {
      EXPECT_EQ(tried.report.outcome.code(), status_code::cancelled)
          << tried.report.outcome.message();
    }
  }
  EXPECT_TRUE(encrypt_with(card, byte_view(text).first(100000)).output ==
              encrypted(100000, false));
}

INSTANTIATE_TEST_SUITE_P(All, EngineCards, testing::Values("opencl", "cuda"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace nexus::test
