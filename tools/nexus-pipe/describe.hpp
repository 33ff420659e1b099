// The machine and its devices as JSON, for the commands that print them.
#pragma once

#include <nexus/engine.hpp>
#include <nexus/hardware.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace nexus::tool {

// Bytes of the segments that it makes a run have; 0: it does not.
[[nodiscard]] std::uint64_t wish_of(const device_description& device);
[[nodiscard]] nlohmann::ordered_json to_json(const device_description& device);
[[nodiscard]] nlohmann::ordered_json to_json(const hardware& machine);

// Indented, with a line feed at the end; what is not UTF-8 is replaced.
[[nodiscard]] std::string printed(const nlohmann::ordered_json& object);

}  // namespace nexus::tool
