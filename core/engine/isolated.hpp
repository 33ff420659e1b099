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

// Has a process of its own load the plugin and look for its devices, since a
// driver may crash or hang at that. What came of it; ok, too, where there is no
// such process to be had. Takes tens of milliseconds.
status try_probing(const loaded_plugin& plugin, const engine_options& options,
                   const std::string& requested);
// Whether there is a device file of a graphics card or an accelerator.
bool may_have_cards();

}  // namespace nexus
