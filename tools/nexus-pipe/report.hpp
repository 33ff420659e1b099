// What a run did, in words and as JSON.
#pragma once

#include <nexus/engine.hpp>
#include <string>
#include <vector>

namespace nexus::tool {

// The lines of -v, without prefix or line end.
[[nodiscard]] std::vector<std::string> summarize(const telemetry& run);

// What a user should know even of a run that went well: devices that it had to
// do without, or that needed help. Lines without prefix or end.
[[nodiscard]] std::vector<std::string> warnings_of(const telemetry& run);

// One JSON object on one line: the fields of telemetry under their names, and
// "outcome" {code, message}.
[[nodiscard]] std::string telemetry_json(const run_report& report);

// One line without its end: "type", which is "stats", the time, and the fields
// of telemetry.
[[nodiscard]] std::string stats_json(const telemetry& now);

// "encrypt: 1.00 GiB in, 1.00 GiB out, 2.000 s, 512 MiB/s"
[[nodiscard]] std::string total_line(const telemetry& run);

// To the file, which is replaced; "-" is standard error.
status write_telemetry(const std::string& path, const run_report& report);

}  // namespace nexus::tool
