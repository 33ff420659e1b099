// What a host may do wrong, or leave undone, must end a run and not the host.
#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>

#include <gmock/gmock.h>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using testing::HasSubstr;

// Hands the stream on as it is; what it plans is the test's.
class host_operation final : public operation {
 public:
  std::function<void(operation_plan&)> change = [](operation_plan&) {};

  std::string_view name() const noexcept override { return "by-host"; }
  status prologue(prologue_io&) override { return {}; }
  result<operation_plan> plan(const plan_request& request) override {
    operation_plan made;
    stage_plan stage;
    stage.granule = stage.granule_output = 4096;
    stage.job = NEXUS_JOB_AGE_SEAL;
    made.stages.push_back(stage);
    made.segment_bytes = request.segment_bytes;
    change(made);
    return made;
  }
  // No job: check() alone makes the output.
  result<job_request> make_job(const segment_view&) override {
    job_request none;
    none.needed = false;
    return none;
  }
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    std::copy(segment.input.begin(), segment.input.end(),
              outcome.output.begin());
    return {verdict_kind::accept, segment.input.size(), {}};
  }
  status epilogue(prologue_io&) override { return {}; }
};

class EngineHost : public testing::Test {
 public:
  engine_result run(operation& work, byte_view input) {
    return run_in_memory(machine_, work, input);
  }
  const bytes text_ = sample(1000001);
  engine machine_{cpu_options()};
};

TEST_F(EngineHost, AnOperationOfTheHostRuns) {
  host_operation work;
  const auto got = run(work, text_);
  ASSERT_TRUE(got.report.outcome.ok()) << got.report.outcome.message();
  EXPECT_EQ(got.output, text_);
}

TEST_F(EngineHost, APlanThatCannotBeCarriedOutIsAnError) {
  const std::pair<const char*, std::function<void(operation_plan&)>> plans[] = {
      {"no stages", [](operation_plan& p) { p.stages.clear(); }},
      {"no segment", [](operation_plan& p) { p.segment_bytes = 0; }},
      {"a lead ahead of all",
       [](operation_plan& p) { p.stages[0].lead.resize(3); }},
      {"granule 0", [](operation_plan& p) { p.stages[0].granule = 0; }},
      {"granule 0 later", [](operation_plan& p) {
         p.stages.push_back(p.stages[0]);
         p.stages[1].granule = 0;
       }}};
  for (const auto& [what, change] : plans) {
    host_operation work;
    work.change = change;
    const auto got = run(work, text_);
    EXPECT_EQ(got.report.outcome.code(), status_code::internal) << what;
    EXPECT_TRUE(got.output.empty()) << what;
  }
}

TEST_F(EngineHost, ASegmentBeyondAllMemoryIsAnError) {
  for (const std::uint64_t size :
       {UINT64_MAX, UINT64_MAX - 4096, UINT64_MAX / 2, UINT64_MAX / 4}) {
    host_operation work;
    work.change = [size](operation_plan& p) {
      p.segment_bytes = size;
      p.segment_bytes_fixed = true;
    };
    const auto got = run(work, text_);
    EXPECT_THAT(got.report.outcome.code(),
                testing::AnyOf(status_code::out_of_memory,
                               status_code::invalid_argument))
        << size;
    EXPECT_TRUE(got.output.empty()) << size;
  }
}

TEST_F(EngineHost, ACallbackThatThrowsEndsItsRunAlone) {
  auto work = age::make_encrypt(to_test_identity(false));
  bytes output;
  auto from =
      source::from_callback([](std::span<std::byte>) -> result<std::size_t> {
        throw std::runtime_error("the host's own words");
      });
  const auto read =
      machine_.run(*work, std::move(from), sink::to_memory(output));
  EXPECT_FALSE(read.outcome.ok());
  EXPECT_THAT(read.outcome.message(), HasSubstr("the host's own words"));

  auto again = age::make_encrypt(to_test_identity(false));
  auto to =
      sink::to_callback([](byte_view) -> status { throw std::bad_alloc(); });
  const auto written =
      machine_.run(*again, source::from_memory(text_), std::move(to));
  EXPECT_EQ(written.outcome.code(), status_code::out_of_memory);

  EXPECT_TRUE(encrypt_with(machine_, text_).report.outcome.ok());
}

// A library cannot ask its host to ignore signals.
TEST_F(EngineHost, AReaderThatGoesAwayDoesNotEndTheProcess) {
  for (const io_mode mode : {io_mode::automatic, io_mode::threads}) {
    engine_options options = cpu_options();
    options.io = mode;
    engine machine(options);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ::close(ends[0]);
    const auto before = ::signal(SIGPIPE, SIG_DFL);
    auto work = age::make_encrypt(to_test_identity(false));
    const auto report = machine.run(*work, source::from_memory(text_),
                                    sink::to_descriptor(ends[1]));
    ::signal(SIGPIPE, before);
    ::close(ends[1]);
    EXPECT_EQ(report.outcome.code(), status_code::broken_pipe);
  }
}

}  // namespace
}  // namespace nexus::test
