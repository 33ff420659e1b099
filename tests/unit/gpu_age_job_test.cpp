// What the host does around a device that only computes tags: a lane that
// needs no cipher, since a chunk's tag is made of its number and flag alone.
#include "common/age_job.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace nexus::common {
namespace {

using bytes = std::vector<std::uint8_t>;

bytes tag_for(std::uint64_t number, bool is_final) {
  return bytes(age_tag, static_cast<std::uint8_t>(2 * number + is_final));
}

// Full chunks from `first` on, the last of them final or not, and `rest` bytes
// of text in a final short one behind.
bytes sealed(std::uint64_t first, std::size_t full, bool last_is_final,
             std::size_t rest = 0) {
  bytes all;
  for (std::size_t i = 0; i < full; ++i) {
    const bool is_final = last_is_final && rest == 0 && i + 1 == full;
    const bytes tag = tag_for(first + i, is_final);
    all.resize(all.size() + age_chunk);
    all.insert(all.end(), tag.begin(), tag.end());
  }
  if (rest > 0) {
    const bytes tag = tag_for(first + full, true);
    all.resize(all.size() + rest);
    all.insert(all.end(), tag.begin(), tag.end());
  }
  return all;
}

class tag_lane final : public age_lane {
 public:
  std::string steps;  // one letter each, in order
  char fails_at = 0;
  std::int32_t failure = NEXUS_OK;
  std::atomic<bool>* raises = nullptr;  // at launch
  std::uint64_t bytes_read = 0;
  nexus_buffer* output_import = nullptr;

  std::int32_t begin(const std::uint8_t*, const job_memory& memory,
                     std::uint32_t tag_count) override {
    output_import = memory.output_import;
    tags_.assign(tag_count * age_tag, 0);
    return step('b');
  }
  std::int32_t launch(const age_launch& what) override {
    for (std::uint32_t i = 0; !what.seals && i < what.chunk_count; ++i) {
      const std::uint32_t chunk = what.first_chunk + i;
      const bytes tag =
          tag_for(what.first_number + chunk, chunk == what.final_chunk);
      std::copy(tag.begin(), tag.end(), tags_.begin() + chunk * age_tag);
    }
    if (raises != nullptr) *raises = true;
    return step('l');
  }
  std::int32_t read_tags(std::uint32_t first, std::uint32_t count,
                         std::uint8_t* tags) override {
    std::copy_n(tags_.begin() + first * age_tag, count * age_tag, tags);
    return step('t');
  }
  std::int32_t read_output(std::uint64_t size, std::uint8_t*) override {
    bytes_read = size;
    return step('o');
  }
  std::int32_t wait() override { return step('w'); }
  std::int32_t end() override { return step('e'); }

 private:
  std::int32_t step(char name) {
    steps += name;
    return name == fails_at ? failure : NEXUS_OK;
  }
  bytes tags_;
};

class GpuAgeJobTest : public testing::Test {
 protected:
  nexus_result run(const char* operation, const bytes& input,
                   std::uint64_t first, bool last) {
    nexus_age_params params{};
    params.size = sizeof params;
    params.flags = last ? +NEXUS_AGE_LAST : 0u;
    params.first_chunk = first;
    bytes output(input.size() + 4 * age_tag);
    nexus_job job{};
    job.size = sizeof job;
    job.operation = operation;
    job.params = &params;
    job.params_bytes = sizeof params;
    job.input = input.data();
    job.input_bytes = input.size();
    job.output = output.data();
    job.output_capacity = output.size();
    if (!given_.empty()) {
      job.tags = given_.data();
      job.tags_capacity = given_.size();
    }
    if (old_host_) job.size = offsetof(nexus_job, tags_capacity);
    job.output_import = import_;
    EXPECT_EQ(check_age(job, std::uint64_t{1} << 30), NEXUS_OK);
    return run_age(lane_, job, tags_, cancelled_);
  }
  nexus_result open(const bytes& input, std::uint64_t first, bool last) {
    return run(NEXUS_JOB_AGE_OPEN, input, first, last);
  }

