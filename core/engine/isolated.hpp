// Opens devices in helper processes.
#pragma once

#include <memory>
#include <nexus/engine.hpp>
#include <string>
#include <vector>

#include "backend/device.hpp"

namespace nexus {

// Whether the options put such a device into a process of its own.
[[nodiscard]] bool is_isolated(const isolation_options& options,
                               const probed_device& probed);

// The program that helpers run; fails with device_failed where it is not there.
[[nodiscard]] result<std::string> worker_program(
    const isolation_options& options);

struct isolated_opening {
  std::vector<std::unique_ptr<device>> devices;
  std::vector<std::string> problems;
};

// A CPU becomes a device of one lane for each of its lanes, "cpu:0/3", so that
// what happens to one leaves the others alone; anything else stays one device.
// Takes as long as the helpers take to start, which they do side by side.
[[nodiscard]] isolated_opening open_isolated(
    const probed_device& probed, const std::vector<worker_binding>& lanes,
    const engine_options& options, const std::string& program);

}  // namespace nexus
