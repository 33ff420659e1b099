#include "status_view.hpp"

#include <gtest/gtest.h>

#include "times.hpp"

namespace nexus::queue {
namespace {

status_facts example() {
  status_facts facts;
  facts.counts = {3, 1, 25};
  facts.paused = true;
  facts.now = 1729783800000;
  for (const char* index : {"0", "1"}) {
    gpu one;
    one.index = index;
    one.uuid = std::string("GPU-") + index;
    one.name = "NVIDIA GeForce RTX 3090";
    one.memory_mib = 24576;
    facts.snapshot.gpus.push_back(one);
  }
  job which;
  which.number = 4;
  which.id = "abc";
  which.gpu = "1";
  which.asked.command = "python train.py --model gpt2";
  which.state = job_state::running;
  which.started = facts.now - 8100000;
  facts.active = {which};
  facts.claims = {{"GPU-1", 4}};
  return facts;
}

TEST(StatusView, IsAsTheSpecificationShowsIt) {
  const auto facts = example();
  EXPECT_EQ(render_status(facts, style(false), false),
            "Queue: 3 jobs pending [PAUSED]\n"
            "History: 25 jobs completed\n"
            "\n"
            "GPUs:\n"
            "GPU 0 (RTX 3090, 24GB): Available\n"
            "GPU 1 (RTX 3090, 24GB):\n"
            "  Job ID: abc\n"
            "  Command: python train.py --model gpt2\n"
            "  Runtime: 2h 15m\n"
            "  Started: " +
                show_short_time(*facts.active[0].started, facts.now) + "\n");
}

TEST(StatusView, ShowsReasonsOnlyWhenAsked) {
  auto facts = example();
  facts.snapshot.gpus[0].blocked = "in use by process 7 (x, 1 MiB)";
  const auto brief = render_status(facts, style(false), false);
  EXPECT_NE(brief.find("24GB): Not available\n"), std::string::npos);
  EXPECT_EQ(brief.find("process 7"), std::string::npos);
  EXPECT_NE(render_status(facts, style(false), true).find("process 7"),
            std::string::npos);
}

TEST(StatusView, AJobOnAGpuThatVanishedIsStillShown) {
  auto facts = example();
  facts.snapshot.gpus.clear();
  facts.snapshot.problem = "nvidia-smi does not answer";
  const auto text = render_status(facts, style(false), false);
  EXPECT_NE(text.find("GPU 1 (not seen):\n  Job ID: abc"), std::string::npos);
  EXPECT_NE(text.find("nvidia-smi does not answer"), std::string::npos);
}

TEST(StatusView, ColoursAreThoseOfTheSpecification) {
  const auto text = render_status(example(), style(true), false);
  EXPECT_NE(text.find("\x1b[92mAvailable"), std::string::npos);
  EXPECT_NE(text.find("\x1b[33m[PAUSED]"), std::string::npos);
  EXPECT_NE(text.find("\x1b[35mabc"), std::string::npos);
  EXPECT_NE(text.find("\x1b[97mpython"), std::string::npos);
  EXPECT_NE(text.find("\x1b[36m2h 15m"), std::string::npos);
}

TEST(StatusView, CommandsCannotWriteToTheTerminal) {
  auto facts = example();
  facts.active[0].asked.command = "a\x1b[2Jb\nc";
  const auto text = render_status(facts, style(false), false);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("a?[2Jb\u2424c"), std::string::npos);
}

}  // namespace
}  // namespace nexus::queue
