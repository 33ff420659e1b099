// What `nexus` prints. Text of facts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config.hpp"
#include "gpus.hpp"
#include "store.hpp"
#include "style.hpp"

namespace nexus::queue {

struct status_facts {
  queue_counts counts;
  bool paused = false;
  gpu_snapshot snapshot;
  std::vector<job> active;
  std::vector<std::pair<std::string, std::int64_t>> claims;
  std::int64_t cpu_slots = 0;
  std::int64_t now = 0;
  // Of the first jobs in the queue; only where it is asked for.
  std::vector<std::pair<job, std::string>> waiting;
};

// why: also the reasons for which a GPU is not free, or a job waits.
[[nodiscard]] std::string render_status(const status_facts& facts,
                                        const style& colors, bool why);
[[nodiscard]] nlohmann::json status_json(const status_facts& facts);

[[nodiscard]] nlohmann::json job_json(const job& which);
// With what it waits for, or waited for.
[[nodiscard]] nlohmann::json job_json(const job& which,
                                      const dependency_map& after);
// From the start to the end or to now, in milliseconds; 0: it did not start.
[[nodiscard]] std::int64_t runtime_of(const job& which, std::int64_t now);
// JSON for people and programs: indented, whatever bytes a command holds.
[[nodiscard]] std::string show_json(const nlohmann::json& value);

}  // namespace nexus::queue
