// The whole measurement: what is measured, in which order, and how it is told.
#pragma once

#include <functional>
#include <nexus/status.hpp>
#include <stop_token>
#include <string>

#include "arguments.hpp"
#include "bench/results.hpp"

namespace nexus::tool::bench {

// How far it is: steps done, of how many, and what comes now.
using progress_report =
    std::function<void(std::size_t done, std::size_t all, std::string now)>;

// Measures on the calling thread, and more. Errors: no_device for a backend
// that is not there or an operation that nothing here can run, out_of_memory,
// io_error for a directory that was asked for, cancelled.
[[nodiscard]] result<results> measure(const bench_arguments& arguments,
                                      const std::stop_token& stop,
                                      const progress_report& report);

}  // namespace nexus::tool::bench
