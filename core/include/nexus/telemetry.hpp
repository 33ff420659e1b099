// What a run did and is doing: plain numbers, copied out on request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nexus {

// dead: it said that it is gone for good; the engine asks it no more.
enum class device_state { ready, backing_off, quarantined, dead };

struct device_telemetry {
  std::string id;      // "cpu:0", "cuda:1"
  std::string plugin;  // name of the plugin that serves it
  bool gpu = false;
  std::uint32_t lanes = 0;
  device_state state = device_state::ready;
  std::uint64_t jobs = 0;            // completed, whatever the outcome
  std::uint64_t failed_jobs = 0;     // the device's fault
  std::uint32_t active_workers = 0;  // lanes that have a job now
  std::uint32_t queued_jobs = 0;     // now, behind those that are at work
  std::uint64_t quarantines = 0;     // times that it was put there
  std::uint64_t restarts = 0;        // of its process, where it has its own
  std::uint64_t input_bytes = 0;     // of completed jobs
  double busy_seconds = 0;           // sum over jobs, submit to done
  std::string last_error;            // why it was quarantined or backed off
};

// Which system calls really moved the bytes.
struct io_telemetry {
  std::uint64_t uring_reads = 0;
  std::uint64_t uring_writes = 0;
  std::uint64_t thread_reads = 0;
  std::uint64_t thread_writes = 0;
  std::uint64_t lane_reads = 0;      // by a worker, just before it computes
  std::uint64_t lane_writes = 0;     // by a worker, of what it computed
  std::uint64_t callback_reads = 0;  // user callbacks and memory
  std::uint64_t callback_writes = 0;
  std::string engine;  // "uring" or "threads"
  std::string note;    // why not uring, where it was wanted
};

// Seconds in which segments waited; summed over segments.
struct stall_telemetry {
  double window = 0;   // the reader, for a free slot
  double read = 0;     // for input bytes
  double device = 0;   // read but not yet submitted: no lane had room
  double compute = 0;  // submitted, not yet done
  double reorder = 0;  // done, waiting for an earlier segment
  double write = 0;    // being written
};

// How the engine follows the load of the machine. Shared by its runs; what is
// counted is counted from the run's beginning.
struct load_telemetry {
  std::uint64_t readings = 0;
  std::uint64_t budget_bytes = 0;        // allowed now
  std::uint64_t least_budget_bytes = 0;  // since the engine began
  std::uint32_t workers = 0;             // of the CPU, allowed a job now
  std::uint64_t shrinks = 0;             // of the budget or the workers
  std::uint64_t growths = 0;
  std::string reason;  // of the last change; empty: there was none
};

struct telemetry {
  std::string operation;
  double elapsed_seconds = 0;
  std::optional<std::uint64_t> input_total_bytes;  // where known
  std::uint64_t input_bytes = 0;                   // read from the source
  std::uint64_t output_bytes = 0;                  // taken by the sink
  std::uint64_t segments = 0;                      // written
  std::uint64_t retries = 0;                       // jobs handed out again
  std::uint64_t queued_jobs = 0;  // now, waiting for a lane of any device
  std::uint64_t segment_bytes = 0;
  std::uint32_t window = 0;       // segments allowed in flight
  std::uint32_t window_used = 0;  // now
  std::uint32_t window_peak = 0;
  std::uint64_t budget_bytes = 0;  // at the start; load has what is allowed now
  // Host buffers that really exist, and did at one time, of all runs of the
  // engine.
  std::uint64_t buffer_bytes = 0;
  std::uint64_t buffer_peak_bytes = 0;
  io_telemetry io;
  stall_telemetry stalls;
  load_telemetry load;
  // The engine thread's own delays, over all its runs: how late it served a 10
  // ms heartbeat, less what it waited for a processor.
  std::uint64_t loop_beats = 0;
  double loop_stall_p99_seconds = 0;
  double loop_stall_max_seconds = 0;
  std::vector<device_telemetry> devices;
  // Of devices that were to be used and could not be opened: which, and why.
  std::vector<std::string> unopened;
};

// How a run will be done, known before its first segment is read.
struct run_setup {
  std::string operation;
  std::uint32_t workers = 0;  // CPU workers that will be at work at once
  std::string workers_reason;
  std::uint64_t segment_bytes = 0;
  std::uint32_t window = 0;        // segments in flight, at most
  std::uint64_t budget_bytes = 0;  // of memory
  std::uint32_t processors = 0;    // logical, of the machine
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_available_bytes = 0;
};

}  // namespace nexus
