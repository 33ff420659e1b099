// The way of a segment through the stages of a run: its job at each of them,
// the check in order, and what is carried over to the next stage.
#include <algorithm>
#include <nexus/secret.hpp>
#include <utility>

#include "engine/run_segment.hpp"

namespace nexus {

task<void> run::process(segment_ptr mine) {
  for (std::uint32_t stage = 0; stage < plan_.stages.size(); ++stage) {
    const bool go_on = co_await run_stage(*mine, stage);
    if (!go_on) co_return;
  }
  deliver(std::move(mine));
}

// False: the segment is of no use any more.
task<bool> run::run_stage(segment& mine, std::uint32_t stage) {
  if (failure_) co_return false;
  if (stage == 0 && !make_job(mine, stage)) co_return false;
  if (mine.unread && mine.todo != segment::step::job)
    co_await read_own_bytes(mine);
  while (mine.todo == segment::step::job) {
    const bool done = co_await run_job(mine, stage);
    if (!done) co_return false;
    if (!std::exchange(mine.shortened, false)) break;
    // The bytes ended early: the job is another one now.
    if (!make_job(mine, stage)) co_return false;
  }
  mine.submitted();
  {
    const stall_timer timer(stalls_.reorder);
    const bool my_turn = co_await turns_[stage]->wait(mine.index);
    if (!my_turn) co_return false;
  }
  if (mine.todo != segment::step::skip) {
    const bool good = co_await check(mine, stage);
    if (!good) co_return false;
  }
  const bool last_stage = stage + 1 == plan_.stages.size();
  if (!last_stage && !connect(mine, stage + 1)) co_return false;
  if (mine.ends()) {
    // Whatever was read beyond the end is not part of the stream.
    stop_reading();
    turns_[stage]->open();
  } else {
    turns_[stage]->advance();
  }
  co_return true;
}

segment_view run::view_of(const segment& mine, std::uint32_t stage) const {
  segment_view view;
  view.stage = stage;
  view.index = mine.index;
  view.offset = mine.offset;
  view.input = mine.data;
  view.last = mine.last;
  view.broken = mine.broken;
  return view;
}

// Asks the operation for the job and takes memory for its output.
bool run::make_job(segment& mine, std::uint32_t stage) {
  // A source that failed between two segments: nothing to work on, but the
  // failure goes through the stages as if there were.
  const bool empty = stage == 0 && mine.broken && mine.data.empty();
  if (!empty) {
    auto made = work_.make_job(view_of(mine, stage));
    if (!made.ok()) {
      fail(made.error());
      return false;
    }
    wipe(mine.job.params);
    mine.job = std::move(*made);
  }
  mine.todo = segment::step::job;
  if (empty) mine.todo = segment::step::skip;
  if (!empty && !mine.job.needed) mine.todo = segment::step::check;
  mine.result = {};
  mine.tags.resize(mine.job.tags_bytes);
  mine.audit = {};
  mine.tried.clear();
  mine.failures = 0;
  mine.deaths = 0;
  mine.starved = 0;
  mine.accusers.clear();
  const stage_layout& layout = layout_.stages[stage];
  mine.output = core_.buffers.take(layout.output_buffer(), buffer_use::output);
  if (!mine.output) {
    fail({status_code::out_of_memory, "out of memory for a segment's output",
          "a smaller memory budget or smaller segments may help"});
    return false;
  }
  mine.room = {mine.output.data() + layout.headroom,
               static_cast<std::size_t>(layout.max_output)};
  if (empty) accept(mine, 0);
  return true;
}

task<verdict> run::judge(const segment& mine, std::uint32_t stage) {
  const segment_view view = view_of(mine, stage);
  const job_outcome outcome = outcome_of(mine);
  if (!work_.check_takes_long(view, outcome))
    co_return work_.check(view, outcome);
  auto look = [this, &view, &outcome] {
    return guarded(
        [&]() -> result<verdict> { return work_.check(view, outcome); });
  };
  result<verdict> said = co_await core_.blocking.run(look);
  if (said.ok()) co_return std::move(*said);
  fail(said.error());
  co_return verdict{};
}

// In the stage's turn. What the operation accepts becomes the data.
task<bool> run::check(segment& mine, std::uint32_t stage) {
  for (;;) {
    verdict said{verdict_kind::finish, 0, mine.audit};
    if (mine.audit.ok()) said = co_await judge(mine, stage);
    if (failure_) co_return false;
    if (said.kind == verdict_kind::resubmit) {
      ++retries_;
      blame(mine.device, stage);
      mine.tried.push_back(mine.device);
      if (++mine.failures >= max_failures) {
        fail({status_code::device_failed,
              "segment " + std::to_string(mine.index) +
                  " was refused by its check on every device"});
        co_return false;
      }
      const bool done = co_await run_job(mine, stage);
      if (!done) co_return false;
      continue;
    }
    wipe(mine.job.params);
    mine.job.params.clear();
    if (said.output_bytes > mine.room.size()) {
      fail(
          {status_code::internal, "the operation hands on more than there is"});
      co_return false;
    }
    if (said.kind == verdict_kind::finish && !said.failure.ok()) {
      mine.last = false;
      mine.broken = true;
      mine.failure = std::move(said.failure);
    }
    accept(mine, said.output_bytes);
    co_return true;
  }
}

// The output so far is what the next stage, or the sink, works on.
void run::accept(segment& mine, std::uint64_t output_bytes) {
  mine.data = mine.room.first(output_bytes);
  mine.input = std::move(mine.output);
}

// In the turn of the stage before: what earlier segments left over goes ahead
// of the data, and what does not fill a granule is left for later ones.
bool run::connect(segment& mine, std::uint32_t stage) {
  bytes& carry = carry_[stage];
  const std::uint32_t granule = plan_.stages[stage].granule;
  auto skip = [&mine] {
    mine.todo = segment::step::skip;
    mine.data = {};
    return true;
  };
  if (mine.data.empty() && !mine.ends()) return skip();
  std::byte* begin = mine.data.data() - carry.size();
  std::copy(carry.begin(), carry.end(), begin);
  std::size_t size = carry.size() + mine.data.size();
  const std::size_t rest = mine.ends() ? 0 : size % granule;
  size -= rest;
  carry.assign(begin + size, begin + size + rest);
  mine.data = {begin, size};
  mine.offset = offset_[stage];
  offset_[stage] += size;
  if (size == 0 && !mine.ends()) return skip();
  return make_job(mine, stage);
}

}  // namespace nexus
