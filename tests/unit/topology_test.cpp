// The topology reader on made-up machines, and on this one.
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nexus/hardware.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "hwinfo/topology.hpp"

namespace nexus::hwinfo {
namespace {

// Sets an environment variable, and puts the former value back.
class scoped_env {
 public:
  scoped_env(const char* name, const char* value) : name_(name) {
    if (const char* old = ::getenv(name)) old_ = old;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~scoped_env() {
    old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_);
  }
  scoped_env(const scoped_env&) = delete;
  scoped_env& operator=(const scoped_env&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

hardware synthetic(const char* description) {
  const scoped_env env("HWLOC_SYNTHETIC", description);
  hardware machine;
  read_topology(machine);
  return machine;
}

hardware this_machine() {
  const scoped_env env("HWLOC_SYNTHETIC", nullptr);
  hardware machine;
  read_topology(machine);
  return machine;
}

std::set<std::uint32_t> affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  std::set<std::uint32_t> out;
  for (std::uint32_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) out.insert(i);
  }
  return out;
}

std::set<std::uint32_t> processors_of(const hardware& machine) {
  std::set<std::uint32_t> out;
  for (const numa_node& n : machine.nodes) {
    for (const std::uint32_t p : n.processors) {
      EXPECT_TRUE(out.insert(p).second) << "twice: " << p;
    }
  }
  return out;
}

// Each list lies in the node it names; returns the workers per node.
std::vector<std::uint32_t> spread(const hardware& machine,
                                  std::uint32_t workers) {
  const auto bindings = bind_workers(machine, workers);
  EXPECT_EQ(bindings.size(), workers);
  std::vector<std::uint32_t> count(machine.nodes.size(), 0);
  for (const worker_binding& b : bindings) {
    const auto node = std::find_if(
        machine.nodes.begin(), machine.nodes.end(),
        [&](const numa_node& n) { return n.os_index == b.numa_node; });
    if (node == machine.nodes.end()) {
      ADD_FAILURE() << "no such node: " << b.numa_node;
      continue;
    }
    EXPECT_FALSE(b.processors.empty());
    EXPECT_EQ(b.processors, node->processors);
    ++count[static_cast<std::size_t>(node - machine.nodes.begin())];
  }
  return count;
}

TEST(Topology, TwoNodesWithTwoThreadsPerCore) {
  const hardware machine = synthetic("node:2 core:8 pu:2");
  EXPECT_EQ(machine.logical_processors, 32u);
  EXPECT_EQ(machine.physical_cores, 16u);
  EXPECT_EQ(machine.allowed_processors, 32u);
  ASSERT_EQ(machine.nodes.size(), 2u);
  EXPECT_EQ(machine.nodes[0].os_index, 0u);
  EXPECT_EQ(machine.nodes[1].os_index, 1u);
  EXPECT_EQ(machine.nodes[0].processors.size(), 16u);
  EXPECT_EQ(machine.nodes[1].processors.size(), 16u);
  EXPECT_EQ(processors_of(machine).size(), 32u);
  EXPECT_GT(machine.nodes[0].memory_bytes, 0u);
  EXPECT_EQ(spread(machine, 31), (std::vector<std::uint32_t>{16, 15}));
  EXPECT_EQ(spread(machine, 2), (std::vector<std::uint32_t>{1, 1}));
}

TEST(Topology, TwoPackagesOfTwoNodes) {
  const hardware machine = synthetic("pack:2 node:2 core:12 pu:1");
  EXPECT_EQ(machine.logical_processors, 48u);
  EXPECT_EQ(machine.physical_cores, 48u);
  ASSERT_EQ(machine.nodes.size(), 4u);
  for (const numa_node& n : machine.nodes) {
    EXPECT_EQ(n.processors.size(), 12u);
  }
  EXPECT_EQ(processors_of(machine).size(), 48u);
  EXPECT_EQ(spread(machine, 46), (std::vector<std::uint32_t>{12, 12, 11, 11}));
}

TEST(Topology, CachesOfOneCoreAndOfOnePackage) {
  const hardware machine = synthetic(
      "pack:2 l3:2(size=16777216) l2:4(size=524288) l1:1 core:1 pu:2");
  EXPECT_EQ(machine.logical_processors, 32u);
  EXPECT_EQ(machine.l2_bytes, 512u << 10);
  EXPECT_EQ(machine.l3_bytes, 32u << 20);
}

TEST(Topology, MemoryThatSharesProcessorsCountsThemOnce) {
  const hardware machine =
      synthetic("pack:2 [numa(memory=4GB)] [numa(memory=1GB)] core:4 pu:1");
  ASSERT_EQ(machine.nodes.size(), 4u);
  EXPECT_EQ(machine.allowed_processors, 8u);
  EXPECT_EQ(processors_of(machine).size(), 8u);
  std::uint32_t with_processors = 0;
  for (const numa_node& n : machine.nodes) {
    if (!n.processors.empty()) ++with_processors;
  }
  EXPECT_EQ(with_processors, 2u);
  for (const worker_binding& b : bind_workers(machine, 6)) {
    EXPECT_EQ(b.processors.size(), 4u);
  }
}

TEST(Topology, OneNodeGivesEmptyLists) {
  const hardware machine = synthetic("node:1 core:4 pu:1");
  ASSERT_EQ(machine.nodes.size(), 1u);
  const auto bindings = bind_workers(machine, 4);
  ASSERT_EQ(bindings.size(), 4u);
  for (const worker_binding& b : bindings) {
    EXPECT_TRUE(b.processors.empty());
    EXPECT_EQ(b.numa_node, 0u);
  }
}

TEST(Topology, AffinityOfThisMachineDoesNotBindAMadeUpOne) {
  const hardware machine = synthetic("node:1 core:64 pu:2");
  EXPECT_EQ(machine.allowed_processors, 128u);
  EXPECT_EQ(machine.nodes.at(0).processors.size(), 128u);
}

TEST(Topology, ThisMachineGivesExactlyTheAllowedProcessors) {
  const hardware machine = this_machine();
  const auto allowed = affinity();
  EXPECT_EQ(machine.allowed_processors, allowed.size());
  EXPECT_EQ(processors_of(machine), allowed);
  EXPECT_GE(machine.logical_processors, allowed.size());
  EXPECT_GE(machine.physical_cores, 1u);
  EXPECT_FALSE(machine.nodes.empty());
}

TEST(Topology, ANarrowerAffinityMaskIsHonoured) {
  const auto before = affinity();
  if (before.size() < 2) GTEST_SKIP() << "needs two processors";
  cpu_set_t all;
  cpu_set_t one;
  CPU_ZERO(&all);
  CPU_ZERO(&one);
  for (const std::uint32_t p : before) CPU_SET(p, &all);
  CPU_SET(*before.rbegin(), &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  const hardware machine = this_machine();
  ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
  EXPECT_EQ(machine.allowed_processors, 1u);
  EXPECT_EQ(processors_of(machine),
            (std::set<std::uint32_t>{*before.rbegin()}));
  EXPECT_GE(machine.logical_processors, before.size());
}

TEST(ReadHardware, KnowsThisMachine) {
  const scoped_env env("HWLOC_SYNTHETIC", nullptr);
  const hardware machine = read_hardware();
  EXPECT_GE(machine.allowed_processors, 1u);
  if (!std::filesystem::exists("/proc/meminfo")) GTEST_SKIP();
  EXPECT_GT(machine.memory_total_bytes, std::uint64_t{1} << 20);
  EXPECT_GT(machine.memory_available_bytes, 0u);
  EXPECT_LE(machine.memory_available_bytes, machine.memory_total_bytes);
}

TEST(ReadHardware, AMadeUpMachineRunsThroughToAProfile) {
  const scoped_env env("HWLOC_SYNTHETIC", "pack:2 node:2 core:12 pu:1");
  hardware machine = read_hardware({"/nonexistent", "/nonexistent"});
  EXPECT_EQ(machine.memory_total_bytes, 0u);
  EXPECT_FALSE(machine.cpu_quota.has_value());
  profile_request request;
  request.segment_working_set_bytes = 1 << 20;
  const auto profile = make_profile(machine, request);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->cpu_workers, 47u);
}

}  // namespace
}  // namespace nexus::hwinfo
