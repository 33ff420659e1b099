// Runs on a machine whose memory and processors come and go: a made-up one,
// which the engine reads once a second.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hwinfo/topology.hpp"
#include "support/engine_fixture.hpp"
#include "support/machine_tree.hpp"

namespace nexus::test {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t budget = 64 * mib;
constexpr std::uint64_t segment = 256u << 10;
constexpr double patience = 150;  // seconds

// Hands the work on to another operation, whose jobs then take more memory.
class heavy_operation final : public operation {
 public:
  heavy_operation(std::unique_ptr<operation> work, std::uint64_t worker_bytes)
      : work_(std::move(work)), worker_bytes_(worker_bytes) {}
  std::string_view name() const noexcept override { return work_->name(); }
  status prologue(prologue_io& io) override { return work_->prologue(io); }
  result<operation_plan> plan(const plan_request& request) override {
    auto made = work_->plan(request);
    for (auto& stage : made->stages) stage.worker_bytes = worker_bytes_;
    return made;
  }
  result<job_request> make_job(const segment_view& one) override {
    return work_->make_job(one);
  }
  verdict check(const segment_view& one, const job_outcome& said) override {
    return work_->check(one, said);
  }
  status epilogue(prologue_io& io) override { return work_->epilogue(io); }

 private:
  const std::unique_ptr<operation> work_;
  const std::uint64_t worker_bytes_;
};

class EngineLoad : public testing::Test {
 protected:
  EngineLoad() {
    machine_.member("0::/a\n");
    plenty();
    stub_.set("cpus=1;depth=8;delay_us=100000");
    options_ = stub_options();
    options_.memory_bytes = budget;
    options_.segment_bytes = segment;
    options_.roots = machine_.roots();
    options_.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      log_ += line + "\n";
    };
  }
  void plenty() { machine_.memory(256 * mib, 200 * mib); }
  void shortage() { machine_.memory(256 * mib, 4 * mib); }

  // The endless stream is known by its positions.
  static std::byte at(std::uint64_t position) {
    return std::byte(position * 31 + position / 4093);
  }
  source endless() {
    return source::from_callback([this](byte_span room) -> result<std::size_t> {
      if (enough_) return std::size_t{0};
      for (auto& b : room) b = at(taken_++);
      return room.size();
    });
  }

