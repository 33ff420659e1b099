// The seam between the engine and what it carries. An operation turns a byte
// stream into another one through one or more stages; every stage cuts its
// input into segments, and one segment is one job of a device. The engine
// never learns what the bytes mean, and an operation never sees a device.
//
// One run, in order:
//   prologue()               once; may read the head of the input and write
//   plan()                   once
//   make_job(), check()      per stage and segment
//   epilogue()               once, after the last segment was accepted
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/export.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus {

// Input for a prologue, output for prologue and epilogue. Its calls block, and
// fail with `cancelled` once the run is stopped.
class prologue_io {
 public:
  // The next bytes of the input, at least `size` of them unless it ends
  // before. Valid until the next call. Takes nothing.
  virtual result<std::span<const std::byte>> peek(std::size_t size) = 0;
  // Takes bytes that were peeked at; what is not taken is the first segment's.
  virtual void consume(std::size_t size) = 0;
  // Appends to the output, ahead of the first segment's.
  virtual status write(std::span<const std::byte> data) = 0;

 protected:
  ~prologue_io() = default;
};

// How a stage cuts and grows its stream. Lengths are bytes.
struct stage_plan {
  // Every segment but the last is a multiple of this; >= 1. A broken one is
  // cut down to that at the first stage, and may be ragged at later ones.
  std::uint32_t granule = 1;
  // A segment of n bytes yields at most ceil(n / granule) * granule_output +
  // extra_output bytes.
  std::uint32_t granule_output = 1;
  std::uint32_t extra_output = 0;
  // Stand ahead of the stage's input, as if the stream began with them.
  std::vector<std::byte> lead;
  // The device operation that its jobs name.
  std::string job;
};

struct plan_request {
  // Bytes left in the source after the prologue, where known.
  std::optional<std::uint64_t> input_bytes;
  // What the engine would like for a segment of the source.
  std::uint64_t segment_bytes = 0;
};

struct operation_plan {
  std::vector<stage_plan> stages;  // at least one
  // Bytes of a segment of the source: rounded down to the first stage's
  // granule, but at least one granule. Fixed by operations whose statement
  // depends on it; others hand plan_request::segment_bytes back.
  std::uint64_t segment_bytes = 0;
  bool segment_bytes_fixed = false;
  // The last segment may be empty although others came before it. Whole
  // granules are then worked on without waiting to learn whether more follows.
  bool empty_end = false;
};

// One segment at one stage.
struct segment_view {
  std::uint32_t stage = 0;
  std::uint64_t index = 0;   // number in the stream, from 0
  std::uint64_t offset = 0;  // of its first byte in this stage's input
  // At the first stage, make_job() sees only how many there are: the bytes may
  // not have been read yet. check() sees them.
  std::span<const std::byte> input;
  bool last = false;    // the stage's input ends with it
  bool broken = false;  // the input failed after these bytes: it has no end
};

struct job_request {
  // The parameter block of the stage's device operation, as plugin.h pins it.
  // Wiped by the engine after use.
  std::vector<std::byte> params;
  // False: no device is asked, and check() gets a result without output.
  bool needed = true;
};

// What a device said of a job.
struct job_outcome {
  std::uint64_t output_bytes = 0;
  bool data_error = false;  // the input is at fault, at error_offset
  std::uint64_t error_offset = 0;
  std::uint32_t flags = 0;      // plugin.h, NEXUS_RESULT_*
  std::span<std::byte> output;  // the whole output buffer
};

enum class verdict_kind {
  accept,    // hand on `output_bytes`, continue
  finish,    // hand on `output_bytes`; the stream ends, `failure` says how
  resubmit,  // the device is not to be trusted with this one: try another
};

struct verdict {
  verdict_kind kind = verdict_kind::accept;
  std::uint64_t output_bytes = 0;
  // For finish: ok only if the segment was the last one.
  status failure;
};

// Threads: prologue and epilogue run on a helper thread, the others on the
// engine's, never two calls at a time. Those on the engine's thread take well
// under a millisecond.
class NEXUS_API operation {
 public:
  virtual ~operation();

  // Lower-case word for messages and telemetry, such as "encrypt".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  virtual status prologue(prologue_io& io) = 0;
  virtual result<operation_plan> plan(const plan_request& request) = 0;
  // The first stage's jobs are made as segments are read; a later stage's in
  // order, after the check of the same segment at the stage before.
  virtual result<job_request> make_job(const segment_view& segment) = 0;
  // In order per stage. May write into outcome.output.
  virtual verdict check(const segment_view& segment,
                        const job_outcome& outcome) = 0;
  virtual status epilogue(prologue_io& io) = 0;
};

}  // namespace nexus
