#include "engine/layout.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace nexus {
namespace {

// Far above any memory, far below any overflow of what is added to it.
constexpr std::uint64_t huge = std::uint64_t{1} << 60;

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? huge
                                                : std::min(product, huge);
}

}  // namespace

segment_layout make_layout(const operation_plan& plan,
                           std::uint64_t segment_bytes, bool source_is_memory) {
  segment_layout layout;
  layout.segment_bytes = segment_bytes;
  segment_bytes = std::min(segment_bytes, huge);
  layout.input_buffer = source_is_memory ? 0 : segment_bytes + read_beyond;
  layout.working_set = layout.input_buffer;
  std::uint64_t input = segment_bytes;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const stage_plan& stage = plan.stages[i];
    stage_layout made;
    made.max_input = input;
    made.max_output =
        times(ceil_div(input, stage.granule), stage.granule_output) +
        stage.extra_output;
    if (i + 1 < plan.stages.size()) {
      const stage_plan& next = plan.stages[i + 1];
      const std::uint64_t carried =
          std::max<std::uint64_t>(next.granule - 1, next.lead.size());
      made.headroom = round_up(carried, 64);
      input = std::min(made.max_output + carried, huge);
    }
    layout.working_set =
        std::min(layout.working_set + made.output_buffer(), huge);
    layout.stages.push_back(made);
  }
  // What takes nothing, as a memory source without output, has no limit.
  layout.working_set = std::max<std::uint64_t>(layout.working_set, 1);
  return layout;
}

}  // namespace nexus
