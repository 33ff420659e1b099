// Devices that call garbage good: what is checked of it before it is written.
#include <gtest/gtest.h>

#include <gmock/gmock.h>
#include <nexus/proof_stream.hpp>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using age::output_check;

class EngineChecks : public testing::Test {
 protected:
  engine_options options(std::uint64_t segment_bytes = 1u << 20) const {
    engine_options made = stub_options();
    made.segment_bytes = segment_bytes;
    made.policy = schedule_policy::round_robin;
    return made;
  }

  engine_result encrypt(const engine_options& with, output_check how,
                        bool armor = false) const {
    age::encrypt_options wanted = to_test_identity(armor);
    wanted.verify_output = how;
    const auto work = age::make_encrypt(wanted);
    engine machine(with);
    return run_in_memory(machine, *work, text_);
  }

  static const device_telemetry& device(const engine_result& done,
                                        const std::string& id) {
    for (const auto& each : done.report.statistics.devices)
      if (each.id == id) return each;
    ADD_FAILURE() << id;
    return done.report.statistics.devices.front();
  }

  stub stub_;
  const bytes text_ = sample(9u << 20);
  const bytes sealed_ = encrypted(text_.size(), false);
};

TEST_F(EngineChecks, GarbageOfACardIsFoundAndMadeAgainElsewhere) {
  stub_.set("cpus=1;gpus=1;gpu.garbage=all");
  for (const output_check how : {output_check::sample, output_check::all}) {
    for (const bool armor : {false, true}) {
      const auto done = encrypt(options(), how, armor);
      ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
      EXPECT_TRUE(done.output == encrypted(text_.size(), armor));
      EXPECT_GE(done.report.statistics.retries, 1u);
      EXPECT_GE(device(done, "stub:1").failed_jobs, 1u);
      EXPECT_GE(device(done, "stub:1").quarantines, 1u);
      EXPECT_EQ(device(done, "stub:1").last_error,
                "its result proved to be wrong");
      EXPECT_EQ(device(done, "stub:0").failed_jobs, 0u);
    }
  }
}

TEST_F(EngineChecks, ADeviceThatIsAlwaysWrongAndAloneEndsTheRun) {
  stub_.set("cpus=0;gpus=1;gpu.garbage=all");
  const auto done = encrypt(options(), output_check::sample);
  EXPECT_EQ(done.report.outcome.code(), status_code::device_failed);
  EXPECT_THAT(
      done.report.outcome.message(),
      testing::MatchesRegex("segment [0-9]+ failed 8 times, last on stub:0: "
                            "the encrypted bytes are wrong: chunk [0-9]+ (does "
                            "not open|holds other bytes)"));
  // The header may stand there; no chunk does.
  EXPECT_LT(done.output.size(), 300u);
}

TEST_F(EngineChecks, NothingIsCheckedWhereNobodyWantsIt) {
  stub_.set("cpus=0;gpus=1;gpu.garbage=all");
  const auto done = encrypt(options(), output_check::none);
  ASSERT_TRUE(done.report.outcome.ok());
  EXPECT_EQ(done.output.size(), sealed_.size());
  EXPECT_FALSE(done.output == sealed_);
  EXPECT_EQ(device(done, "stub:0").failed_jobs, 0u);
}

TEST_F(EngineChecks, AProcessorOfThisProcessIsCheckedOnlyWhereAllAre) {
  stub_.set("cpus=2;cpu0.garbage=all");
  const auto trusting = encrypt(options(), output_check::sample);
  ASSERT_TRUE(trusting.report.outcome.ok());
  EXPECT_FALSE(trusting.output == sealed_);
  stub_->reset();
  stub_.set("cpus=2;cpu0.garbage=all");
  const auto careful = encrypt(options(), output_check::all);
  ASSERT_TRUE(careful.report.outcome.ok());
  EXPECT_TRUE(careful.output == sealed_);
  EXPECT_GE(device(careful, "stub:0").failed_jobs, 1u);
}

// The stub spoils a byte in the middle: of segments of two chunks, one of those
// that a sample holds.
TEST_F(EngineChecks, OneBitIsFoundWhereItsChunkIsLookedAt) {
  stub_.set("cpus=1;gpus=1;gpu.corrupt=every:2");
  const auto small = encrypt(options(128u << 10), output_check::sample);
  ASSERT_TRUE(small.report.outcome.ok());
  EXPECT_TRUE(small.output == sealed_);
  EXPECT_GE(device(small, "stub:1").failed_jobs, 1u);
  stub_->reset();
  stub_.set("cpus=1;gpus=1;gpu.corrupt=every:2");
  const auto large = encrypt(options(), output_check::all);
  ASSERT_TRUE(large.report.outcome.ok());
  EXPECT_TRUE(large.output == sealed_);
  EXPECT_GE(device(large, "stub:1").failed_jobs, 1u);
}

}  // namespace
}  // namespace nexus::test
