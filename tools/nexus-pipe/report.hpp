// What a run did, in words and as JSON.
#pragma once

#include <nexus/engine.hpp>
#include <string>
#include <vector>

namespace nexus::tool {

// The lines of -v, without prefix or line end.
[[nodiscard]] std::vector<std::string> summarize(const telemetry& run);

// One JSON object on one line: the fields of telemetry under their names, and
// "outcome" {code, message}.
[[nodiscard]] std::string telemetry_json(const run_report& report);

// To the file, which is replaced; "-" is standard error.
status write_telemetry(const std::string& path, const run_report& report);

}  // namespace nexus::tool
