#include "engine/layout.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace nexus {

segment_layout make_layout(const operation_plan& plan,
                           std::uint64_t segment_bytes, bool source_is_memory) {
  segment_layout layout;
  layout.segment_bytes = segment_bytes;
  layout.input_buffer = source_is_memory ? 0 : segment_bytes + read_beyond;
  layout.working_set = layout.input_buffer;
  std::uint64_t input = segment_bytes;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const stage_plan& stage = plan.stages[i];
    stage_layout made;
    made.max_input = input;
    made.max_output = ceil_div(input, stage.granule) * stage.granule_output +
                      stage.extra_output;
    if (i + 1 < plan.stages.size()) {
      const stage_plan& next = plan.stages[i + 1];
      const std::uint64_t carried =
          std::max<std::uint64_t>(next.granule - 1, next.lead.size());
      made.headroom = round_up(carried, 64);
      input = made.max_output + carried;
    }
    layout.working_set += made.output_buffer();
    layout.stages.push_back(made);
  }
  return layout;
}

}  // namespace nexus
