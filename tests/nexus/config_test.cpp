#include "config.hpp"

#include <gtest/gtest.h>

namespace nexus::queue {
namespace {

const home somewhere{"/somewhere"};

TEST(Config, ReportsBadLinesAndKeepsTheRest) {
  const auto parsed = parse_config(
      "\xff\x01\n[gpus]\npoll_seconds = 0\ncpu_slots = -1\ncpu_slots = two\n"
      "unknown = 1\nfree_memory_mib = 12 # MiB\nnothing\n[paths]\n"
      "log_dir = \"relative\"\n",
      somewhere);
  EXPECT_EQ(parsed.problems.size(), 7u);
  EXPECT_EQ(parsed.problems[1], "line 3: gpus.poll_seconds is out of range");
  EXPECT_EQ(parsed.values.free_memory_mib, 12);
  EXPECT_EQ(parsed.values.poll_seconds, 5);
  EXPECT_EQ(parsed.values.log_dir, "/somewhere/logs");
}

TEST(Config, ReadsBackWhatItWrites) {
  config values = default_config(somewhere);
  values.log_dir = "/a \"b\" # c";
  values.blacklist = {"0", "GPU-x"};
  values.ignore = {"Xorg"};
  values.poll_seconds = 0.5;
  values.gpus = 0;
  const auto parsed = parse_config(render_config(values), somewhere);
  EXPECT_TRUE(parsed.problems.empty());
  EXPECT_EQ(render_config(parsed.values), render_config(values));
  EXPECT_EQ(parsed.values.log_dir, values.log_dir);
}

TEST(Config, SetsOneKeyAndLeavesTheRestAlone) {
  const auto made = set_in_config("# mine\n[gpus]\ncpu_slots = 1 # old\n",
                                  somewhere, "gpus.cpu_slots", "4");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(*made, "# mine\n[gpus]\ncpu_slots = 4\n");
  const auto more =
      set_in_config(*made, somewhere, "gpus.nvidia_smi", "/opt/nvidia-smi");
  ASSERT_TRUE(more.ok());
  EXPECT_EQ(parse_config(*more, somewhere).values.nvidia_smi,
            "/opt/nvidia-smi");
  EXPECT_EQ(parse_config(*more, somewhere).values.cpu_slots, 4);
}

TEST(Config, RefusesKeysAndValuesThatAreNone) {
  EXPECT_FALSE(set_in_config("", somewhere, "gpus.cpu_slots", "many").ok());
  EXPECT_FALSE(set_in_config("", somewhere, "gpus.none", "1").ok());
  EXPECT_FALSE(set_in_config("", somewhere, "cpu_slots", "1").ok());
  EXPECT_FALSE(set_in_config("", somewhere, "", "").ok());
}

}  // namespace
}  // namespace nexus::queue
