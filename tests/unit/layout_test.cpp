// How much memory the stages of a segment take.
#include "engine/layout.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace nexus::test {
namespace {

stage_plan stage(std::uint32_t granule, std::uint32_t output,
                 std::uint32_t extra = 0, std::size_t lead = 0) {
  stage_plan made;
  made.granule = granule;
  made.granule_output = output;
  made.extra_output = extra;
  made.lead.resize(lead);
  return made;
}

TEST(Layout, OneStageTakesItsInputAndItsOutput) {
  const auto layout =
      make_layout({{stage(65536, 65552)}, 0, false}, 4 * 65536, false);
  EXPECT_EQ(layout.segment_bytes, 4u * 65536);
  EXPECT_EQ(layout.input_buffer, 4 * 65536 + read_beyond);
  ASSERT_EQ(layout.stages.size(), 1u);
  EXPECT_EQ(layout.stages[0].max_input, 4u * 65536);
  EXPECT_EQ(layout.stages[0].max_output, 4u * 65552);
  EXPECT_EQ(layout.stages[0].headroom, 0u);
  EXPECT_EQ(layout.working_set, layout.input_buffer + 4 * 65552);
}

TEST(Layout, MemoryNeedsNoInputBuffer) {
  const auto layout = make_layout({{stage(1, 1)}, 0, false}, 1000, true);
  EXPECT_EQ(layout.input_buffer, 0u);
  EXPECT_EQ(layout.working_set, 1000u);
}

TEST(Layout, WhatTakesNoMemoryTakesAByte) {
  const auto layout = make_layout({{stage(1, 0)}, 0, false}, 1000, true);
  EXPECT_EQ(layout.working_set, 1u);
}

TEST(Layout, APartOfAGranuleCountsWhole) {
  const auto layout = make_layout({{stage(48, 65, 7)}, 0, false}, 100, true);
  EXPECT_EQ(layout.stages[0].max_output, 3u * 65 + 7);
}

TEST(Layout, ALaterStageHasRoomForWhatIsCarriedOver) {
  // Armor decoding and then opening, as decrypt does.
  const auto layout =
      make_layout({{stage(65, 48), stage(65552, 65536, 0, 0)}, 0, false},
                  65 * 10000, false);
  ASSERT_EQ(layout.stages.size(), 2u);
  EXPECT_EQ(layout.stages[0].max_output, 48u * 10000);
  EXPECT_EQ(layout.stages[0].headroom % 64, 0u);
  EXPECT_GE(layout.stages[0].headroom, 65551u);
  EXPECT_LT(layout.stages[0].headroom, 65551u + 64);
  EXPECT_EQ(layout.stages[1].max_input, 48u * 10000 + 65551);
  EXPECT_EQ(layout.stages[1].max_output,
            (48u * 10000 + 65551 + 65551) / 65552 * 65536);
  EXPECT_EQ(layout.working_set, layout.input_buffer +
                                    layout.stages[0].output_buffer() +
                                    layout.stages[1].output_buffer());
}

TEST(Layout, WhatStandsAheadOfAStageMayBeMoreThanAGranule) {
  const auto layout = make_layout(
      {{stage(10, 10), stage(48, 65, 0, 200)}, 0, false}, 1000, true);
  EXPECT_GE(layout.stages[0].headroom, 200u);
  EXPECT_EQ(layout.stages[1].max_input, 1200u);
}

TEST(Layout, AStageWithoutOutputIsFine) {
  const auto layout = make_layout({{stage(16, 0)}, 0, false}, 160, false);
  EXPECT_EQ(layout.stages[0].max_output, 0u);
  EXPECT_EQ(layout.working_set, layout.input_buffer);
}

// Sizes come from users and from plugins. A sum that wraps round would pass
// for a small one, and what is read would not fit its buffer.
TEST(Layout, SizesThatDoNotFitNeverLookSmall) {
  constexpr std::uint64_t most = UINT64_MAX;
  // A sum may stop growing there, but not below.
  constexpr std::uint64_t beyond_memory = std::uint64_t{1} << 60;
  for (const std::uint64_t size :
       {most, most - 1, most - read_beyond, most - read_beyond + 1, most / 2,
        most / 4}) {
    for (const bool memory : {false, true}) {
      const auto layout = make_layout(
          {{stage(1, 4, 4096), stage(65552, 65536)}, 0, false}, size, memory);
      EXPECT_GE(layout.working_set, beyond_memory) << size;
      EXPECT_GE(layout.stages[0].max_output, beyond_memory) << size;
      EXPECT_GE(layout.stages[0].output_buffer(), beyond_memory) << size;
      EXPECT_GE(layout.stages[1].max_input, beyond_memory) << size;
      if (!memory) {
        EXPECT_GE(layout.input_buffer, beyond_memory) << size;
      }
    }
  }
}

}  // namespace
}  // namespace nexus::test
