// What a caught exception means as a status. The library throws none itself;
// these come from the allocator, threads and Asio.
#pragma once

#include <nexus/status.hpp>

namespace nexus {

// Only inside a catch block.
[[nodiscard]] status status_of_current_exception() noexcept;

// What fn() returns, a status or a result; where it throws, that as a status.
template <class Fn>
auto guarded(Fn&& fn) noexcept -> decltype(fn()) {
  try {
    return fn();
  } catch (...) {
    return status_of_current_exception();
  }
}

}  // namespace nexus
