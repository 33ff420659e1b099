// The results as a table for a terminal, and as JSON.
#pragma once

#include <string>

#include "bench/results.hpp"

namespace nexus::tool::bench {

[[nodiscard]] std::string as_table(const results& from);
[[nodiscard]] std::string as_json(const results& from);

}  // namespace nexus::tool::bench
