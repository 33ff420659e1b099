// The rows of a dashboard that tell of workers.
#pragma once

#include <cstddef>
#include <vector>

#include "dashboard/layout.hpp"
#include "dashboard/line_writer.hpp"

namespace nexus::tool {

// A head and so many rows; where there are more workers than that, those that
// are not well come first, and the last row counts the rest.
[[nodiscard]] std::vector<line_writer> worker_table(
    const std::vector<worker_view>& workers, std::size_t rows,
    const screen_shape& shape);

}  // namespace nexus::tool
