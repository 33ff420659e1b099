// Output files that the lanes write themselves, as they make it: what may go
// wrong on the way to a file that is right.
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;

// An operation in which something is different.
class wrapped : public operation {
 public:
  explicit wrapped(std::unique_ptr<operation> inner)
      : inner_(std::move(inner)) {}
  std::string_view name() const noexcept override { return inner_->name(); }
  status prologue(prologue_io& io) override { return inner_->prologue(io); }
  result<operation_plan> plan(const plan_request& request) override {
    return inner_->plan(request);
  }
  result<job_request> make_job(const segment_view& segment) override {
    return inner_->make_job(segment);
  }
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    return inner_->check(segment, outcome);
  }
  status epilogue(prologue_io& io) override { return inner_->epilogue(io); }

 private:
  std::unique_ptr<operation> inner_;
};

std::unique_ptr<operation> encryption(bool armor = false) {
  return age::make_encrypt(to_test_identity(armor));
}

// Hands on less of one segment than its device made, though it said it never
// would.
class shortening final : public wrapped {
 public:
  using wrapped::wrapped;
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    verdict said = wrapped::check(segment, outcome);
    if (segment.index == 9) said.output_bytes -= 1000;
    return said;
  }
};

// Sends some segments back once.
class doubting final : public wrapped {
 public:
  using wrapped::wrapped;
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    if (segment.index % 5 == 4 && segment.index > refused_) {
      refused_ = segment.index;
      return {verdict_kind::resubmit, 0, {}};
    }
    return wrapped::check(segment, outcome);
  }

 private:
  std::uint64_t refused_ = 0;
};

class auditing final : public wrapped {
 public:
  using wrapped::wrapped;
  result<operation_plan> plan(const plan_request& request) override {
    auto made = wrapped::plan(request);
    if (made.ok()) made->stages.back().audits = audit_scope::all;
    return made;
  }
};

class EngineOutput : public testing::Test {
 protected:
  EngineOutput() { stub_.set("cpus=2;drains=1"); }

  engine_options options(io_mode mode = io_mode::automatic) const {
    engine_options made = stub_options();
    made.segment_bytes = 65536;
    made.io = mode;
    made.policy = schedule_policy::round_robin;
    return made;
  }
  // Jobs are held until the engine has made the file, so that those that are
  // handed out after that may write to it.
  run_report write(engine& machine, operation& work, byte_view input,
                   run_options how = {}) {
    stub_.set("hold=1");
    std::promise<run_report> promise;
    auto ended = promise.get_future();
    machine.start(
        work, source::from_memory(input), sink::to_file(out_), std::move(how),
        [&promise](run_report r) { promise.set_value(std::move(r)); });
    while (ended.wait_for(3ms) != std::future_status::ready && !has_output())
      stub_->release(4);
    begun_ = completed();
    if (once_begun_) once_begun_();
    stub_.set("hold=0");
    return ended.get();
  }
  std::uint64_t completed() const {
    return stub_.counters(0).completed + stub_.counters(1).completed;
  }
  bool has_output() const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path()))
      if (entry.path() != out_ && entry.file_size() != 0) return true;
    return false;
  }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(dir_.path()))
      ++count;
    return count;
  }

  stub stub_;
  const scratch_directory dir_;
  const std::string out_ = dir_ / "out";
  const bytes text_ = sample(150 * 65536 + 17);
  // Jobs that were completed when lanes could begin to write.
  std::atomic<std::uint64_t> begun_ = UINT64_MAX / 2;
  std::function<void()> once_begun_;
};

