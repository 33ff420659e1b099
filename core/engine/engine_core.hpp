// What all runs of an engine share: the thread and its loop, I/O, devices,
// the scheduler, buffers and the memory budget.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <nexus/engine.hpp>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "async/blocking_pool.hpp"
#include "async/wait_list.hpp"
#include "backend/device.hpp"
#include "backend/plugin_loader.hpp"
#include "engine/buffer_pool.hpp"
#include "engine/heartbeat.hpp"
#include "engine/import_cache.hpp"
#include "engine/load_watch.hpp"
#include "engine/scheduler.hpp"
#include "io/io_service.hpp"

namespace nexus {

class run;

// Seconds on the steady clock.
[[nodiscard]] double now_seconds() noexcept;

// Members marked (any thread) aside, everything is the engine thread's.
class engine_core {
 public:
  explicit engine_core(engine_options options);
  // No run may be left.
  ~engine_core();
  engine_core(const engine_core&) = delete;
  engine_core& operator=(const engine_core&) = delete;

  // (any thread) Starts the thread, once.
  void start_thread();
  // (any thread) The loop's executor.
  [[nodiscard]] asio::any_io_executor executor();

  // File I/O in the mode that was asked for; made once.
  result<io_service*> io();

  // Opens the CPU's devices, or those of all plugins. Loading happens on a
  // helper thread. Not before profile_for().
  task<void> open_devices(bool all);
  // Loads every plugin and opens nothing.
  task<void> load_plugins();
  // Loads every plugin and looks at every device, without opening one.
  task<std::vector<plugin_description>> describe_plugins();
  // Devices that could not be opened so far, and why.
  [[nodiscard]] const std::vector<std::string>& unopened() const noexcept {
    return unopened_;
  }
  // Why the last device could not be opened, or empty.
  [[nodiscard]] const std::string& open_problem() const noexcept {
    return open_problem_;
  }
  // Tells the scheduler what every open device makes of a device operation.
  void learn_support(const std::string& operation);
  // Whether the device's threads read the input of such jobs themselves.
  [[nodiscard]] bool fills(std::uint32_t device,
                           std::uint32_t operation) const {
    return fills_.contains({device, operation});
  }
  // Whether they write the output of such jobs themselves.
  [[nodiscard]] bool drains(std::uint32_t device,
                            std::uint32_t operation) const {
    return drains_.contains({device, operation});
  }
  // The largest segment that an open GPU prefers for one of these operations;
  // 0: no wish.
  [[nodiscard]] std::uint64_t preferred_bytes(
      const std::vector<std::uint32_t>& operations) const;
  // Lanes that work on them: the CPU's if there is one that can, else all.
  [[nodiscard]] std::uint32_t workers_for(
      const std::vector<std::uint32_t>& operations) const;
  // Asks a device that has been away: see nexus/plugin.h.
  task<std::int32_t> ask_health(std::uint32_t device, std::string& words);
  // What the device made of the buffer, or NULL. The buffer stays on loan.
  task<nexus_buffer*> import_of(std::uint32_t device, std::uint32_t operation,
                                const buffer& memory);
  [[nodiscard]] bool wants_all_devices(
      std::optional<std::uint64_t> input_bytes) const noexcept;

  // The budget in bytes and the worker count; read once. Fails where one
  // segment of this working set does not fit.
  // worker: bytes that each worker takes besides.
  result<parallelism_profile> profile_for(std::uint64_t working_set,
                                          std::uint64_t worker = 0);

  // Seconds after which the device counts as hung over a job of this size; 0:
  // never, since it cannot be given up.
  [[nodiscard]] double patience_for(std::uint32_t device,
                                    std::uint32_t operation,
                                    std::uint64_t size) const;
  // All lanes are of one kind and about as fast.
  [[nodiscard]] bool one_kind() const;

  // A run's part of the window, in segments of its working set; at least one.
  [[nodiscard]] std::uint32_t window_for(std::uint64_t working_set) const;
  [[nodiscard]] std::uint64_t budget_bytes() const noexcept;
  // Jobs at once that a run's share of the budget holds as it is now, with a
  // segment for each; at least one.
  [[nodiscard]] std::uint32_t jobs_now(std::uint64_t working_set,
                                       std::uint64_t worker);
  // Whether the budget holds it beside those of all runs that are at work.
  [[nodiscard]] bool has_room_for_job(std::uint64_t worker) const noexcept;
  [[nodiscard]] std::uint32_t cpu_workers() const noexcept;
  // (any thread) As far as runs need it; read on the first call.
  [[nodiscard]] const hardware& machine();
  // (any thread) All of it. Takes milliseconds where there are many processors.
  [[nodiscard]] hardware whole_machine();
  // Takes bytes of the budget, or says that there are not enough now. A run's
  // first segment is always let in: runs may feed each other, and one that
  // waits for its input would else hold up the one that makes it.
  bool try_reserve(std::uint64_t size, bool first) noexcept;
  void release(std::uint64_t size);
  // Takes bytes of the budget from all runs' windows, and gives them back.
  void set_aside(std::uint64_t size) noexcept { set_aside_ += size; }
  void give_back(std::uint64_t size);

