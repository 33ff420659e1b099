// A segment on its way through a run. Private to the run's own files.
#pragma once

#include <nexus/secret.hpp>

#include "async/exception.hpp"
#include "engine/run.hpp"

namespace nexus {

// Holds a slot of the window and the buffers of the stage it is at. The slot
// is given back when the last reference goes, which is after the write.
struct run::segment {
  // The working set has been reserved.
  explicit segment(run& r) noexcept : owner(r) {
    ++owner.slots_;
    ++owner.ahead_;
  }
  ~segment() {
    wipe(job.params);
    wipe(tags);
    input.reset();
    output.reset();
    if (waiting_for_device) --owner.ahead_;
    --owner.slots_;
    owner.core_.release(owner.layout_.working_set);
    owner.slot_freed_.notify_all();
  }
  segment(const segment&) = delete;
  segment& operator=(const segment&) = delete;

  // It has been handed to a device: the reader may go on.
  void submitted() {
    if (!waiting_for_device) return;
    waiting_for_device = false;
    --owner.ahead_;
    owner.slot_freed_.notify_all();
  }

  [[nodiscard]] bool ends() const noexcept { return last || broken; }

  // What the stage does with it: a job of a device and a check; a check alone;
  // or nothing, since no whole granule is there yet.
  enum class step { job, check, skip };

  run& owner;
  std::uint64_t index = 0;
  std::uint64_t offset = 0;      // of data, in the stage's input
  std::uint64_t source_end = 0;  // position in the source after it
  buffer input;                  // behind data
  byte_span data;                // what the stage works on; then what it made
  buffer output;
  byte_span room;       // of output, where the stage may write
  bool last = false;    // the stream ends with it
  bool broken = false;  // the stream fails after it, for this reason:
  status failure;
  bool waiting_for_device = true;
  bool unread = false;     // the bytes of data are still to come
  bool shortened = false;  // they came, but not all
  bool filled = false;     // by the device that has the job now: `got` tells
  source_reader::outcome got;
  std::uint64_t written = 0;     // bytes of output, by the lane that made it,
  std::uint64_t written_at = 0;  // at this offset of the file

  segment_event working;  // what is told of the job's steps
  step todo = step::job;
  job_request job;
  bytes tags;  // that the job's device computed
  device_result result;
  status audit;                      // what it said, unless to try elsewhere
  bool audited = false;              // on the lane, where it takes place there
  bool drains = false;               // its lane may write what is sound
  std::uint32_t stage = 0;           // of the job that a lane audits
  std::uint32_t device = 0;          // that made the result
  std::vector<std::uint32_t> tried;  // devices that failed this stage's job
  std::uint32_t failures = 0;
  std::uint32_t deaths = 0;             // of processes that had it
  std::uint32_t starved = 0;            // times that it had no memory, alone
  std::vector<std::uint32_t> accusers;  // GPUs that called the data bad
};

// Failures of one segment's job, over all devices. More would hide a defect.
inline constexpr std::uint32_t max_failures = 8;

// Adds the seconds since a point in time to a counter.
class stall_timer {
 public:
  explicit stall_timer(double& total) : total_(total), begin_(now_seconds()) {}
  ~stall_timer() { total_ += now_seconds() - begin_; }
  stall_timer(const stall_timer&) = delete;
  stall_timer& operator=(const stall_timer&) = delete;

 private:
  double& total_;
  const double begin_;
};

template <class Child>
void run::spawn(Child child) {
  children_.spawn(std::move(child), [this](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (...) {
      fail(status_of_current_exception());
    }
  });
}

}  // namespace nexus