TEST_F(EngineOutput, AJobThatFailsAfterItWroteIsDoneAgainInTheSamePlace) {
  // What it wrote was wrong, too, and the other device does not write.
  stub_.set("cpu1.drains=0");
  once_begun_ = [this] {
    // Its jobs so far were handed out too early to write.
    const auto later = std::to_string(stub_.counters(0).accepted + 6);
    stub_.set("cpu0.corrupt=only:" + later + ";cpu0.regret=only:" + later);
  };
  engine machine(options());
  const auto work = encryption();
  const auto report = write(machine, *work, text_);
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(report.statistics.retries, 1u);
  EXPECT_GT(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(read_file(out_), encrypted(text_.size(), false));
}

TEST_F(EngineOutput, ASegmentThatIsRefusedAfterItWasWrittenIsWrittenAgain) {
  stub_.set("corrupt=none");
  engine machine(options());
  doubting work(encryption());
  const auto report = write(machine, work, text_);
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_GT(report.statistics.retries, 0u);
  EXPECT_EQ(read_file(out_), encrypted(text_.size(), false));
}

TEST_F(EngineOutput, ASegmentThatTurnsOutShorterMovesAllThatFollow) {
  engine machine(options());
  shortening expected_from(encryption());
  const auto expected = run_in_memory(machine, expected_from, text_);
  ASSERT_TRUE(expected.report.outcome.ok());
  shortening work(encryption());
  const auto report = write(machine, work, text_);
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_GT(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(expected.output.size(),
            encrypted(text_.size(), false).size() - 1000);
  EXPECT_EQ(read_file(out_), expected.output);
  EXPECT_EQ(report.statistics.output_bytes, expected.output.size());
}

TEST_F(EngineOutput, AForgedChunkInTheMiddleLeavesNoFile) {
  bytes sealed = encrypted(text_.size(), false);
  sealed[sealed.size() / 2] ^= std::byte{1};
  engine machine(options());
  const auto work = decryption();
  const auto report = write(machine, *work, sealed);
  EXPECT_EQ(report.outcome.code(), status_code::invalid_data);
  EXPECT_EQ(files(), 0u);
}

TEST_F(EngineOutput, AFullDiskIsAnErrorAndLeavesNoFile) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  engine machine(options());
  const auto work = encryption();
  rlimit small = before;
  small.rlim_cur = 8000000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto report = write(machine, *work, text_);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(report.outcome.code(), status_code::io_error);
  EXPECT_EQ(report.outcome.system_error(), EFBIG) << report.outcome.message();
  EXPECT_GT(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(files(), 0u);
}

TEST_F(EngineOutput, AStopInTheMiddleLeavesNoFile) {
  stub_.set("delay_us=2000");
  engine machine(options());
  std::stop_source stop;
  run_options how;
  how.stop = stop.get_token();
  std::thread stopper([&] {
    while (completed() < begun_ + 16) std::this_thread::sleep_for(1ms);
    stop.request_stop();
  });
  const auto work = encryption();
  const auto report = write(machine, *work, sample(300 * 65536), how);
  stopper.join();
  EXPECT_GT(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(report.outcome.code(), status_code::cancelled);
  EXPECT_EQ(files(), 0u);
}

TEST_F(EngineOutput, LanesWriteMostOfATemporaryFile) {
  stub_.set("jitter_us=500");
  for (const bool armor : {false, true}) {
    engine machine(options());
    const auto work = encryption(armor);
    const auto report = write(machine, *work, text_);
    ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
    const bytes sealed = encrypted(text_.size(), armor);
    EXPECT_EQ(read_file(out_), sealed) << armor;
    EXPECT_GT(report.statistics.io.lane_writes, 15u) << armor;
    EXPECT_EQ(report.statistics.output_bytes, sealed.size());

    const auto back = decryption();
    const auto opened = write(machine, *back, sealed);
    ASSERT_TRUE(opened.outcome.ok()) << opened.outcome.message();
    EXPECT_EQ(read_file(out_), text_) << armor;
    EXPECT_GT(opened.statistics.io.lane_writes, 15u) << armor;
  }
}

TEST_F(EngineOutput, RunsThatShareLanesWriteEachTheirOwnFile) {
  stub_.set("delay_us=1000");
  engine machine(options());
  const bytes expected = encrypted(text_.size(), false);
  std::vector<std::unique_ptr<operation>> works;
  std::vector<std::promise<run_report>> promises(4);
  for (std::size_t i = 0; i < promises.size(); ++i) {
    works.push_back(encryption());
    machine.start(
        *works[i], source::from_memory(text_),
        sink::to_file(dir_ / std::to_string(i)), {},
        [&promises, i](run_report r) { promises[i].set_value(std::move(r)); });
  }
  for (std::size_t i = 0; i < promises.size(); ++i) {
    const auto report = promises[i].get_future().get();
    ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
    EXPECT_GT(report.statistics.io.lane_writes, 0u);
    EXPECT_EQ(read_file(dir_ / std::to_string(i)), expected) << i;
  }
}

// There only a correct prefix may stand.
TEST_F(EngineOutput, WhatIsRedirectedToAFileIsWrittenInOrderByTheEngine) {
  const int fd = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, "ahead", 5), 5);
  engine machine(options());
  const auto work = encryption();
  const auto report =
      machine.run(*work, source::from_memory(text_), sink::to_descriptor(fd));
  ASSERT_TRUE(report.outcome.ok());
  EXPECT_EQ(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(::lseek(fd, 0, SEEK_CUR),
            static_cast<off_t>(5 + encrypted(text_.size(), false).size()));
  ::close(fd);
}

TEST_F(EngineOutput, LanesDoNotWriteWhatIsToBeAudited) {
  engine machine(options());
  auditing work(encryption());
  const auto report = write(machine, work, text_);
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(read_file(out_), encrypted(text_.size(), false));
}

TEST_F(EngineOutput, WhereIoUringIsAskedForItWritesEverything) {
  engine machine(options(io_mode::uring));
  const auto work = encryption();
  const auto report = write(machine, *work, text_);
  if (report.outcome.code() == status_code::unsupported)
    GTEST_SKIP() << report.outcome.message();
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(report.statistics.io.lane_writes, 0u);
  EXPECT_GT(report.statistics.io.uring_writes, 0u);
  EXPECT_EQ(read_file(out_), encrypted(text_.size(), false));
}

TEST_F(EngineOutput, DevicesThatDoNotDrainAreWrittenFor) {
  stub_.set("drains=0");
  engine machine(options());
  const auto work = encryption();
  const auto report = write(machine, *work, text_);
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(report.statistics.io.lane_writes, 0u);
  EXPECT_EQ(read_file(out_), encrypted(text_.size(), false));
}

}  // namespace
}  // namespace nexus::test
