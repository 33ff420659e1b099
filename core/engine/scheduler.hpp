// Picks the device and lane of a job. Pure bookkeeping: no thread, no clock
// and no device of its own, so that tests drive it with virtual time.
#pragma once

#include <cstdint>
#include <nexus/engine.hpp>
#include <nexus/telemetry.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device_health.hpp"
#include "engine/rate_model.hpp"

namespace nexus {

struct scheduler_options {
  schedule_policy policy = schedule_policy::lect;
  std::uint64_t gpu_threshold_bytes = 8ull << 20;
};

struct scheduler_device {
  bool gpu = false;
  std::uint32_t lanes = 1;
  std::uint32_t lane_depth = 1;  // jobs that a lane takes before it is full
};

// What a device can do with one operation. Bytes of job input.
struct scheduler_support {
  std::uint64_t min_bytes = 0;
  std::uint64_t max_bytes = 0;  // 0: no limit
};

struct placement {
  std::uint32_t device = 0;
  std::uint32_t lane = 0;
  // The device has been away: it is to be asked first how it is. withdraw()
  // takes the job back.
  bool probe = false;
};

// What a device says of itself, as far as it is not well.
enum class ailment {
  passing,  // it is to be asked again later
  lost,     // it will never be used again
};

struct schedule_request {
  std::uint32_t operation = 0;  // from operation_id()
  std::uint64_t bytes = 0;
  // Devices that this segment failed on: used only if no other is left.
  std::vector<std::uint32_t> tried;
  // Input bytes of the run that are still to come after this job, where
  // known; near 0, finishing early counts for more than keeping all busy.
  std::optional<std::uint64_t> bytes_to_come;
};

// How a job ended, as far as its device is concerned.
enum class job_end {
  ok,         // done, or the data was at fault
  failed,     // the device's fault: quarantined for a while
  lost,       // the device is gone: quarantined longer
  no_memory,  // backs off shortly
  crashed,    // its process died: backs off, or is quarantined if that repeats
  cancelled,  // says nothing of the device
};

// Seconds on any steady clock; tests pass their own.
using schedule_time = double;

class scheduler {
 public:
  explicit scheduler(scheduler_options options);

  std::uint32_t add_device(const scheduler_device& device);
  // The number of an operation's name; the same for the same name.
  std::uint32_t operation_id(std::string_view name);
  void set_support(std::uint32_t device, std::uint32_t operation,
                   const scheduler_support& support);
  // Segments that a run of this operation may have in flight; 0: unknown. A
  // slow device helps only as long as the window lets the others go on.
  void set_window(std::uint32_t operation, std::uint32_t segments);

  // Only the first of a device's lanes get jobs from now on, at least one; the
  // others finish what they have.
  void set_open_lanes(std::uint32_t device, std::uint32_t lanes);

  // Where to put the job now, counted as queued there. Empty: nothing has room
  // that would not be a loss; ask again after a finish() or at next_change().
  [[nodiscard]] std::optional<placement> place(const schedule_request& request,
                                               schedule_time now);
  // The job placed there has ended. started: when it was placed.
  void finish(const placement& where, std::uint32_t operation,
              std::uint64_t bytes, schedule_time started, schedule_time now,
              job_end end);

  // Takes back a probe that was placed at `started`. True: the device is the
  // last one that is left for this operation.
  bool withdraw(const placement& where, std::uint32_t operation,
                std::uint64_t bytes, schedule_time started, schedule_time now,
                ailment what);

  // A job that ended well proved to be wrong afterwards.
  void blame(std::uint32_t device, std::uint32_t operation, schedule_time now);

  // What such a job should take on this device at most, by what others took;
  // empty where nothing was measured.
  [[nodiscard]] std::optional<double> measured_seconds(
      std::uint32_t device, std::uint32_t operation, std::uint64_t bytes) const;
  [[nodiscard]] bool able(std::uint32_t device, std::uint32_t operation) const;
  // False: no device was ever able to run it.
  [[nodiscard]] bool supported(std::uint32_t operation) const;
  // A job of this size fits some device; false: it will never be placed.
  [[nodiscard]] bool supported(std::uint32_t operation,
                               std::uint64_t bytes) const;
  // When a device comes back from quarantine or back-off, or one that place()
  // preferred to wait for is overdue, if either will be.
  [[nodiscard]] std::optional<schedule_time> next_change(
      schedule_time now) const;
  [[nodiscard]] device_state state(std::uint32_t device,
                                   schedule_time now) const;
  [[nodiscard]] std::uint32_t queued(std::uint32_t device) const;
  // Lanes that have a job.
  [[nodiscard]] std::uint32_t busy_lanes(std::uint32_t device) const;
  // Jobs that all open lanes hold when full.
  [[nodiscard]] std::uint32_t total_depth() const;

 private:
  struct queued_job {
    std::uint32_t operation = 0;
    std::uint64_t bytes = 0;
    schedule_time placed = 0;
    bool probe = false;
  };

