// What the host does around a device that only makes digests of leaves: the
// leaves that hold no data, the root above them, and how a job ends.
#include "common/digest_job.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nexus/prover.hpp>
#include <string>

#include "kernels/poseidon2.h"

namespace nexus::common {
namespace {

using bytes = std::vector<std::uint8_t>;

// Runs the kernel's text, one leaf after the other.
class text_lane final : public digest_lane {
 public:
  std::string steps;  // one letter each, in order
  std::uint32_t launched = 0;
  std::uint32_t at_once = 1000;
  char fails_at = 0;
  std::int32_t failure = NEXUS_OK;
  std::atomic<bool>* raises = nullptr;  // at launch
  bool lies = false;                    // with a word that is no element

  [[nodiscard]] std::uint32_t leaves_at_once() const override {
    return at_once;
  }
  std::int32_t begin(const job_memory& memory, std::uint32_t leaves) override {
    input_.assign(memory.input, memory.input + memory.input_bytes);
    input_.resize(leaves * leaf_bytes);
    digests_.assign(leaves * leaf_words, 0);
    return step('b');
  }
  std::int32_t launch(std::uint32_t first, std::uint32_t count) override {
    for (std::uint32_t i = first; i < first + count; ++i) hash(i);
    launched += count;
    if (raises != nullptr) *raises = true;
    return step('l');
  }
  std::int32_t read_leaves(std::uint32_t count, std::uint32_t* to) override {
    std::copy_n(digests_.begin(), count * leaf_words, to);
    if (lies) to[3] = NEXUS_KB_P;
    return step('r');
  }
  std::int32_t wait() override { return step('w'); }

 private:
  std::int32_t step(char name) {
    steps += name;
    return name == fails_at ? failure : NEXUS_OK;
  }
  void hash(std::uint32_t leaf) {
    nexus_u32 x[24], row[NEXUS_ROW_WORDS];
    nexus_leaf_begin(x);
    for (std::size_t r = 0; r < NEXUS_LEAF_ROWS; ++r) {
      std::memcpy(row, &input_[leaf * leaf_bytes + r * sizeof row], sizeof row);
      nexus_leaf_absorb(x, row);
    }
    std::copy_n(x, leaf_words, &digests_[leaf * leaf_words]);
  }
  bytes input_;
  std::vector<std::uint32_t> digests_;
};

class GpuDigestJobTest : public testing::Test {
 protected:
  nexus_job job_for(const bytes& input) {
    params_.size = sizeof params_;
    nexus_job job{};
    job.size = sizeof job;
    job.operation = NEXUS_JOB_DIGEST;
    job.params = &params_;
    job.params_bytes = sizeof params_;
    job.input = input.data();
    job.input_bytes = input.size();
    job.output = output_.data();
    job.output_capacity = output_.size();
    return job;
  }
  nexus_result run(const bytes& input) {
    const nexus_job job = job_for(input);
    EXPECT_EQ(check_digest(job, std::uint64_t{1} << 30), NEXUS_OK);
    return run_digest(lane_, job, leaves_, cancelled_);
  }
  // By the prover, whose oracles are elsewhere.
  bytes expected(const bytes& input) {
    const auto digest = digest_segment(
        std::as_bytes(std::span(input)),
        {params_.index, (params_.flags & NEXUS_SEGMENT_LAST) != 0});
    bytes out(32);
    std::memcpy(out.data(), digest->data(), out.size());
    return out;
  }

  text_lane lane_;
  nexus_digest_params params_{};
  bytes output_ = bytes(32);
  std::vector<std::uint32_t> leaves_;
  std::atomic<bool> cancelled_{false};
};

bytes sample(std::size_t size) {
  bytes out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  return out;
}

TEST_F(GpuDigestJobTest, HasTheDeviceHashOnlyLeavesThatHoldData) {
  for (const std::size_t size : {std::size_t{1}, leaf_bytes, leaf_bytes + 1,
                                 4 * leaf_bytes + 1, 8 * leaf_bytes}) {
    lane_ = {};
    params_.index = size;
    const bytes input = sample(size);
    EXPECT_EQ(run(input).status, NEXUS_OK);
    EXPECT_EQ(lane_.launched, (size + leaf_bytes - 1) / leaf_bytes);
    EXPECT_EQ(output_, expected(input)) << size;
  }
}

TEST_F(GpuDigestJobTest, AsksNoDeviceForNothing) {
  params_.flags = NEXUS_SEGMENT_LAST;
  EXPECT_EQ(run({}).status, NEXUS_OK);
  EXPECT_EQ(lane_.steps, "");
  EXPECT_EQ(output_, expected({}));
}

TEST_F(GpuDigestJobTest, QueuesEverythingBeforeItWaits) {
  run(sample(3 * leaf_bytes));
  EXPECT_EQ(lane_.steps, "blrw");
}

TEST_F(GpuDigestJobTest, LooksWhetherItIsToStopBetweenLaunches) {
  lane_.at_once = 2;
  const bytes input = sample(5 * leaf_bytes);
  EXPECT_EQ(run(input).status, NEXUS_OK);
  EXPECT_EQ(lane_.steps, "blwlwlrw");
  EXPECT_EQ(output_, expected(input));
  lane_ = {};
  lane_.at_once = 2;
  lane_.raises = &cancelled_;
  output_.assign(32, 0x5c);
  EXPECT_EQ(run(input).status, NEXUS_E_CANCELLED);
  EXPECT_EQ(lane_.steps, "blw");
  EXPECT_EQ(output_, bytes(32, 0x5c));
}

// The input may go once the job has ended: nothing may still read it.
TEST_F(GpuDigestJobTest, EndsEveryJobThatFailsWithItsStatusAndWaits) {
  const bytes input = sample(100);
  for (const char at : std::string("blrw")) {
    SCOPED_TRACE(at);
    lane_ = {};
    lane_.fails_at = at;
    lane_.failure = NEXUS_E_NO_MEMORY;
    const nexus_result result = run(input);
    EXPECT_EQ(result.status, NEXUS_E_NO_MEMORY);
    EXPECT_NE(result.message, nullptr);
    EXPECT_EQ(result.output_bytes, 0u);
    EXPECT_EQ(lane_.steps.back(), 'w');
  }
}

TEST_F(GpuDigestJobTest, BlamesADeviceWhoseDigestsAreNone) {
  lane_.lies = true;
  EXPECT_EQ(run(sample(100)).status, NEXUS_E_DEVICE);
}

TEST_F(GpuDigestJobTest, RefusesMoreThanTheDeviceTakes) {
  const bytes input = sample(1000);
  EXPECT_EQ(check_digest(job_for(input), 999), NEXUS_E_ARGUMENT);
  EXPECT_EQ(check_digest(job_for(input), 1000), NEXUS_OK);
}

}  // namespace
}  // namespace nexus::common
