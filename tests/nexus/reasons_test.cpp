#include "reasons.hpp"

#include <gtest/gtest.h>

namespace nexus::queue {
namespace {

queue_facts two_gpus() {
  queue_facts facts;
  for (const std::int64_t mib : {8000, 24000}) {
    gpu one;
    one.memory_mib = mib;
    facts.snapshot.gpus.push_back(one);
  }
  return facts;
}

std::string why(const queue_facts& facts, std::int64_t gpus = 1,
                std::int64_t memory = 0) {
  job which;
  which.asked.gpus = gpus;
  which.asked.gpu_memory = memory;
  return reason_of(which, facts).text;
}

TEST(Reasons, TellWhatAJobWaitsFor) {
  auto facts = two_gpus();
  EXPECT_EQ(why(facts), "waits for a free GPU");
  EXPECT_EQ(why(facts, 2), "waits for 2 free GPUs");
  EXPECT_EQ(why(facts, 1, 9000), "waits for a free GPU with 9000 MiB free");
  facts.cpu_slots = 1;
  EXPECT_EQ(why(facts, 0), "waits for a free slot");
}

TEST(Reasons, TellWhatWillNeverCome) {
  auto facts = two_gpus();
  EXPECT_EQ(why(facts, 3), "wants 3 GPUs; there are 2");
  EXPECT_EQ(why(facts, 1, 24001),
            "wants a GPU with 24001 MiB; the largest has 24000 MiB");
  EXPECT_EQ(why(facts, 2, 9000), "wants 2 GPUs with 9000 MiB; there is 1");
  EXPECT_NE(why(facts, 0).find("cpu_slots"), std::string::npos);
  for (gpu& one : facts.snapshot.gpus) one.excluded = true;
  EXPECT_EQ(why(facts), "all GPUs are on the blacklist");
}

TEST(Reasons, WhatHoldsUpTheWholeQueueComesFirst) {
  auto facts = two_gpus();
  facts.has_screen = false;
  EXPECT_EQ(why(facts, 3), "screen is not installed");
  facts.paused = true;
  EXPECT_EQ(why(facts, 3), "the queue is paused");
  facts.service_runs = false;
  EXPECT_EQ(why(facts, 3), "the service does not run");
  facts = {};
  facts.snapshot.problem = "nvidia-smi does not answer";
  EXPECT_EQ(why(facts), "nvidia-smi does not answer");
}

}  // namespace
}  // namespace nexus::queue
