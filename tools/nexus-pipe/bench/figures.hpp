// The page's charts, each with its table.
#pragma once

#include <string>

#include "bench/results.hpp"

namespace nexus::tool::bench {

// Sections of the page. Empty where there is nothing to show.
[[nodiscard]] std::string segment_figures(const results& from);
[[nodiscard]] std::string worker_figures(const results& from);
[[nodiscard]] std::string speed_figure(const results& from);

}  // namespace nexus::tool::bench
