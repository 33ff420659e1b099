// How much memory a segment takes on its way through the stages.
#pragma once

#include <cstdint>
#include <nexus/operation.hpp>
#include <vector>

namespace nexus {

// Buffers of one stage. Its input ends up in the output buffer of the stage
// before, behind room for what is carried over from earlier segments.
struct stage_layout {
  std::uint64_t max_input = 0;
  std::uint64_t max_output = 0;
  std::uint64_t headroom = 0;  // ahead of the output, for the next stage
  [[nodiscard]] std::uint64_t output_buffer() const noexcept {
    return headroom + max_output;
  }
};

struct segment_layout {
  std::uint64_t segment_bytes = 0;  // of the source
  std::uint64_t input_buffer = 0;   // 0: the source is memory
  std::vector<stage_layout> stages;
  // All buffers of one segment: what a slot of the window counts for.
  std::uint64_t working_set = 0;
};

// Bytes that a sequential reader fetches beyond a segment to learn whether it
// is the last one.
inline constexpr std::uint64_t read_beyond = 4096;

[[nodiscard]] segment_layout make_layout(const operation_plan& plan,
                                         std::uint64_t segment_bytes,
                                         bool source_is_memory);

}  // namespace nexus
