// What a caught exception means as a status. The library throws none itself;
// these come from the allocator, threads and Asio.
#pragma once

#include <nexus/status.hpp>

namespace nexus {

// Only inside a catch block.
[[nodiscard]] status status_of_current_exception() noexcept;

}  // namespace nexus
