// Everything that lets a run be watched from outside: log, metrics, stats and
// trace. What was not asked for costs nothing, and starts no thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nexus/engine.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <thread>

#include "arguments.hpp"
#include "dashboard/dashboard.hpp"
#include "metrics.hpp"
#include "metrics_server.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "trace.hpp"

namespace nexus::tool {

class run_watch {
 public:
  explicit run_watch(terminal& out) : out_(out) {}
  ~run_watch();
  run_watch(const run_watch&) = delete;
  run_watch& operator=(const run_watch&) = delete;

  // Ahead of anything that takes long, such as a prompt, but not before the
  // run's own files were told apart from those that are written here. io_error:
  // a file cannot be written, or a port is taken.
  status open(const stream_arguments& arguments);

  // Around one run of the engine's. The signals and the engine have to live
  // until end(), which says whether all that was asked for was written.
  void begin(engine& worker, signal_watch& signals, run_options& options);
  // Right after the run: gives the terminal back.
  void leave_screen();
  status end(const run_report& report);

 private:
  void add_event(const segment_event& event);
  void say_setup(const run_setup& setup);
  void say_total(const telemetry& run);
  [[nodiscard]] std::optional<telemetry> now();
  [[nodiscard]] std::string metrics();
  [[nodiscard]] http_page answer(const std::string& path);
  status write_metrics();
  void detach();
  void tick();

  terminal& out_;
  watch_arguments wanted_;
  bool verbose_ = false;
  std::unique_ptr<trace_file> trace_;
  std::unique_ptr<dashboard> dashboard_;
  job_durations durations_;
  signal_watch* signals_ = nullptr;

  std::mutex mutex_;
  engine* engine_ = nullptr;            // while a run is under way
  std::optional<telemetry> last_;       // that was seen
  std::atomic<bool> finished_ = false;  // it is of a run that is over

  std::mutex tick_mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread ticker_;
  std::unique_ptr<metrics_server> server_;  // its thread uses what is above
};

}  // namespace nexus::tool
