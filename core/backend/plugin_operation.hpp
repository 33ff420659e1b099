// An operation that a plugin brings, behind the same seam as the built-in ones.
#pragma once

#include <memory>
#include <nexus/operation.hpp>
#include <string>
#include <utility>
#include <vector>

#include "backend/plugin_loader.hpp"

namespace nexus {

// invalid_argument, with the plugin's words, where it refuses the options.
[[nodiscard]] result<std::unique_ptr<operation>> make_plugin_operation(
    std::shared_ptr<const loaded_plugin> plugin, std::size_t index,
    const std::vector<std::pair<std::string, std::string>>& options);

}  // namespace nexus
