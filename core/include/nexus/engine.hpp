// The engine: loads plugins, owns devices, buffers and one thread, and runs
// operations from a source to a sink.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nexus/export.hpp>
#include <nexus/hardware.hpp>
#include <nexus/operation.hpp>
#include <nexus/status.hpp>
#include <nexus/stream.hpp>
#include <nexus/telemetry.hpp>
#include <nexus/trace.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace nexus {

// How the scheduler picks a device (docs/architecture.md, "Scheduling").
enum class schedule_policy { lect, threshold, round_robin };

// How files are read and written. automatic: io_uring where it works, threads
// elsewhere; uring fails where it does not work.
enum class io_mode { automatic, uring, threads };

// Which devices live in a helper process of their own, where a crash, a leak or
// a hang harms nothing else (docs/architecture.md, "Isolated devices"). gpu: all
// that are no CPU.
enum class isolate_mode { none, gpu, all };

struct isolation_options {
  isolate_mode mode = isolate_mode::none;
  // The program of the helpers, absolute; empty: nexus-pipe-worker beside the
  // plugins' folder. See nexus/worker.hpp.
  std::string program;
  // False: where that is missing, devices are used without isolation, and the
  // log says so.
  bool required = true;

  // Of each helper. Memory beside the segments' buffers, in bytes; what takes
  // more is killed, and started again.
  std::optional<std::uint64_t> memory_bytes;
  std::vector<std::uint32_t> processors;  // logical numbers; none: all
  std::int32_t nice = 0;                  // -20 to 19, 0: as this process
  std::int32_t io_class = 0;  // as of ioprio_set(2): 1 to 3, 0: unchanged
  std::int32_t io_level = 0;  // 0 to 7, of classes 1 and 2
  // A job that takes twenty times what such jobs took, and at least so long,
  // counts as hung: its helper is killed. Before anything is known of the
  // device it gets a minute, and a second for each 100 KB.
  double hang_seconds = 10;
};

struct engine_options {
  // Absolute directories that are searched for plugins, first wins by name. A
  // run ends with invalid_argument where one is not there, or is none.
  // Empty: NEXUS_PLUGIN_PATH (unless the process runs with raised privileges),
  // then the library's own "nexus-pipe/plugins" beside it.
  std::vector<std::string> plugin_directories;
  // Only the devices of this plugin, by name; empty: all that pay. A name that
  // no plugin bears makes runs fail with no_device.
  std::string backend;

  std::optional<std::uint64_t> memory_bytes;  // budget; else by the fraction
  double memory_fraction = 0.5;
  std::uint32_t max_inflight = 64;
  std::optional<std::uint32_t> max_threads;
  // Once a second, while runs are under way, the budget and the workers follow
  // the memory and processors that are left to the process: they shrink under
  // pressure, a budget or number that was asked for too, and grow back to what
  // they were, never beyond (docs/architecture.md, "Adapting to the load").
  bool adapt = true;
  // Where the machine is read, at the start and then.
  hardware_roots roots;
  // Bytes of a segment; else chosen for the operation and the devices.
  std::optional<std::uint64_t> segment_bytes;

  schedule_policy policy = schedule_policy::lect;
  std::uint64_t gpu_threshold_bytes = 8ull << 20;  // this size counts as large
  // GPU plugins are not even loaded for inputs known to be smaller.
  std::uint64_t gpu_min_input_bytes = 256ull << 20;

  io_mode io = io_mode::automatic;
  isolation_options isolation;
  // Diagnostics, one line each, from any thread; must not call into the
  // library. Empty: dropped.
  std::function<void(const std::string&)> log;
};

struct run_options {
  std::stop_token stop;
  // Called about every 100 ms on a thread of the engine's that runs nothing
  // else; must not call into the engine.
  std::function<void(const telemetry&)> progress;
  // Called once, on the engine's own thread, when it is known how the run will
  // be done. Like trace, it must return at once, must not throw, and must not
  // call into the engine.
  std::function<void(const run_setup&)> planned;
  // Called for every step of every segment, on the engine's own thread, which
  // does nothing else meanwhile: it must return at once, must not throw, and
  // must not call into the engine. Empty: events are not even made.
  std::function<void(const segment_event&)> trace;
};

// ok(): the whole input was turned into the whole output. Otherwise outcome
// says why, and the sink holds a correct prefix (or nothing, for a file sink).
struct run_report {
  status outcome;
  telemetry statistics;
};

struct device_description {
  std::string id;  // "cpu:0"
  std::string plugin;
  std::string name;  // "AMD EPYC 9B45", "NVIDIA H200"
  bool gpu = false;
  std::int32_t score = 0;  // as the plugin rates itself; 0 cannot run here
  std::uint32_t lanes = 0;
  std::uint64_t memory_bytes = 0;
  std::int32_t numa_node = -1;
  std::string pci_id;  // "0000:3b:00.0", or empty
  std::string driver;
  std::vector<std::string> operations;
  // How large it wants the segments that it seals and opens; 0: no wish. Only
  // the wish of a GPU counts.
  std::uint64_t preferred_segment_bytes = 0;
  std::string note;  // why it is not used, where it is not
};

struct plugin_description {
  std::string path;
  bool loaded = false;
  std::string reason;  // why not
  std::string name;
  std::string version;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::vector<std::string> operations;  // that it brings
  std::string note;                     // which of its are not used, and why
  std::vector<device_description> devices;
};

// Thread-safe. Runs may overlap: they share the memory budget, the devices and
// the thread in equal parts.
class NEXUS_API engine {
 public:
  // Does nothing that can take long or fail: plugins are loaded by the first
  // call that needs them.
  explicit engine(engine_options options = {});
  // Waits for the runs that are under way.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  // Runs to the end and reports. The operation must outlive the call.
  [[nodiscard]] run_report run(operation& work, source from, sink to,
                               run_options options = {});

  // The same without waiting. done is called once, on a helper thread (within
  // start() itself only where the system refuses the engine's own thread). It
  // may call into the engine, but not destroy it, and must not throw. The
  // operation must live until then.
  void start(operation& work, source from, sink to, run_options options,
             std::function<void(run_report)> done);

  // What each run that is under way has done so far, in the order in which they
  // began. Takes about as long as the engine's thread takes to get to it.
  [[nodiscard]] std::vector<telemetry> snapshot() const;

  // An operation that a plugin brings, made with its own options.
  [[nodiscard]] result<std::unique_ptr<operation>> make_operation(
      const std::string& name,
      const std::vector<std::pair<std::string, std::string>>& options = {});

  // Loads every plugin, GPUs included, and says what there is.
  [[nodiscard]] std::vector<plugin_description> plugins();
  // The machine and what the options make of it, for segments of this size
  // with an output as large.
  [[nodiscard]] result<parallelism_profile> profile(
      std::uint64_t segment_bytes = 1ull << 20);
  [[nodiscard]] hardware machine() const;

 private:
  class __attribute__((visibility("hidden"))) impl;
  std::shared_ptr<impl> impl_;
};

// The release, such as "0.1.0".
[[nodiscard]] NEXUS_API const char* version() noexcept;

}  // namespace nexus
