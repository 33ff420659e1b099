// config.toml: the part of TOML that it needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nexus/status.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "home.hpp"

namespace nexus::queue {

// When to tell of a job's end.
enum class notify_on { configured, never, failed, finished };
[[nodiscard]] std::string_view name_of(notify_on when) noexcept;

struct notify_config {
  std::string command;  // for the shell; empty: none
  std::string webhook;  // http:// or https://; empty: none
  std::string secret;   // whsec_ and base64; empty: messages are not signed
  notify_on on = notify_on::finished;
  double time_limit_seconds = 10;  // of one attempt, 0.1 to 3600
  double retry_seconds = 5;        // until the second; then longer, 0 to 3600
};

// Who is asked of the GPUs: NVML where it is there and can be used, else
// nvidia-smi; or one of them alone.
enum class gpu_source { automatic, nvml, nvidia_smi };
[[nodiscard]] std::string_view name_of(gpu_source source) noexcept;

struct config {
  // [paths]
  std::filesystem::path log_dir;
  std::filesystem::path jobs_file;
  // [gpus]
  gpu_source source = gpu_source::automatic;
  std::string nvidia_smi = "nvidia-smi";
  double poll_seconds = 5;             // 0.1 to 3600
  std::int64_t free_memory_mib = 500;  // used memory up to which one is free
  std::vector<std::string> blacklist;  // indices or UUIDs
  std::vector<std::string> ignore;     // processes: names or pids
  std::int64_t cpu_slots = 0;  // jobs without a GPU at a time, 0 to 1024
  // [jobs]
  std::int64_t gpus = 1;           // of a job that does not say, 0 to 64
  double kill_grace_seconds = 10;  // from TERM to KILL, 0 to 3600
  // [notify]
  notify_config notify;
};

struct parsed_config {
  config values;
  // "line 3: ...": those lines count as if they were not there.
  std::vector<std::string> problems;
};

[[nodiscard]] parsed_config parse_config(std::string_view text,
                                         const home& where);
// Of the file; the defaults where there is none.
[[nodiscard]] result<parsed_config> load_config(const home& where);

// All of it, with what each key means.
[[nodiscard]] std::string render_config(const config& values);
// As JSON: a section an object.
[[nodiscard]] nlohmann::json config_json(const config& values);
// For eyes: without what is secret.
[[nodiscard]] config without_secrets(config values);
[[nodiscard]] config default_config(const home& where);

// The text with one key, "section.name", set to a value in TOML or, for
// strings, a bare word; all else, comments too, as it was. invalid_argument:
// there is no such key, or the value does not fit.
[[nodiscard]] result<std::string> set_in_config(std::string_view text,
                                                const home& where,
                                                std::string_view key,
                                                std::string_view value);
// A list of texts as such a value.
[[nodiscard]] std::string list_value(const std::vector<std::string>& words);

}  // namespace nexus::queue
