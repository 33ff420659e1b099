#include "engine/run.hpp"

#include <algorithm>
#include <atomic>
#include <stop_token>
#include <utility>

#include "engine/run_segment.hpp"

namespace nexus {
namespace {

constexpr std::uint64_t least_segment = 256u << 10;
constexpr std::uint64_t default_segment = 1u << 20;
constexpr std::uint64_t most_segment = std::uint64_t{1} << 40;

std::uint64_t next_owner() {
  static std::atomic<std::uint64_t> owner = 1;
  return owner.fetch_add(2);  // odd: the source's I/O; even: the sink's
}

}  // namespace

run::run(engine_core& core, operation& work, source from, sink to,
         run_options options, std::function<void(run_report)> done)
    : core_(core),
      work_(work),
      options_(std::move(options)),
      done_(std::move(done)),
      owner_(next_owner()),
      from_(std::move(from)),
      to_(std::move(to)),
      children_(core.executor()),
      started_(now_seconds()) {}

task<void> run::main() {
  const auto self = shared_from_this();
  auto report = std::make_shared<run_report>();
  // Made first, and waited for from the start: later there might be no memory
  // to wait with, and nobody may leave children behind.
  auto joined = children_.join();
  spawn(drive());
  co_await std::move(joined);
  report->outcome = std::move(outcome_);
  report->statistics = snapshot();
  core_.give_back(held_bytes_);
  reader_.reset();
  writer_.reset();
  from_.reset();
  to_.reset();
  options_ = {};  // what the host's callbacks hold goes before the run is over
  try {
    core_.blocking.post([done = done_, report] { done(std::move(*report)); });
  } catch (...) {
    done_(std::move(*report));  // no thread for it
  }
}

// The first child.
task<void> run::drive() {
  // A stop that was requested before is seen at once, on this thread.
  auto forward = [weak = weak_from_this(), executor = core_.executor()] {
    asio::post(executor, [weak] {
      if (const auto alive = weak.lock()) alive->request_stop();
    });
  };
  const std::stop_callback on_stop(options_.stop, std::move(forward));
  try {
    core_.add_run(this);
    outcome_ = co_await execute();
  } catch (...) {
    outcome_ = status_of_current_exception();
    fail(outcome_);
  }
  core_.remove_run(this);
}

void run::request_stop() {
  stop_requested_ = true;
  fail({status_code::cancelled, "stopped"});
}

// The steps of a run, in order. Whatever fails, the children have ended and
// the sink is left as its contract says.
task<status> run::execute() {
  status outcome = co_await begin();
  if (outcome.ok()) {
    if (plan_.record_head != 0)
      spawn(read_records());
    else if (reader_->positional())
      spawn(read_positional());
    else
      spawn(read_sequential());
    spawn(write_in_order());
    co_await children_.join_others();
    finished_.clear();
    outcome = failure_ ? *failure_ : stream_end_;
  }
  if (outcome.ok()) outcome = co_await finish();
  if (!outcome.ok() && writer_) co_await writer_->abandon();
  if (reader_) reader_->leave_at(used_);
  co_return outcome;
}

task<status> run::begin() {
  if (options_.stop.stop_requested())
    co_return status(status_code::cancelled, "stopped");
  auto io = core_.io();
  if (!io.ok()) co_return io.error();
  io_ = *io;
  io_->report(before_.io);
  before_.devices = core_.device_report();
  before_.load = core_.load_report();
  reader_.emplace(std::move(*from_), *io_, core_.blocking, owner_);
  writer_.emplace(std::move(*to_), *io_, core_.blocking, owner_ + 1);
  if (status opened = reader_->open(); !opened.ok()) co_return opened;
  if (status fits = writer_->check(reader_->identity()); !fits.ok())
    co_return fits;
  if (failure_) co_return *failure_;

  status outcome = co_await run_prologue();
  if (outcome.ok()) outcome = co_await prepare();
  co_return failure_ ? *failure_ : outcome;
}

task<status> run::run_prologue() {
  prologue_bridge head(core_.executor(), &*reader_);
  auto prologue = [this, &head] {
    return guarded([&] {
      // Before anything is asked or written.
      status found = core_.loader.check_directories();
      if (!found.ok()) return found;
      (void)core_.machine();  // takes milliseconds where there are many cores
      return work_.prologue(head);
    });
  };
  status outcome = co_await core_.prologues.run(prologue);
  prologue_bytes_ = used_ = head.consumed();
  prologue_output_.assign(head.output().begin(), head.output().end());
  if (!reader_->positional()) {
    unread_.assign(head.unread().begin(), head.unread().end());
    source_ended_ = head.at_end();
    input_bytes_ = unread_.size();
  }
  co_return outcome;
}

task<status> run::prepare() {
  plan_request request;
  request.segment_bytes = core_.options.segment_bytes.value_or(default_segment);
  if (reader_->size())
    request.input_bytes =
        *reader_->size() - std::min(*reader_->size(), prologue_bytes_);
  auto plan = work_.plan(request);
  if (!plan.ok()) co_return plan.error();
  plan_ = std::move(*plan);
  if (plan_.stages.empty() || plan_.segment_bytes == 0)
    co_return status(status_code::internal,
                     std::string(work_.name()) + " has no stages");
  for (const auto& stage : plan_.stages)
    if (stage.granule == 0)
      co_return status(status_code::internal,
                       std::string(work_.name()) + " has a granule of 0");
  if (!plan_.stages.front().lead.empty())
    co_return status(
        status_code::internal,
        std::string(work_.name()) + " has a lead ahead of its first stage");
  if (plan_.segment_bytes > most_segment)
    co_return status(status_code::invalid_argument,
                     "segments of " + std::to_string(plan_.segment_bytes) +
                         " bytes are too large");
  const auto smallest =
      make_layout(plan_, plan_.stages.front().granule, reads_in_place());
  std::uint64_t worker = 0;
  for (const auto& stage : plan_.stages)
    worker = std::max(worker, stage.worker_bytes);
  auto profile = core_.profile_for(smallest.working_set, worker);
  if (profile.ok()) profile = core_.profile_for(smallest.working_set);
  if (!profile.ok()) co_return profile.error();
  for (const auto& stage : plan_.stages) {
    turns_.push_back(std::make_unique<turnstile>());
    carry_.push_back(stage.lead);
    offset_.push_back(0);
  }
  status found = co_await find_devices();
  if (!found.ok()) co_return found;
  auto layout = choose_layout();
  if (!layout.ok()) co_return layout.error();
  layout_ = std::move(*layout);
  status fits = check_jobs();
  if (!fits.ok()) co_return fits;
  adapt();
  tell_setup();
  co_return status{};
}

task<status> run::find_devices() {
  // What else there is comes in while the CPU is at work already.
  co_await core_.open_devices(false);
  if (core_.wants_all_devices(reader_->size())) spawn(core_.open_devices(true));
  for (const auto& stage : plan_.stages) {
    core_.learn_support(stage.job);
    const auto id = core_.scheduler.operation_id(stage.job);
    operation_ids_.push_back(id);
    if (!core_.scheduler.supported(id)) co_await core_.open_devices(true);
    if (core_.scheduler.supported(id)) continue;
    const auto& backend = core_.options.backend;
    co_return status(
        status_code::no_device,
        (backend.empty() ? "no plugin" : "no device of backend " + backend) +
            " can run \"" + stage.job + "\"",
        core_.open_problem().empty()
            ? "`nexus-pipe plugins --why` tells what was found"
            : core_.open_problem());
  }
  co_return status{};
}

// Segments as large as was asked for, unless the input is small or the budget
// would leave the workers idle; then smaller ones, down to one granule.
result<segment_layout> run::choose_layout() {
  const std::uint64_t granule = plan_.stages.front().granule;
  const bool memory = reads_in_place();
  std::uint64_t size =
      std::max(plan_.segment_bytes / granule, std::uint64_t{1});
  const std::uint64_t workers = core_.workers_for(operation_ids_);
  auto layout = make_layout(plan_, size * granule, memory);
  if (!plan_.segment_bytes_fixed && !core_.options.segment_bytes) {
    // Large enough for the GPUs that are there already; those that come later
    // have to take what there is.
    size = std::max(size, core_.preferred_bytes(operation_ids_) / granule);
    const std::uint64_t least = ceil_div(least_segment, granule);
    if (reader_->size()) {
      const auto share = ceil_div(*reader_->size(), 4 * workers * granule);
      size = std::min(size, std::max(share, std::min(size, least)));
    }
    layout = make_layout(plan_, size * granule, memory);
    while (size > 1 &&
           core_.budget_bytes() / layout.working_set < 2 * workers + 2) {
      size = (size + 1) / 2;
      layout = make_layout(plan_, size * granule, memory);
    }
  }
  // No larger than what some device takes, at each stage.
  while (!devices_take(layout)) {
    if (size == 1 || plan_.segment_bytes_fixed)
      return status(status_code::no_device,
                    "no device takes segments of " +
                        std::to_string(layout.segment_bytes) + " bytes");
    size = (size + 1) / 2;
    layout = make_layout(plan_, size * granule, memory);
  }
  auto profile = core_.profile_for(layout.working_set);
  if (!profile.ok()) return profile.error();
  return layout;
}

// Records are put together in a buffer.
bool run::reads_in_place() const {
  return reader_->memory().has_value() && plan_.record_head == 0;
}

bool run::devices_take(const segment_layout& layout) const {
  for (std::size_t i = 0; i < layout.stages.size(); ++i)
    if (!core_.scheduler.supported(operation_ids_[i],
                                   layout.stages[i].max_input))
      return false;
  return true;
}

task<status> run::finish() {
  prologue_bridge tail(core_.executor(), nullptr);
  auto epilogue = [this, &tail] {
    return guarded([&] { return work_.epilogue(tail); });
  };
  status outcome = co_await core_.blocking.run(epilogue);
  if (!outcome.ok()) co_return outcome;
  if (failure_) co_return *failure_;
  const byte_view trailer = tail.output();
  const std::span<const byte_view> parts(&trailer, 1);
  outcome = co_await writer_->write(parts);
  if (!outcome.ok()) co_return failure_ ? *failure_ : outcome;
  co_return co_await writer_->commit();
}

void run::fail(status why) {
  if (failure_) return;
  failure_ = std::move(why);
  stop_reading();
  if (writer_) writer_->cancel();
  for (auto& turn : turns_) turn->open();
  for (auto& device : core_.devices) device->cancel(owner_);
  core_.lanes_changed.notify_all();
  delivered_.notify_all();
}

void run::stop_reading() {
  reading_stopped_ = true;
  if (reader_) reader_->cancel();
  slot_freed_.notify_all();
  core_.budget_changed.notify_all();
}

void run::tick() {
  if (options_.progress && !std::exchange(progress_busy_, true))
    spawn(report_progress());
}

// A child like the others: the host's callback has returned before the run has.
task<void> run::report_progress() {
  auto call = [this, now = snapshot()] {
    return guarded([&] {
      options_.progress(now);
      return status{};
    });
  };
  status outcome = co_await core_.blocking.run(call);
  progress_busy_ = false;
  if (!outcome.ok()) fail(outcome);
}

telemetry run::snapshot() const {
  telemetry t;
  t.operation = work_.name();
  t.elapsed_seconds = now_seconds() - started_;
  if (reader_) {
    t.input_total_bytes = reader_->size();
    t.io.callback_reads = reader_->callback_reads();
  }
  t.input_bytes = prologue_bytes_ + input_bytes_;
  if (writer_) {
    t.output_bytes = writer_->bytes_written();
    t.io.callback_writes = writer_->callback_writes();
    t.io.lane_writes = writer_->lane_writes();
  }
  t.segments = segments_;
  t.retries = retries_;
  t.queued_jobs = lane_queue_.size();
  t.segment_bytes = layout_.segment_bytes;
  t.window = layout_.working_set ? core_.window_for(layout_.working_set) : 0;
  t.window_used = slots_;
  t.window_peak = peak_slots_;
  t.budget_bytes = core_.budget_bytes();
  t.load = core_.load_report();
  t.load.readings -= before_.load.readings;
  t.load.shrinks -= before_.load.shrinks;
  t.load.growths -= before_.load.growths;
  t.buffer_bytes = core_.buffers.bytes();
  t.buffer_peak_bytes = core_.buffers.peak_bytes();
  if (io_ != nullptr) io_->report(t.io);
  t.io.uring_reads -= before_.io.uring_reads;
  t.io.uring_writes -= before_.io.uring_writes;
  t.io.thread_reads -= before_.io.thread_reads;
  t.io.thread_writes -= before_.io.thread_writes;
  t.io.lane_reads = lane_reads_;
  t.stalls = stalls_;
  core_.beat.report(t);
  t.unopened = core_.unopened();
  t.devices = core_.device_report();
  for (const auto& each : t.devices) t.queued_jobs += each.queued_jobs;
  for (std::size_t i = 0; i < before_.devices.size(); ++i) {
    t.devices[i].jobs -= before_.devices[i].jobs;
    t.devices[i].failed_jobs -= before_.devices[i].failed_jobs;
    t.devices[i].input_bytes -= before_.devices[i].input_bytes;
    t.devices[i].busy_seconds -= before_.devices[i].busy_seconds;
    t.devices[i].quarantines -= before_.devices[i].quarantines;
    t.devices[i].restarts -= before_.devices[i].restarts;
  }
  return t;
}

}  // namespace nexus
