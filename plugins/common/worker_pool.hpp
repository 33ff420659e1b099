// One thread and one short queue per lane.
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace nexus::common {

class worker_pool {
 public:
  // Runs one job on a lane's own thread; never for one lane twice at a time.
  using run_function =
      std::function<nexus_result(std::uint32_t lane, const nexus_job& job,
                                 const std::atomic<bool>& cancelled)>;

  // Called on a lane's thread that has no job, after nudge(). Returns at once
  // where there is nothing to do, and soon once `wanted` is set: a job waits.
  using idle_function =
      std::function<void(std::uint32_t lane, const std::atomic<bool>& wanted)>;

  struct options {
    std::span<const nexus_lane* const> lanes;  // how each thread is placed
    std::uint32_t depth = 1;                   // jobs a lane holds, >= 1
    const char* thread_name = "";  // up to 9 characters; "-LANE" is appended
    const nexus_host* host = nullptr;  // hears of placements that failed
    run_function run;
    idle_function idle;  // may be empty
  };

  // Starts the threads: under the default scheduling policy even if the caller
  // runs under a real-time one, and with every signal blocked that is not of
  // the thread's own making (SIGSEGV and the like are left). A lane that may
  // not be placed as asked is logged and runs unplaced. NULL if a thread could
  // not be started.
  static std::unique_ptr<worker_pool> start(options wanted);

  // Cancels what is left, runs `done` for it, and joins every thread.
  ~worker_pool();

  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  // Queues a job that stays valid until `done`, which the lane's thread calls
  // with no lock held and with room for the next job already made. NEXUS_OK,
  // NEXUS_E_BUSY (the lane holds `depth` jobs) or NEXUS_E_ARGUMENT.
  std::int32_t submit(std::uint32_t lane, const nexus_job* job, nexus_done done,
                      void* user);

  // Raises the cancel flag of the job, if it is still here.
  void cancel(std::uint64_t job_id);

  // (any thread) Calls `idle` on lanes that have no job, at most so many.
  void nudge(std::size_t lanes);

 private:
  struct lane;

  explicit worker_pool(options wanted);
  bool start_threads();
  void serve(lane& mine);

  const options options_;
  std::vector<std::unique_ptr<lane>> lanes_;
};

}  // namespace nexus::common