  // Each step is asked until it is done with; after the last one the stream
  // ends, and has to be as it was.
  using step = std::function<bool(const telemetry&)>;
  run_report run(std::vector<step> steps, std::uint64_t worker_bytes = 0) {
    engine machine(options_);
    heavy_operation work(age::make_encrypt(to_test_identity(false)),
                         worker_bytes);
    run_options options;
    std::size_t done = 0;
    options.progress = [&](const telemetry& now) {
      if (done < steps.size() && steps[done](now)) ++done;
      if (done == steps.size() || now.elapsed_seconds > patience)
        enough_ = true;
    };
    bytes output;
    auto report = machine.run(work, endless(), sink::to_memory(output),
                              std::move(options));
    EXPECT_TRUE(report.outcome.ok()) << report.outcome.message();
    EXPECT_EQ(done, steps.size());
    engine plain(cpu_options());
    const auto opened = decrypt_with(plain, output);
    EXPECT_TRUE(opened.report.outcome.ok()) << opened.report.outcome.message();
    EXPECT_EQ(opened.output.size(), taken_);
    for (std::uint64_t i = 0; i < opened.output.size(); ++i)
      if (opened.output[i] != at(i)) {
        ADD_FAILURE() << "another byte at " << i;
        break;
      }
    return report;
  }
  // The next step after so many more readings.
  static step after_readings(std::uint64_t count) {
    auto first = std::make_shared<std::uint64_t>(0);
    return [first, count](const telemetry& now) {
      if (*first == 0) *first = now.load.readings + 1;
      return now.load.readings + 1 >= *first + count;
    };
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  machine_tree machine_;
  stub stub_;
  engine_options options_;
  std::uint64_t taken_ = 0;
  std::atomic<bool> enough_ = false;
  std::mutex mutex_;
  std::string log_;
};

TEST_F(EngineLoad, WithoutPressureTheWindowStaysAsItWas) {
  std::uint64_t window = 0;
  const auto report = run({[&](const telemetry& now) {
                             window = now.window;
                             return window != 0;
                           },
                           after_readings(3)});
  EXPECT_EQ(report.statistics.window, window);
  EXPECT_EQ(report.statistics.window, 64u);
  EXPECT_GE(report.statistics.load.readings, 3u);
  EXPECT_EQ(report.statistics.load.shrinks, 0u);
  EXPECT_EQ(report.statistics.load.budget_bytes, budget);
  EXPECT_EQ(report.statistics.load.least_budget_bytes, budget);
  EXPECT_EQ(report.statistics.load.reason, "");
  EXPECT_EQ(log().find("shrinking"), std::string::npos);
}

TEST_F(EngineLoad, ItShrinksUnderPressureAndGrowsBack) {
  std::uint64_t at_first = 0;
  std::uint64_t at_least = 0;
  const auto report =
      run({[&](const telemetry& now) {
             at_first = now.buffer_bytes;
             return now.window_used >= 8;
           },
           [&](const telemetry& now) {
             at_first = std::max(at_first, now.buffer_bytes);
             shortage();
             return now.load.budget_bytes <= at_first / 2;
           },
           after_readings(3),
           // What is out at work comes back; the rest went at once.
           [&](const telemetry& now) {
             at_least = now.buffer_bytes;
             return now.load.budget_bytes < at_first / 2 &&
                    now.buffer_bytes <= now.load.budget_bytes &&
                    now.window_used * 2 * segment <= now.load.budget_bytes;
           },
           [&](const telemetry& now) {
             plenty();
             return now.load.budget_bytes == budget;
           },
           [&](const telemetry& now) { return now.buffer_bytes >= at_first; }});
  const auto& load = report.statistics.load;
  EXPECT_LT(at_least, at_first / 2);
  EXPECT_LT(load.least_budget_bytes, at_first / 2);
  EXPECT_GE(load.least_budget_bytes, 2 * segment);
  EXPECT_GE(load.shrinks, 1u);
  EXPECT_GE(load.growths, 2u);
  EXPECT_EQ(report.statistics.budget_bytes, budget);
  EXPECT_THAT(log(), HasSubstr("shrinking to "));
  EXPECT_THAT(log(), HasSubstr("4 MiB left of 256 MiB by MemAvailable"));
  EXPECT_THAT(log(), HasSubstr("growing to 64 MiB of memory and "));
}

TEST_F(EngineLoad, NothingIsReadWhereItIsNotWanted) {
  options_.adapt = false;
  shortage();
  const auto report =
      run({[](const telemetry& now) { return now.elapsed_seconds > 2.5; }});
  EXPECT_EQ(report.statistics.load.readings, 0u);
  EXPECT_EQ(report.statistics.load.budget_bytes, budget);
  EXPECT_EQ(report.statistics.window, 64u);
}

TEST_F(EngineLoad, WorkersFollowTheQuota) {
  if (hwinfo::count_allowed() < 2) GTEST_SKIP() << "there is one processor";
  std::uint32_t before = 0;
  const auto busy = [](const telemetry& now) {
    return now.devices.empty() ? 0 : now.devices[0].active_workers;
  };
  const auto report =
      run({[&](const telemetry& now) {
             before = now.load.workers;
             return busy(now) == before;
           },
           [&](const telemetry& now) {
             machine_.group("/a/cpu.max", "50000 100000\n");
             return now.load.workers == 1 && busy(now) == 1;
           },
           after_readings(2),
           [&](const telemetry& now) {
             EXPECT_EQ(busy(now), 1u);
             return true;
           },
           [&](const telemetry& now) {
             machine_.group("/a/cpu.max", "max 100000\n");
             return now.load.workers == before;
           },
           [&](const telemetry& now) { return busy(now) == before; }});
  EXPECT_EQ(report.statistics.load.shrinks, 1u);
  EXPECT_EQ(report.statistics.load.growths, 1u);
  EXPECT_THAT(log(), HasSubstr("a quota of 0.5 by cgroup cpu.max of /a"));
}

TEST_F(EngineLoad, JobsThatTakeMemoryFollowToo) {
  if (hwinfo::count_allowed() < 2) GTEST_SKIP() << "there is one processor";
  std::uint64_t before = 0;
  const auto jobs = [](const telemetry& now) {
    return now.devices.empty()
               ? 0
               : now.devices[0].active_workers + now.devices[0].queued_jobs;
  };
  run({[&](const telemetry& now) {
         before = now.load.workers;
         return jobs(now) == before;
       },
       [&](const telemetry& now) {
         shortage();
         // What the second job no longer takes is the window's.
         return now.load.shrinks == 1 && jobs(now) == 1 && now.window >= 4;
       },
       after_readings(2),
       [&](const telemetry& now) {
         EXPECT_LE(jobs(now), 1u);
         return true;
       },
       [&](const telemetry& now) {
         plenty();
         return jobs(now) == before;
       }},
      20 * mib);
}

// As many jobs at once as the budget holds, whoever runs them.
TEST_F(EngineLoad, RunsThatOverlapShareTheMemoryOfJobs) {
  stub_.set("cpus=1;depth=8;delay_us=5000");
  options_.max_threads = 8;
  const bytes text = sample(8 * mib);
  constexpr std::uint64_t each = budget / 4;
  for (const std::size_t runs : {1u, 2u, 3u}) {
    engine machine(options_);
    // Of the engine's thread.
    std::uint32_t now = 0;
    std::uint32_t most = 0;
    const auto count = [&](const segment_event& event) {
      if (event.step == segment_step::submitted) most = std::max(most, ++now);
      if (event.step == segment_step::computed) --now;
    };
    std::vector<std::thread> hosts;
    for (std::size_t i = 0; i < runs; ++i)
      hosts.emplace_back([&] {
        heavy_operation work(age::make_encrypt(to_test_identity(false)), each);
        run_options options;
        options.trace = count;
        const auto got = run_in_memory(machine, work, text, std::move(options));
        EXPECT_TRUE(got.report.outcome.ok()) << got.report.outcome.message();
        EXPECT_GE(got.output.size(), text.size());
      });
    for (std::thread& host : hosts) host.join();
    EXPECT_LE(most, 4u) << runs;
    EXPECT_GE(most, std::min<std::size_t>(runs, 3)) << runs;
  }
}

TEST_F(EngineLoad, AReadingThatFindsNothingChangesNothing) {
  machine_.write("proc/meminfo", "\n");
  machine_.write("proc/self/cgroup", "rubbish\n");
  const auto report = run({after_readings(3)});
  EXPECT_EQ(report.statistics.load.shrinks, 0u);
  EXPECT_EQ(report.statistics.window, 64u);
}

// Readings under way when runs and engines end.
TEST_F(EngineLoad, ItEndsWhileItReads) {
  for (const int milliseconds : {990, 1000, 1002}) {
    enough_ = false;
    taken_ = 0;
    const auto report = run({[&](const telemetry& now) {
      return now.elapsed_seconds * 1000 > milliseconds - 50;
    }});
    EXPECT_LE(report.statistics.load.readings, 2u);
  }
}

}  // namespace
}  // namespace nexus::test
