// Whole runs of the engine on one backend, memory to memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace nexus_bench {

struct engine_figures {
  std::uint64_t bytes = 0;
  double encrypt_seconds = 0;          // the fastest run, to a memory sink
  double encrypt_discard_seconds = 0;  // likewise, to a sink that drops all
  double decrypt_seconds = 0;          // to a memory sink
  double digest_seconds = 0;
  // Of encrypt, until the sink had the first segment of the payload.
  double first_segment_cold_seconds = 0;  // the device is opened meanwhile
  double first_segment_warm_seconds = 0;
  std::uint64_t segment_bytes = 0;
};

// Nothing, and why, where a run or a job of it failed.
std::optional<engine_figures> run_engine(const std::string& plugin_directory,
                                         const std::string& backend,
                                         std::uint64_t bytes, unsigned rounds,
                                         std::string& why);

}  // namespace nexus_bench
