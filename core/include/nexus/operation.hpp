// The seam between the engine and what it carries. An operation turns a byte
// stream into another one through one or more stages; every stage cuts its
// input into segments, and one segment is one job of a device. The engine
// never learns what the bytes mean, and an operation never sees a device.
//
// One run, in order:
//   prologue()               once; may read the head of the input and write
//   plan()                   once
//   measure()                per record, where the plan says so
//   make_job(), audit(), check()   per stage and segment
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

// Whose results audit() looks at.
enum class audit_scope {
  none,
  // Those of devices that are not processors which this process computes on:
  // their memory, or another process, had the result before we did.
  untrusted,
  all,
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
  // Stand ahead of the stage's input, as if the stream began with them. Not of
  // the first stage, whose input is the source: its prologue can write instead.
  std::vector<std::byte> lead;
  // What a device ends well, without flags, and with n / granule *
  // granule_output bytes, check() accepts as it is, in every segment but the
  // last one and a broken one, as long as it accepted all before. So the last
  // stage's output may be written before check() has seen it.
  bool exact = false;
  // The device operation that its jobs name.
  std::string job;
  // Host memory that a running job takes beside its buffers: counts against
  // the budget, and limits how many run at once.
  std::uint64_t worker_bytes = 0;
  audit_scope audits = audit_scope::none;
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
  // Not 0: the source is a sequence of records, each of which is a segment and
  // begins with this many bytes, from which measure() tells its length.
  // segment_bytes is then the length of the longest; no granule applies.
  std::uint32_t record_head = 0;
};

// A record of the source.
struct record_size {
  std::uint64_t bytes = 0;  // with its head; at most the plan's segment_bytes
  // The stream ends with it: of what the source still has, as many bytes as
  // `bytes` are read, and it may turn out to be shorter.
  bool last = false;
};

// One segment at one stage.
struct segment_view {
  std::uint32_t stage = 0;
  std::uint64_t index = 0;   // number in the stream, from 0
  std::uint64_t offset = 0;  // of its first byte in this stage's input
  // At the first stage, make_job() sees only how many there are: the bytes may
  // not have been read yet, unless they are a record. check() sees them.
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
  // Room for what a device computes and leaves to check() to compare (plugin.h,
  // nexus_job.tags); 0: none.
  std::size_t tags_bytes = 0;
};

// What a device said of a job.
struct job_outcome {
  std::uint64_t output_bytes = 0;
  bool data_error = false;  // the input is at fault, at error_offset
  std::uint64_t error_offset = 0;
  std::uint32_t flags = 0;      // plugin.h, NEXUS_RESULT_*
  std::string_view message;     // the device's words, or empty
  std::span<std::byte> output;  // the whole output buffer
  // What it computed; not empty only with NEXUS_RESULT_TAGS.
  std::span<const std::byte> tags;
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
// engine's, never two calls at a time, but for audit() and a check() that takes
// long. Those on the engine's thread take well under a millisecond.
class NEXUS_API operation {
 public:
  virtual ~operation();

  // Lower-case word for messages and telemetry, such as "encrypt".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  virtual status prologue(prologue_io& io) = 0;
  virtual result<operation_plan> plan(const plan_request& request) = 0;
  // The record that begins with these bytes: plan.record_head of them, or fewer
  // where the source ends, down to none. A failure ends the stream there. By
  // default there are no records: unsupported.
  virtual result<record_size> measure(std::span<const std::byte> head);
  // The first stage's jobs are made as segments are read; a later stage's in
  // order, after the check of the same segment at the stage before.
  virtual result<job_request> make_job(const segment_view& segment) = 0;
  // A closer look at a result that a device calls good. On helper threads, for
  // several segments at once and in any order, also beside the other calls: it
  // must only read what they write. device_failed: the result is wrong, and the
  // job goes to another device; other failures end the stream there. By
  // default, ok.
  virtual status audit(const segment_view& segment, const job_outcome& outcome);
  // In order per stage. May write into outcome.output.
  virtual verdict check(const segment_view& segment,
                        const job_outcome& outcome) = 0;
  // Whether that check() will take more than a millisecond. Then it runs on a
  // helper thread, still in order, but beside make_job() and the other stages'
  // check(). By default, false.
  [[nodiscard]] virtual bool check_takes_long(const segment_view& segment,
                                              const job_outcome& outcome) const;
  virtual status epilogue(prologue_io& io) = 0;
};

}  // namespace nexus