  void add_run(run* added);
  void remove_run(run* removed);
  // Of the runs that are there.
  task<std::vector<telemetry>> snapshot() const;

  // Wakes those who wait for a lane at the scheduler's next change.
  void arm_lane_timer();

  // Why a probed device is not used, or empty.
  [[nodiscard]] std::string reason_unused(const probed_device& probed) const;

  [[nodiscard]] std::vector<device_telemetry> device_report() const;
  [[nodiscard]] load_telemetry load_report() const;
  // What logs call a lane: "W3", the lanes of all CPUs in a row, or "GPU0".
  [[nodiscard]] std::string worker_name(std::uint32_t device,
                                        std::uint32_t lane) const;
  // After what may have changed it: logs a device's state, and counts
  // quarantines.
  void note_state(std::uint32_t device);
  void log(const std::string& line) const;

  engine_options options;
  asio::io_context loop{1};
  blocking_pool blocking{256, "nexus-block"};
  // Prologues wait for reads, which may need a thread of the pool above.
  blocking_pool prologues{256, "nexus-prologue"};
  plugin_loader loader;
  std::vector<std::unique_ptr<device>> devices;  // by scheduler number
  std::vector<device_telemetry> device_counts;   // likewise
  load_telemetry load_counts;
  nexus::scheduler scheduler;
  wait_list lanes_changed;
  wait_list budget_changed;
  import_cache imports;
  buffer_pool buffers;
  heartbeat beat;
  load_watch watch;

 private:
  struct opening {
    std::vector<std::unique_ptr<device>> devices;
    std::vector<std::string> problems;
  };
  template <class Fn>
  task<void> with_loader(Fn fn);
  opening load_and_open(bool all);
  void open_one(const probed_device& probed, opening& found);
  const std::string& probing_problem(const loaded_plugin& plugin) const;
  std::vector<probed_device> probe(
      const std::shared_ptr<const loaded_plugin>& plugin) const;
  plugin_description describe(const plugin_candidate& candidate) const;
  device_description describe(const probed_device& probed) const;
  void add_device(std::unique_ptr<device> opened);
  void log_opened(std::uint32_t number) const;
  void learn(std::uint32_t number, const std::string& operation);
  // engine_load.cpp
  void follow(const hwinfo::pressure_reading& reading);
  void allow(const load_allowance& allowed);
  void give_back_buffers();
  std::vector<worker_binding> lanes_of(const probed_device& probed) const;

  asio::executor_work_guard<asio::io_context::executor_type> keep_running_;
  std::once_flag started_;
  std::thread thread_;
  std::unique_ptr<io_service> io_;
  std::mutex machine_mutex_;
  std::optional<hardware> machine_;
  std::optional<parallelism_profile> profile_;
  std::optional<load_control> load_;
  [[nodiscard]] std::uint64_t allowed_bytes() const noexcept;
  [[nodiscard]] std::uint64_t window_bytes() const noexcept;
  std::uint64_t reserved_ = 0;
  std::uint64_t set_aside_ = 0;
  std::vector<run*> runs_;
  bool opening_ = false;
  bool base_opened_ = false;
  bool all_opened_ = false;
  std::string open_problem_;
  std::vector<std::string> unopened_;
  wait_list opened_;
  std::vector<std::string> open_ids_;  // of devices
  // By the path of a plugin.
  mutable std::map<std::string, std::string> probing_problems_;
  bool asks_for_all_ = false;  // whatever there is, to be described
  using ability = std::pair<std::uint32_t, std::uint32_t>;  // device, operation
  std::set<ability> fills_;
  std::set<ability> drains_;
  std::set<ability> wants_import_;
  std::map<ability, std::uint64_t> preferred_;  // bytes; of GPUs alone
  std::vector<std::string> operations_;         // that support is known of
  asio::steady_timer lane_timer_;
};

}  // namespace nexus
