// What happens to each segment of a run, told as it happens: for traces and
// logs. The numbers of a whole run are in telemetry.hpp.
#pragma once

#include <cstdint>
#include <string>

namespace nexus {

// read: its bytes came from the source, unless a worker reads them itself.
// submitted: it was handed to a worker. working: the worker begins a step of a
// long job, such as a proof. computed: the worker was done with it, well or
// not. written: the sink has it, or counts what a worker wrote.
enum class segment_step { read, submitted, working, computed, written };

// Times are seconds since the run began; for what takes no time, such as
// submitted, they are equal. Valid during the call.
struct segment_event {
  segment_step step = segment_step::read;
  std::uint64_t segment = 0;   // its number in the stream, from 0
  std::uint32_t segments = 1;  // written with one request, from that one on
  double begin_seconds = 0;
  double end_seconds = 0;
  std::uint64_t bytes = 0;  // of the step's input
  // Submitted, working and computed alone.
  std::string job;         // the device operation, such as "age-seal"
  std::string worker;      // "W3": a lane of a CPU; "GPU0": a card
  std::uint32_t lane = 0;  // of the device
  bool ok = true;          // false: it will be done again, or the run fails
  // Working alone: its number, from 1, how many there are, and "quotient".
  std::uint32_t job_step = 0;
  std::uint32_t job_steps = 0;
  std::string job_step_name;
  // Of the run, and of its engine, right after the event.
  std::uint32_t window_used = 0;   // segments in flight
  std::uint64_t buffer_bytes = 0;  // host buffers that exist
};

}  // namespace nexus
