// The topology reader on made-up machines, and on this one.
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nexus/hardware.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hwinfo/hardware.hpp"
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

TEST(Processors, ListsAreReadAndMalformedOnesAreNone) {
  using numbers = std::vector<std::uint32_t>;
  EXPECT_EQ(parse_list("0-3,8,10-11\n"), (numbers{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_list("7\n"), numbers{7});
  EXPECT_EQ(parse_list(""), numbers{});
  EXPECT_EQ(parse_list("\n"), numbers{});
  for (const char* bad : {"3-1", "a", "1,,2", "1-", "-1", "1-2-3", "0-1048576",
                          "0-99999999999999999999", "4294967296"})
    EXPECT_EQ(parse_list(bad), numbers{}) << bad;
}

class Nodes : public testing::Test {
 protected:
  Nodes() {
    std::string pattern =
        std::filesystem::temp_directory_path() / "nexus-nodes-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    roots_.sys = pattern;
  }
  ~Nodes() override { std::filesystem::remove_all(roots_.sys); }
  void put(const std::string& file, const std::string& text) {
    const std::filesystem::path path =
        roots_.sys + "/devices/system/node/" + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  hardware_roots roots_;
};

using cpus = std::vector<std::uint32_t>;

TEST_F(Nodes, HoldTheirAllowedProcessors) {
  put("online", "0,2-3");
  put("node0/cpulist", "0-3,8-11");
  put("node2/cpulist", "4-7");
  put("node3/cpulist", "");  // memory alone
  const auto nodes = read_nodes(roots_, {1, 2, 5, 9});
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[0].os_index, 0u);
  EXPECT_EQ(nodes[0].processors, (cpus{1, 2, 9}));
  EXPECT_EQ(nodes[1].os_index, 2u);
  EXPECT_EQ(nodes[1].processors, cpus{5});
  EXPECT_EQ(nodes[2].processors, cpus{});
}

TEST_F(Nodes, CountAProcessorOnceAndLoseNone) {
  put("online", "0-1");
  put("node0/cpulist", "0-1");
  put("node1/cpulist", "1-2");
  const auto nodes = read_nodes(roots_, {0, 1, 2, 7});
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].processors, (cpus{0, 1, 7}));
  EXPECT_EQ(nodes[1].processors, cpus{2});
}

TEST_F(Nodes, AreOneWhereTheKernelListsNone) {
  const auto nodes = read_nodes(roots_, {0, 3});
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].processors, (cpus{0, 3}));
}

TEST(Processors, AreOnThisMachineWhatHwlocSays) {
  const scoped_env env("HWLOC_SYNTHETIC", nullptr);
  const hardware thorough = this_machine();
  hardware quick;
  read_processors(quick, {});
  EXPECT_EQ(quick.logical_processors, thorough.logical_processors);
  EXPECT_EQ(quick.allowed_processors, thorough.allowed_processors);
  ASSERT_EQ(quick.nodes.size(), thorough.nodes.size());
  for (std::size_t i = 0; i < quick.nodes.size(); ++i) {
    EXPECT_EQ(quick.nodes[i].os_index, thorough.nodes[i].os_index);
    EXPECT_EQ(quick.nodes[i].processors, thorough.nodes[i].processors);
  }
}

TEST(Processors, OfAMadeUpMachineAreThoseThatWereMadeUp) {
  const scoped_env env("HWLOC_SYNTHETIC", "node:2 core:16 pu:1");
  hardware machine;
  read_processors(machine, {});
  EXPECT_EQ(machine.nodes.size(), 2u);
  EXPECT_EQ(machine.allowed_processors, 32u);
}

TEST(Processors, AreCompletedWithoutForgettingTheMemory) {
  const scoped_env env("HWLOC_SYNTHETIC", nullptr);
  hardware machine = read_for_runs();
  const auto available = machine.memory_available_bytes;
  const hardware whole = completed(completed(machine));
  const hardware thorough = this_machine();
  EXPECT_EQ(whole.memory_available_bytes, available);
  EXPECT_EQ(whole.l3_bytes, thorough.l3_bytes);
  EXPECT_EQ(whole.physical_cores, thorough.physical_cores);
  EXPECT_EQ(whole.nodes.size(), thorough.nodes.size());
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
