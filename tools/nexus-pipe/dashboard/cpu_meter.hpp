// What the machine's processors and this process have done so far.
#pragma once

#include "dashboard/model.hpp"

namespace nexus::tool {

// Of the first line of /proc/stat, "cpu  1 2 3 ..."; zeros where it is none.
// ticks: of a second.
[[nodiscard]] cpu_reading parse_cpu(std::string_view line, double ticks);

// Helper processes count for the machine alone.
[[nodiscard]] cpu_reading read_cpu();

}  // namespace nexus::tool
