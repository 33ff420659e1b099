// The computing part of a run: jobs through devices.
#include <algorithm>
#include <utility>

#include "engine/run_segment.hpp"
#include "hwinfo/size.hpp"

namespace nexus {
namespace {

// Times that a job may find no memory although no other is at work.
constexpr std::uint32_t most_starved = 3;
// Helper processes that died with one job.
constexpr std::uint32_t max_deaths = 8;

job_end end_of(const device_result& result, bool stopped) {
  switch (result.status) {
    case NEXUS_OK:
    case NEXUS_E_DATA:
      return job_end::ok;
    case NEXUS_E_NO_MEMORY:
    case NEXUS_E_BUSY:
      return job_end::no_memory;
    case NEXUS_E_LOST:
      return job_end::lost;
    case worker_died:
      return job_end::crashed;
    case NEXUS_E_CANCELLED:
    case NEXUS_E_IO:
      return stopped ? job_end::cancelled : job_end::failed;
    default:
      return job_end::failed;
  }
}

}  // namespace

// What a failed read cut short has no end to stand for: whole granules are
// worked on, and the failure follows them.
void run::take_input(segment& mine, source_reader::outcome got) {
  mine.unread = false;
  input_bytes_ += got.bytes;
  if (got.failure.ok()) return;
  const std::size_t granule = plan_.stages.front().granule;
  mine.data = mine.data.first(got.bytes / granule * granule);
  mine.last = false;
  mine.broken = true;
  mine.failure = std::move(got.failure);
}

task<void> run::read_own_bytes(segment& mine) {
  const stall_timer timer(stalls_.read);
  const double begin = now_seconds();
  auto got =
      co_await reader_->read_at(prologue_bytes_ + mine.offset, mine.data);
  take_input(mine, std::move(got));
  tell_read(mine, begin);
}

// On a thread of the device's, which is about to use the bytes.
std::int32_t run::read_on_lane(void* context) {
  auto& mine = *static_cast<segment*>(context);
  const run& owner = mine.owner;
  try {
    mine.got = owner.reader_->read_here(owner.prologue_bytes_ + mine.offset,
                                        mine.data);
  } catch (const std::bad_alloc&) {
    return NEXUS_E_NO_MEMORY;  // of a message: the read is tried again
  }
  mine.filled = true;
  return mine.got.failure.ok() ? NEXUS_OK : NEXUS_E_IO;
}

// One of the jobs that may run at once, for their memory, until it was audited;
// and its place in the scheduler, until that was told how the job ended.
class run::job_slot {
 public:
  job_slot(run& owner, std::uint32_t stage, const placement& where,
           std::uint64_t size) noexcept
      : owner_(owner), stage_(stage), where_(where), size_(size) {}
  ~job_slot() {
    if (placed_) {
      const double now = now_seconds();
      owner_.core_.scheduler.finish(where_, owner_.operation_ids_[stage_],
                                    size_, now, now, job_end::cancelled);
    }
    --owner_.limits_[stage_].running;
    --owner_.running_;
    owner_.core_.lanes_changed.notify_all();
  }
  job_slot(const job_slot&) = delete;
  job_slot& operator=(const job_slot&) = delete;

  // The scheduler knows.
  void told() noexcept { placed_ = false; }

