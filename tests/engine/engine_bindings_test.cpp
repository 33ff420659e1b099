// Whole runs on a machine that is made up: lanes are opened node by node.
#include <algorithm>
#include <gmock/gmock.h>

#include <mutex>
#include <optional>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

// hwloc makes up the machine that this describes.
class made_up_machine {
 public:
  explicit made_up_machine(const char* description) {
    if (const char* old = ::getenv("HWLOC_SYNTHETIC")) old_ = old;
    ::setenv("HWLOC_SYNTHETIC", description, 1);
  }
  ~made_up_machine() {
    old_ ? ::setenv("HWLOC_SYNTHETIC", old_->c_str(), 1)
         : ::unsetenv("HWLOC_SYNTHETIC");
  }
  made_up_machine(const made_up_machine&) = delete;
  made_up_machine& operator=(const made_up_machine&) = delete;

 private:
  std::optional<std::string> old_;
};

struct lane_seen {
  std::int32_t node = -2;
  std::vector<std::uint32_t> processors;
  friend bool operator==(const lane_seen&, const lane_seen&) = default;
};

class EngineBindings : public testing::Test {
 public:
  std::vector<lane_seen> lanes_of(std::uint32_t device) {
    std::vector<lane_seen> seen(stub_->lane_count(device));
    for (std::uint32_t i = 0; i < seen.size(); ++i) {
      std::vector<std::uint32_t> processors(8192);
      const std::uint32_t n = stub_->lane(
          device, i, &seen[i].node, processors.data(),
          static_cast<std::uint32_t>(processors.size()));
      EXPECT_LE(n, processors.size());
      processors.resize(std::min<std::size_t>(n, processors.size()));
      seen[i].processors = std::move(processors);
    }
    return seen;
  }
  // One run, whose output must be right whatever its threads are bound to.
  void run_on(engine& machine) {
    const auto sealed = encrypt_with(machine, text_);
    ASSERT_TRUE(sealed.report.outcome.ok()) << sealed.report.outcome.message();
    EXPECT_EQ(sealed.output, encrypted(text_.size(), false));
  }
  engine_options options(std::uint32_t threads) {
    engine_options made = stub_options();
    made.max_threads = threads;
    made.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(line);
    };
    return made;
  }

  stub stub_;
  const bytes text_ = sample(2000001);
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST_F(EngineBindings, LanesAreSpreadOverTheNodesAndKeptToTheirProcessors) {
  const made_up_machine two("node:2 core:2 pu:1");
  stub_.set("cpus=1");
  engine machine(options(4));
  run_on(machine);
  // A quota on this process may allow fewer workers.
  const auto profile = machine.profile();
  ASSERT_TRUE(profile.ok());
  const auto bindings = bind_workers(machine.machine(), profile->cpu_workers);
  const auto seen = lanes_of(0);
  ASSERT_EQ(seen.size(), bindings.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].node, static_cast<std::int32_t>(bindings[i].numa_node));
    EXPECT_EQ(seen[i].processors, bindings[i].processors);
    const lane_seen expected =
        i % 2 == 0 ? lane_seen{0, {0, 1}} : lane_seen{1, {2, 3}};
    EXPECT_EQ(seen[i], expected) << "lane " << i;
  }
}

TEST_F(EngineBindings, ProcessorsThatThisMachineLacksAreSaidAndDoneWithout) {
  const made_up_machine large("node:2 core:400 pu:1");
  stub_.set("cpus=1");
  engine machine(options(2));
  run_on(machine);
  const auto seen = lanes_of(0);
  if (seen.size() < 2) GTEST_SKIP() << "a quota allows one worker alone";
  EXPECT_EQ(seen[1].node, 1);
  EXPECT_THAT(lines_, Contains(HasSubstr("runs unbound")));
}

TEST_F(EngineBindings, OneNodeBindsNothing) {
  const made_up_machine one("node:1 core:4 pu:1");
  stub_.set("cpus=1");
  engine machine(options(3));
  run_on(machine);
  const auto seen = lanes_of(0);
  ASSERT_FALSE(seen.empty());
  for (const auto& lane : seen) EXPECT_EQ(lane, (lane_seen{-1, {}}));
}

TEST_F(EngineBindings, ADeviceWithFewerLanesGetsTheFirstOfThem) {
  const made_up_machine two("node:2 core:2 pu:1");
  stub_.set("cpus=1;max_lanes=1");
  engine machine(options(4));
  run_on(machine);
  EXPECT_THAT(lanes_of(0), testing::ElementsAre(lane_seen{0, {0, 1}}));
}

TEST_F(EngineBindings, TheLanesOfAGpuAreNotBound) {
  const made_up_machine two("node:2 core:2 pu:1");
  stub_.set("cpus=1;gpus=1");
  engine machine(options(4));
  run_on(machine);
  const auto seen = lanes_of(1);
  ASSERT_FALSE(seen.empty());
  for (const auto& lane : seen) EXPECT_EQ(lane, (lane_seen{-1, {}}));
}

}  // namespace
}  // namespace nexus::test
