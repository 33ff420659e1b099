// What NVML or nvidia-smi say of the GPUs, and which of them are free.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"

namespace nexus::queue {

struct gpu_process {
  std::int64_t pid = 0;
  std::string name;
  std::int64_t memory_mib = 0;
};

struct gpu {
  std::string index;  // in the order of the PCI bus
  std::string uuid;
  std::string name;
  std::int64_t memory_mib = 0;
  std::int64_t used_mib = 0;
  std::vector<gpu_process> processes;
  // Why nothing new goes there, whatever our own jobs do; empty: nothing.
  std::string blocked;
  bool excluded = false;  // by the blacklist: not only for now
};

// One look at the machine.
struct gpu_snapshot {
  std::int64_t time = 0;  // milliseconds since 1970; 0: nobody looked yet
  std::string problem;    // why there are no GPUs to see; empty: all is well
  std::vector<gpu> gpus;
};

// The CSV of --query-gpu=index,uuid,name,memory.total,memory.used without
// header and units. Lines that make no sense are left out and counted.
struct parsed_gpus {
  std::vector<gpu> gpus;
  std::size_t bad_lines = 0;
};
[[nodiscard]] parsed_gpus parse_gpus(std::string_view csv);
// That of --query-compute-apps=gpu_uuid,pid,process_name,used_memory.
void parse_processes(std::string_view csv, std::vector<gpu>& gpus);

// Sets `blocked`: on the blacklist, processes that are not ignored, memory
// above the limit.
void judge(gpu& one, const config& rules);

// The rules applied to what was seen.
void judge(gpu_snapshot& seen, const config& rules);

// As JSON, for the store.
[[nodiscard]] std::string pack(const gpu_snapshot& snapshot);
[[nodiscard]] gpu_snapshot unpack(std::string_view text);

}  // namespace nexus::queue