  tag_lane lane_;
  bytes tags_;
  bytes given_;  // room for tags in the job, if any
  bool old_host_ = false;
  nexus_buffer* const import_ = reinterpret_cast<nexus_buffer*>(this);
  std::atomic<bool> cancelled_{false};
};

// The steps that need the device are all queued before it is waited for.
TEST_F(GpuAgeJobTest, LeavesComparingToAHostThatGivesRoomForTags) {
  given_.resize(3 * age_tag);
  bytes input = sealed(5, 2, false, 10);
  input[age_sealed - 1] ^= 1;
  const nexus_result result = open(input, 5, true);
  EXPECT_EQ(result.status, NEXUS_OK);
  EXPECT_EQ(result.flags, +NEXUS_RESULT_TAGS);
  EXPECT_EQ(result.tags_bytes, 3 * age_tag);
  EXPECT_EQ(result.output_bytes, 2 * age_chunk + 10);
  EXPECT_EQ(lane_.bytes_read, 2 * age_chunk + 10);
  EXPECT_EQ(lane_.steps, "bltoe");
  bytes expected = tag_for(5, false);
  for (const bytes& tag : {tag_for(6, false), tag_for(7, true)})
    expected.insert(expected.end(), tag.begin(), tag.end());
  EXPECT_EQ(given_, expected);
}

TEST_F(GpuAgeJobTest, ComputesTheLastTagOfTheStreamAsThatOfAFinalChunk) {
  given_.resize(2 * age_tag);
  const bytes input = sealed(0, 2, true);
  EXPECT_EQ(open(input, 0, true).flags, +NEXUS_RESULT_TAGS);
  EXPECT_EQ(given_[age_tag], tag_for(1, true)[0]);
  EXPECT_EQ(open(input, 0, false).flags, +NEXUS_RESULT_TAGS);
  EXPECT_EQ(given_[age_tag], tag_for(1, false)[0]);
}

TEST_F(GpuAgeJobTest, ComparesWhereTheRoomForTagsIsTooSmallOrUnknown) {
  const bytes input = sealed(0, 2, true);
  given_.resize(2 * age_tag - 1);
  EXPECT_EQ(open(input, 0, true).flags, +NEXUS_RESULT_FINAL_CHUNK);
  given_.resize(2 * age_tag);
  old_host_ = true;
  EXPECT_EQ(open(input, 0, true).flags, +NEXUS_RESULT_FINAL_CHUNK);
}

TEST_F(GpuAgeJobTest, LeavesNoTagForWhatHasNoPlaceAtTheEnd) {
  given_.resize(2 * age_tag);
  for (const std::size_t rest : {std::size_t{3}, age_tag}) {
    bytes input = sealed(0, 1, false);
    input.resize(input.size() + rest);
    const nexus_result result = open(input, 0, true);
    EXPECT_EQ(result.status, NEXUS_OK);
    EXPECT_EQ(result.tags_bytes, age_tag) << rest;
    EXPECT_EQ(result.output_bytes, age_chunk) << rest;
  }
}

TEST_F(GpuAgeJobTest, EndsEveryJobThatFailsWithItsStatus) {
  const bytes input = sealed(0, 2, true);
  for (const char at : std::string("blotwe")) {
    SCOPED_TRACE(at);
    lane_ = {};
    lane_.fails_at = at;
    lane_.failure = NEXUS_E_LOST;
    const nexus_result result = open(input, 0, true);
    EXPECT_EQ(result.status, NEXUS_E_LOST);
    EXPECT_EQ(result.output_bytes, 0u);
    EXPECT_EQ(lane_.steps.back(), 'e') << "the key is still there";
    EXPECT_EQ(std::count(lane_.steps.begin(), lane_.steps.end(), 'e'), 1);
  }
}

TEST_F(GpuAgeJobTest, CopiesNothingBackOnceCancelled) {
  lane_.raises = &cancelled_;
  EXPECT_EQ(open(sealed(0, 1, true), 0, true).status, NEXUS_E_CANCELLED);
  EXPECT_EQ(lane_.steps, "ble");
}

TEST_F(GpuAgeJobTest, CopiesOnlyWhatAuthenticatedBack) {
  bytes input = sealed(5, 4, false);
  input[3 * age_sealed - 1] ^= 1;
  const nexus_result result = open(input, 5, false);
  EXPECT_EQ(result.status, NEXUS_E_DATA);
  EXPECT_EQ(result.error_offset, 2 * age_sealed);
  EXPECT_EQ(result.output_bytes, 2 * age_chunk);
  EXPECT_EQ(lane_.bytes_read, 2 * age_chunk);
  EXPECT_EQ(lane_.steps, "bltwltwoe") << "the other flag is tried once";
}

// A device that writes straight into the host's memory must not do so before
// the tags are compared.
TEST_F(GpuAgeJobTest, HidesTheHostsMemoryUntilTagsAreCompared) {
  open(sealed(0, 2, true), 0, true);
  EXPECT_EQ(lane_.output_import, nullptr);
  given_.resize(2 * age_tag);
  open(sealed(0, 2, true), 0, true);
  EXPECT_EQ(lane_.output_import, import_);
  lane_.output_import = nullptr;
  run(NEXUS_JOB_AGE_SEAL, bytes(10), 0, true);
  EXPECT_EQ(lane_.output_import, import_);
  old_host_ = true;
  lane_.output_import = import_;
  open(sealed(0, 2, true), 0, true);
  EXPECT_EQ(lane_.output_import, nullptr);
}

TEST_F(GpuAgeJobTest, CopiesNothingBackOfAFirstChunkThatFails) {
  bytes input = sealed(0, 1, false);
  input.back() ^= 1;
  EXPECT_EQ(open(input, 0, false).status, NEXUS_E_DATA);
  EXPECT_EQ(lane_.steps, "bltwltwe");
}

TEST_F(GpuAgeJobTest, DoesNotTryAShortChunkAsNotFinal) {
  bytes input = sealed(0, 1, false, 10);
  input.back() ^= 1;
  const nexus_result result = open(input, 0, true);
  EXPECT_EQ(result.error_offset, age_sealed);
  EXPECT_EQ(lane_.steps, "bltwoe");
}

TEST_F(GpuAgeJobTest, EndsAtAFinalChunkAndLeavesTheRest) {
  bytes input = sealed(0, 2, true);
  const bytes more = sealed(2, 1, true);
  input.insert(input.end(), more.begin(), more.end());
  const nexus_result result = open(input, 0, true);
  EXPECT_EQ(result.status, NEXUS_OK);
  EXPECT_EQ(result.flags, +NEXUS_RESULT_FINAL_CHUNK);
  EXPECT_EQ(result.output_bytes, 2 * age_chunk);
  EXPECT_EQ(lane_.bytes_read, 2 * age_chunk);
}

TEST_F(GpuAgeJobTest, RunsOnceWhereTheGuessesAreRight) {
  EXPECT_EQ(open(sealed(7, 3, false), 7, false).flags, 0u);
  EXPECT_EQ(lane_.steps, "bltwoe");
  lane_ = {};
  EXPECT_EQ(open(sealed(7, 3, true), 7, true).flags, +NEXUS_RESULT_FINAL_CHUNK);
  EXPECT_EQ(lane_.steps, "bltwoe");
}

TEST_F(GpuAgeJobTest, GoesOnAfterALastChunkThatIsNotFinal) {
  const nexus_result result = open(sealed(0, 2, false), 0, true);
  EXPECT_EQ(result.status, NEXUS_OK);
  EXPECT_EQ(result.flags, 0u);
  EXPECT_EQ(lane_.steps, "bltwltwoe");
}

TEST_F(GpuAgeJobTest, AsksNoDeviceForNothing) {
  EXPECT_EQ(open({}, 3, true).status, NEXUS_OK);
  EXPECT_EQ(open(bytes(15), 0, true).status, NEXUS_E_DATA);
  EXPECT_EQ(open(bytes(16), 1, true).status, NEXUS_E_DATA);
  EXPECT_EQ(run(NEXUS_JOB_AGE_SEAL, {}, 3, false).status, NEXUS_OK);
  EXPECT_EQ(lane_.steps, "");
}

TEST_F(GpuAgeJobTest, KeepsNoTagsFromJobToJob) {
  open(sealed(40, 2, true), 40, true);
  EXPECT_TRUE(
      std::all_of(tags_.begin(), tags_.end(), [](auto b) { return b == 0; }));
}

TEST(GpuAgeCheck, RefusesMoreThanTheDeviceTakes) {
  nexus_age_params params{};
  params.size = sizeof params;
  bytes memory(age_chunk + age_tag);
  nexus_job job{};
  job.size = sizeof job;
  job.operation = NEXUS_JOB_AGE_SEAL;
  job.params = &params;
  job.params_bytes = sizeof params;
  job.input = memory.data();
  job.input_bytes = age_chunk;
  job.output = memory.data();
  job.output_capacity = memory.size();
  EXPECT_EQ(check_age(job, age_chunk - 1), NEXUS_E_ARGUMENT);
  EXPECT_EQ(check_age(job, age_chunk), NEXUS_OK);
}

}  // namespace
}  // namespace nexus::common
