// What this machine has, and how many workers and segments that makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/export.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus {

// Where the facts are read. Tests point it at recorded trees.
struct hardware_roots {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

// A limit and where it stands.
struct memory_limit {
  std::string origin;  // such as "cgroup memory.high of /system.slice/x"
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;
};

struct numa_node {
  std::uint32_t os_index = 0;
  std::vector<std::uint32_t> processors;  // logical, allowed ones only
  std::uint64_t memory_bytes = 0;
};

struct hardware {
  std::uint32_t logical_processors = 0;  // of the machine
  std::uint32_t physical_cores = 0;
  std::uint32_t allowed_processors = 0;  // the affinity mask
  std::optional<double> cpu_quota;       // processors' worth, from cgroups
  std::string cpu_quota_origin;
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_available_bytes = 0;
  std::vector<memory_limit> memory_limits;  // every one found
  std::uint64_t l2_bytes = 0;               // of one core
  std::uint64_t l3_bytes = 0;               // of one package
  std::vector<numa_node> nodes;             // at least one
};

// Reads the machine. Never fails: what cannot be read is left at 0 or empty,
// and the profile says so. Takes a few milliseconds.
[[nodiscard]] NEXUS_API hardware
read_hardware(const hardware_roots& roots = {});

struct profile_request {
  // What one segment in flight holds: input, outputs, copies for a device.
  std::uint64_t segment_working_set_bytes = 0;
  // What one worker holds besides, such as a prover's tables; 0 for none.
  std::uint64_t worker_working_set_bytes = 0;
  std::optional<std::uint64_t> memory_bytes;  // the user's budget
  double memory_fraction = 0.5;               // of the headroom, otherwise
  std::uint32_t max_inflight = 64;
  std::optional<std::uint32_t> max_threads;
  std::uint32_t gpu_devices = 0;
};

// How much runs at once on CPUs and GPUs here, and why.
struct parallelism_profile {
  std::uint32_t cpu_workers = 1;
  std::uint32_t gpu_workers = 0;
  std::uint32_t inflight_segments = 1;
  std::uint64_t budget_bytes = 0;
  // One sentence per number: ("cpu_workers", "16 processors allowed, ...").
  std::vector<std::pair<std::string, std::string>> reasons;
};

// budget = memory_bytes, else memory_fraction of the headroom, which is the
// smallest of MemAvailable and (limit - used) over all limits. workers =
// allowed processors, at most ceil(quota), one left free from 4 up, at most
// max_threads, at most budget / (worker + segment working set). inflight =
// (budget - workers * worker working set) / segment working set, at most
// max_inflight. Fails with out_of_memory, naming the bytes needed, where the
// budget does not hold one worker and segment, and with invalid_argument for a
// fraction outside (0, 1] or a maximum of 0.
[[nodiscard]] NEXUS_API result<parallelism_profile> make_profile(
    const hardware& machine, const profile_request& request);

// Where each CPU worker runs: as many entries as workers. One node: an empty
// list (run anywhere allowed) each; several: the processors of one node each,
// workers spread over the nodes by their processor counts.
struct worker_binding {
  std::uint32_t numa_node = 0;
  std::vector<std::uint32_t> processors;
};
[[nodiscard]] NEXUS_API std::vector<worker_binding> bind_workers(
    const hardware& machine, std::uint32_t workers);

// "128M", "1.5GiB", "65536": bytes. Suffixes K M G T, with or without B or
// iB, are powers of 1024. invalid_argument for anything else, including 0.
[[nodiscard]] NEXUS_API result<std::uint64_t> parse_size(std::string_view text);

}  // namespace nexus