  struct lane_entry {
    std::uint32_t queued = 0;
    schedule_time last_end = 0;
  };

  // A device's view of one operation.
  struct skill {
    bool able = false;
    std::uint32_t queued = 0;
    scheduler_support limits;
    rate_model model;
    device_health health;  // of faults that only this operation may have
  };

  struct device_entry {
    scheduler_device spec;
    std::uint32_t open_lanes = 0;  // the first ones, that get jobs
    std::uint32_t queued = 0;
    std::vector<lane_entry> lanes;
    std::vector<queued_job> jobs;  // lane_depth places per lane, oldest first
    std::vector<skill> skills;
    device_health health;
    bool dead = false;

    [[nodiscard]] bool usable() const { return spec.lanes > 0 && !dead; }
    [[nodiscard]] const queued_job* queue(std::uint32_t lane) const {
      return jobs.data() + std::size_t{lane} * spec.lane_depth;
    }
    [[nodiscard]] queued_job* queue(std::uint32_t lane) {
      return jobs.data() + std::size_t{lane} * spec.lane_depth;
    }
  };

  struct operation_entry {
    std::string name;
    std::uint32_t window = 0;
    double mean_bytes = 0;
    std::uint64_t jobs = 0;
    std::uint64_t explored_at = 0;  // value of jobs
    // Measured over prior times, of CPUs and GPUs, for the unmeasured; 0: none.
    double scale[2] = {0, 0};
  };

  // Which devices a job may go to, best rank first; see rank_of().
  enum class rank { fit, small, tried, tried_small, out, none };

  // A lane and when the job would be done there.
  struct offer {
    schedule_time finish = 0;
    placement where;
    std::uint32_t queued = 0;
    bool found = false;
  };

  // One look at all lanes of the candidates.
  struct survey {
    offer room;
    offer full;
    double rate = 0;  // bytes per second of the lanes that have work
    double owed = 0;  // bytes that they could do instead of their backlog
    double rate_of_all = 0;
  };

  [[nodiscard]] rank rank_of(const device_entry& d,
                             const schedule_request& r) const;
  [[nodiscard]] bool active(const device_entry& d,
                            std::uint32_t operation) const;
  [[nodiscard]] bool probing(const device_entry& d,
                             std::uint32_t operation) const;
  [[nodiscard]] static schedule_time until(const device_entry& d,
                                           std::uint32_t op);
  [[nodiscard]] static schedule_time retry_at(const device_entry& d,
                                              std::uint32_t op);
  [[nodiscard]] bool last_usable(std::uint32_t device,
                                 std::uint32_t operation) const;
  void wake_at(schedule_time at, schedule_time now);

  rank collect(const schedule_request& request);
  [[nodiscard]] std::optional<placement> find_probe(
      const schedule_request& request, rank best, schedule_time now) const;
  [[nodiscard]] std::optional<placement> last_resort(
      const schedule_request& request, rank best, schedule_time now);
  [[nodiscard]] std::optional<placement> least_queued(
      std::uint32_t device) const;
  placement enter(const placement& where, const schedule_request& request,
                  schedule_time now, bool probe);
  queued_job leave(const placement& where, std::uint32_t operation,
                   std::uint64_t bytes, schedule_time started,
                   schedule_time now);
  void learn(device_entry& d, const queued_job& j, schedule_time began,
             schedule_time now);

  [[nodiscard]] std::optional<placement> by_threshold(
      const schedule_request& request) const;
  [[nodiscard]] std::optional<placement> from_pool(bool gpu,
                                                   bool idle_only) const;
  [[nodiscard]] std::optional<placement> by_turns();

  [[nodiscard]] std::optional<placement> by_completion(
      const schedule_request& request, schedule_time now);
  [[nodiscard]] std::optional<placement> explore(
      const schedule_request& request, const survey& seen, schedule_time now);
  [[nodiscard]] survey look(const schedule_request& request,
                            schedule_time now) const;
  [[nodiscard]] double expected(const device_entry& d, std::uint32_t operation,
                                std::uint64_t bytes) const;
  [[nodiscard]] double backlog(const device_entry& d, std::uint32_t lane,
                               schedule_time now) const;
  [[nodiscard]] double window_bytes(std::uint32_t operation) const;
  [[nodiscard]] double time_of_others(const schedule_request& request,
                                      const survey& seen) const;
  [[nodiscard]] bool near_end(const schedule_request& request) const;
  [[nodiscard]] schedule_time overdue_at(const survey& seen,
                                         schedule_time now) const;

  scheduler_options options_;
  std::vector<device_entry> devices_;
  std::vector<operation_entry> operations_;
  std::vector<std::uint32_t> candidates_;  // of the place() under way
  schedule_time wake_at_ = 0;
  placement turn_{UINT32_MAX, 0};  // round-robin: where the last job went
};

}  // namespace nexus
