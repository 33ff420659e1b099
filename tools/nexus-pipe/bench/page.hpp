// The results as a page of their own: HTML with its style and charts inside,
// without scripts, and without anything that is fetched.
#pragma once

#include <string>

#include "bench/results.hpp"

namespace nexus::tool::bench {

[[nodiscard]] std::string as_page(const results& from);

}  // namespace nexus::tool::bench