 private:
  run& owner_;
  const std::uint32_t stage_;
  const placement where_;
  const std::uint64_t size_;
  bool placed_ = true;
};

// Runs the job on one device after the other until one is through with it.
task<bool> run::run_job(segment& mine, std::uint32_t stage) {
  for (;;) {
    const auto where = co_await next_lane(mine, stage);
    if (!where) co_return false;
    job_slot slot(*this, stage, *where, mine.data.size());
    if (where->probe) {
      const bool fit = co_await well(mine, *where, stage, now_seconds());
      if (!fit) slot.told();
      if (!fit && failure_) co_return false;
      if (!fit) continue;
    }
    const bool fills = core_.fills(where->device, operation_ids_[stage]);
    if (mine.unread && !fills) {
      co_await read_own_bytes(mine);
      mine.shortened = mine.broken;
    }
    mine.submitted();
    mine.device = where->device;
    nexus_job job = job_of(mine, stage);
    co_await import_buffers(mine, operation_ids_[stage], job);
    const double started = now_seconds();
    tell_job(segment_step::submitted, mine, stage, *where, started);
    mine.filled = false;
    mine.written = 0;
    mine.drains = drains(mine, stage);
    mine.audited = false;
    if (audits_on_lane(mine.device, stage)) {
      mine.stage = stage;
      job.drain = &run::audit_on_lane;
      job.drain_context = &mine;
    } else if (mine.drains) {
      job.drain = &run::write_on_lane;
      job.drain_context = &mine;
    }
    watch_steps(mine, stage, *where, job);
    if (!mine.shortened && !failure_) {
      device& chosen = *core_.devices[where->device];
      const double patience = core_.patience_for(
          where->device, operation_ids_[stage], job.input_bytes);
      mine.result = co_await chosen.submit(where->lane, job, owner_, patience);
    } else {
      mine.result = {};
      mine.result.status = NEXUS_E_CANCELLED;
    }
    stalls_.compute += now_seconds() - started;
    if (mine.filled) {
      ++lane_reads_;
      take_input(mine, std::move(mine.got));
      mine.shortened = mine.broken;
    }
    distrust(mine, job);
    if (mine.result.status != NEXUS_OK) mine.written = 0;
    slot.told();
    account(*where, stage, job.input_bytes, started, mine);
    tell_job(segment_step::computed, mine, stage, *where, started);
    if (failure_) co_return false;
    if (mine.shortened) co_return true;
    if (mine.result.status == NEXUS_OK && audits(mine.device, stage)) {
      if (!mine.audited) co_await audit(mine, stage);
      const bool sound = heed_audit(mine, stage);
      if (failure_) co_return false;
      if (!sound) {
        if (!note_failure(mine, *where, mine.result)) co_return false;
        continue;
      }
    }
    if (mine.result.status == NEXUS_OK) {
      // Whoever said that this cannot be opened was wrong.
      for (const auto accuser : mine.accusers) blame(accuser, stage);
      co_return true;
    }
    if (starved(mine)) {
      if (!run_fewer(mine, stage)) co_return false;
      continue;
    }
    if (convicted(mine)) co_return true;
    if (!note_failure(mine, *where, mine.result)) co_return false;
  }
}

job_outcome run::outcome_of(const segment& mine) const {
  job_outcome outcome;
  outcome.output_bytes = mine.result.output_bytes;
  outcome.data_error = mine.result.status == NEXUS_E_DATA;
  outcome.error_offset = mine.result.error_offset;
  outcome.flags = mine.result.flags;
  outcome.message = mine.result.message;
  outcome.output = mine.room;
  if ((outcome.flags & NEXUS_RESULT_TAGS) != 0)
    outcome.tags = byte_view(mine.tags).first(mine.result.tags_bytes);
  return outcome;
}

bool run::audits(std::uint32_t device, std::uint32_t stage) const {
  const audit_scope whose = plan_.stages[stage].audits;
  return whose == audit_scope::all ||
         (whose == audit_scope::untrusted && !core_.devices[device]->trusted());
}

// The thread that waits for a helper process has time to look at what it made.
bool run::audits_on_lane(std::uint32_t device, std::uint32_t stage) const {
  return core_.devices[device]->remote() && audits(device, stage);
}

// On a thread of the device's, ahead of `done`.
void run::audit_on_lane(void* context, std::uint64_t output_bytes,
                        std::uint32_t flags) {
  auto& mine = *static_cast<segment*>(context);
  run& owner = mine.owner;
  // With tags there is more to the outcome.
  if (output_bytes > mine.room.size() || (flags & NEXUS_RESULT_TAGS) != 0)
    return;
  job_outcome outcome;
  outcome.output_bytes = output_bytes;
  outcome.flags = flags;
  outcome.output = mine.room;
  const segment_view view = owner.view_of(mine, mine.stage);
  mine.audit = guarded([&] { return owner.work_.audit(view, outcome); });
  mine.audited = true;
  if (mine.audit.ok() && mine.drains)
    write_on_lane(context, output_bytes, flags);
}

task<void> run::audit(segment& mine, std::uint32_t stage) {
  auto look = [this, view = view_of(mine, stage), outcome = outcome_of(mine)] {
    return guarded([&] { return work_.audit(view, outcome); });
  };
  mine.audit = co_await core_.blocking.run(look);
}

// False: the result is wrong, and another device is to try.
bool run::heed_audit(segment& mine, std::uint32_t stage) {
  if (mine.audit.code() != status_code::device_failed) return true;
  mine.result.status = NEXUS_E_DEVICE;
  mine.result.message = mine.audit.message();
  mine.audit = {};
  mine.written = 0;
  blame(mine.device, stage);
  return false;
}

// Whether the device is fit for a probe. If not, the job is taken back; where
// none but this device is left, that counts as a failure of the job.
task<bool> run::well(segment& mine, const placement& where, std::uint32_t stage,
                     double placed) {
  std::string words;
  const std::int32_t code = co_await core_.ask_health(where.device, words);
  if (code == NEXUS_OK) co_return true;
  const bool last = core_.scheduler.withdraw(
      where, operation_ids_[stage], mine.data.size(), placed, now_seconds(),
      code == NEXUS_E_LOST ? ailment::lost : ailment::passing);
  core_.lanes_changed.notify_all();
  if (last && ++mine.failures >= max_failures)
    fail({status_code::device_failed,
          "segment " + std::to_string(mine.index) + " waited for " +
              core_.devices[where.device]->id() + " in vain: " + words,
          "`nexus-pipe devices` shows them; --backend picks one"});
  co_return false;
}

task<void> run::import_buffers(const segment& mine, std::uint32_t operation,
                               nexus_job& job) {
  job.output_import =
      co_await core_.import_of(mine.device, operation, mine.output);
  // The input is a buffer of ours unless the source is memory.
  job.input_import =
      co_await core_.import_of(mine.device, operation, mine.input);
}

status run::no_device_for(std::uint64_t size) const {
  std::string text =
      "no device takes a segment of " + std::to_string(size) + " bytes";
  for (const auto& each : core_.device_report())
    if (each.state == device_state::dead)
      text += "; " + each.id + " is gone: " + each.last_error;
  return {status_code::no_device, std::move(text)};
}

// A device that says it is done, but cannot be.
void run::distrust(segment& mine, const nexus_job& job) {
  auto& result = mine.result;
  if (result.status != NEXUS_OK && result.status != NEXUS_E_DATA) return;
  if (result.output_bytes > job.output_capacity)
    result.message = "it claims more output than there is room for";
  else if (result.tags_bytes > job.tags_capacity)
    result.message = "it claims more tags than there is room for";
  else if (mine.unread)
    result.message = "it did not take the input that it was to read";
  else
    return;
  result.status = NEXUS_E_DEVICE;
}

void run::blame(std::uint32_t device, std::uint32_t stage) {
  core_.scheduler.blame(device, operation_ids_[stage], now_seconds());
  auto& counts = core_.device_counts[device];
  ++counts.failed_jobs;
  counts.last_error = "its result proved to be wrong";
  core_.log("[" + core_.worker_name(device, 0) + "] " + counts.id + ": " +
            counts.last_error);
  core_.note_state(device);
}

nexus_job run::job_of(segment& mine, std::uint32_t stage) {
  nexus_job job{};
  job.size = sizeof job;
  job.operation = plan_.stages[stage].job.c_str();
  job.input = u8(mine.data.data());
  job.input_bytes = mine.data.size();
  job.output = u8(mine.room.data());
  job.output_capacity = mine.room.size();
  job.params = mine.job.params.data();
  job.params_bytes = static_cast<std::uint32_t>(mine.job.params.size());
  if (!mine.tags.empty()) {
    job.tags = u8(mine.tags.data());
    job.tags_capacity = mine.tags.size();
  }
  if (mine.unread) {
    job.fill = &run::read_on_lane;
    job.fill_context = &mine;
  }
  return job;
}

// Whether the data is at fault. The word of one GPU, or of one helper process,
// alone does not do: memory that went wrong there looks the same.
bool run::convicted(segment& mine) {
  if (mine.result.status != NEXUS_E_DATA) return false;
  const bool only_one = core_.devices.size() == 1;
  const bool trusted = core_.devices[mine.device]->trusted();
  if (trusted || only_one || !mine.accusers.empty()) return true;
  mine.accusers.push_back(mine.device);
  return false;
}

bool run::may_run(std::uint32_t stage) const {
  const job_limit& limit = limits_[stage];
  const std::uint64_t each = plan_.stages[stage].worker_bytes;
  return limit.running < limit.most && running_ < bearable_ &&
         (each == 0 || core_.has_room_for_job(each));
}

task<std::optional<placement>> run::next_lane(const segment& mine,
                                              std::uint32_t stage) {
  const stall_timer timer(stalls_.device);
  schedule_request request;
  request.operation = operation_ids_[stage];
  request.bytes = mine.data.size();
  request.tried = mine.tried;
  if (reader_->size())
    request.bytes_to_come =
        *reader_->size() - std::min(*reader_->size(), mine.source_end);
  // Older segments go first: one that is overtaken again and again would hold
  // up the output while the window fills behind it.
  const auto ticket = lane_queue_.emplace(mine.index, stage).first;
  std::optional<placement> where;
  while (!failure_) {
    if (!core_.scheduler.supported(request.operation, request.bytes)) {
      fail(no_device_for(request.bytes));
      break;
    }
    if (ticket == lane_queue_.begin() && may_run(stage))
      where = core_.scheduler.place(request, now_seconds());
    if (where) break;
    core_.arm_lane_timer();
    co_await core_.lanes_changed.wait();
  }
  lane_queue_.erase(ticket);
  if (where) {
    ++limits_[stage].running;
    ++running_;
  }
  if (!lane_queue_.empty()) core_.lanes_changed.notify_all();
  co_return where;
}

void run::account(const placement& where, std::uint32_t stage,
                  std::uint64_t size, double started, const segment& mine) {
  const double now = now_seconds();
  const device_result& result = mine.result;
  const bool not_its_fault = failure_.has_value() || mine.shortened;
  const job_end end = end_of(result, not_its_fault);
  core_.scheduler.finish(where, operation_ids_[stage], size, started, now, end);
  core_.lanes_changed.notify_all();
  auto& counts = core_.device_counts[where.device];
  ++counts.jobs;
  counts.busy_seconds += now - started;
  counts.input_bytes += size;
  if (end == job_end::ok || end == job_end::cancelled)
    return core_.note_state(where.device);
  ++counts.failed_jobs;
  counts.last_error = result.message;
  core_.log("[" + core_.worker_name(where.device, where.lane) + "] segment " +
            std::to_string(mine.index) + " failed on " + counts.id + ": " +
            result.message);
  core_.note_state(where.device);
}

// Whether its job ended for want of the memory that all jobs share. A card's
// memory is its own: another device goes on while it pauses.
bool run::starved(const segment& mine) const {
  const bool own =
      core_.devices[mine.device]->gpu() && core_.devices.size() > 1;
  return mine.result.status == NEXUS_E_NO_MEMORY && !own;
}

// For the rest of the run one job less runs at once, so that this one waits for
// another to end. False: it was the only one, time and again.
bool run::run_fewer(segment& mine, std::uint32_t stage) {
  ++retries_;
  if (running_ > 1) {
    bearable_ = std::max(std::min(running_, bearable_), 2u) - 1;
    core_.log("segment " + std::to_string(mine.index) +
              " found no memory: from here on at most " +
              std::to_string(bearable_) + " at once");
    return true;
  }
  if (++mine.starved < most_starved) return true;
  fail({status_code::out_of_memory,
        "segment " + std::to_string(mine.index) + " found no memory, " +
            std::to_string(mine.starved) + " times with no other at work: it " +
            "takes " +
            hwinfo::size_text(layout_.working_set +
                              plan_.stages[stage].worker_bytes) +
            "; last on " + core_.devices[mine.device]->id() + ": " +
            mine.result.message,
        "allow more memory, free some, or make the segments smaller"});
  return false;
}

// False: enough is enough.
bool run::note_failure(segment& mine, const placement& where,
                       const device_result& result) {
  ++retries_;
  if (result.status == NEXUS_E_BUSY) return true;  // ask again, that is all
  if (result.status == worker_died) {
    // Of whatever: the next one may do it.
    if (++mine.deaths <= max_deaths) return true;
    fail({status_code::device_failed,
          "segment " + std::to_string(mine.index) + " was lost with " +
              std::to_string(mine.deaths) + " processes, last of " +
              core_.devices[where.device]->id() + ": " + result.message,
          "--isolate=none runs without processes of their own"});
    return false;
  }
  mine.tried.push_back(where.device);
  if (++mine.failures < max_failures) return true;
  fail({status_code::device_failed,
        "segment " + std::to_string(mine.index) + " failed " +
            std::to_string(mine.failures) + " times, last on " +
            core_.devices[where.device]->id() + ": " + result.message,
        "`nexus-pipe devices` shows them; --backend picks one"});
  return false;
}

}  // namespace nexus
