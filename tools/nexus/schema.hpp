// The tables of queue.db, and how those of earlier versions become them.
#pragma once

#include <nexus/status.hpp>

#include "database.hpp"

namespace nexus::queue {

inline constexpr int schema_version = 2;

// Step by step, each on the disk or not begun. unsupported: the database is of
// a later version.
[[nodiscard]] status bring_up_to_date(database& data);

}  // namespace nexus::queue
