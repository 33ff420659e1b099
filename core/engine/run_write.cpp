// The writing part of a run: results in order, or, into a temporary file, as
// the lanes make them.
#include "engine/run_segment.hpp"

namespace nexus {
namespace {

// Segments that go out with one request: each costs a trip to the kernel's
// workers and back, which a slow sink would spend idle.
constexpr std::size_t most_at_once = 8;

}  // namespace

void run::deliver(segment_ptr mine) {
  const std::uint64_t index = mine->index;
  finished_.emplace(index, std::move(mine));
  delivered_.notify_all();
}

// Whether the segment's device may write what it makes of it.
bool run::drains(const segment& mine, std::uint32_t stage) const {
  return output_begin_ && stage + 1 == plan_.stages.size() && !mine.ends() &&
         (!audits(mine.device, stage) || audits_on_lane(mine.device, stage)) &&
         core_.drains(mine.device, operation_ids_[stage]);
}

// On a thread of the device's, which has just made the output. What cannot be
// written here the engine writes later, and reports why it cannot.
void run::write_on_lane(void* context, std::uint64_t output_bytes,
                        std::uint32_t flags) {
  auto& mine = *static_cast<segment*>(context);
  run& owner = mine.owner;
  const stage_plan& stage = owner.plan_.stages.back();
  const auto made = [&stage](std::uint64_t input) {
    return input / stage.granule * stage.granule_output;
  };
  const bool exact = flags == 0 && mine.data.size() % stage.granule == 0 &&
                     output_bytes == made(mine.data.size()) &&
                     output_bytes <= mine.room.size();
  if (!exact) return;
  mine.written_at = *owner.output_begin_ + made(mine.offset);
  const byte_view output = mine.room.first(output_bytes);
  if (owner.writer_->write_here(mine.written_at, output) == 0)
    mine.written = output_bytes;
}

// Whether the segment that is next in the output stands there already. One that
// an earlier segment's size, or check(), has moved does not.
bool run::is_written(const segment& mine) const {
  return mine.written != 0 && mine.written == mine.data.size() &&
         mine.written_at == writer_->position();
}

task<void> run::write_in_order() {
  std::vector<byte_view> parts = {prologue_output_};
  const stage_plan& last = plan_.stages.back();
  for (;;) {
    while (!finished_.contains(next_write_)) {
      if (failure_) co_return;
      co_await delivered_.wait();
    }
    const std::vector<segment_ptr> batch = take_finished();
    const bool written = is_written(*batch.front());
    std::uint64_t size = 0;
    for (const auto& mine : batch) {
      if (mine->todo == segment::step::skip) continue;
      parts.push_back(mine->data);
      size += mine->data.size();
    }
    const double begin = now_seconds();
    if (written) {
      writer_->took(size);
    } else {
      const stall_timer timer(stalls_.write);
      status put = co_await writer_->write(parts);
      if (!put.ok()) fail(put);
    }
    if (failure_) co_return;
    if (options_.trace) {
      segment_event event;
      event.step = segment_step::written;
      event.segment = batch.front()->index;
      event.segments = static_cast<std::uint32_t>(batch.size());
      event.begin_seconds = begin;
      event.bytes = size;
      tell(std::move(event));
    }
    parts.clear();
    segments_ += batch.size();
    used_ = batch.back()->source_end;
    if (batch.back()->ends()) {
      stream_end_ = batch.back()->failure;
      co_return;
    }
    const bool may = last.exact && writer_->takes_any_order();
    if (may && !output_begin_) output_begin_ = writer_->position() - size;
  }
}

// The next segments of the output that are there: one that is written, or
// those that can be written together.
std::vector<run::segment_ptr> run::take_finished() {
  std::vector<segment_ptr> batch;
  while (batch.size() < most_at_once && !finished_.empty() &&
         finished_.begin()->first == next_write_) {
    const bool alone = finished_.begin()->second->written != 0;
    if (alone && !batch.empty()) break;
    batch.push_back(std::move(finished_.begin()->second));
    finished_.erase(finished_.begin());
    ++next_write_;
    if (alone || batch.back()->ends()) break;
  }
  return batch;
}

}  // namespace nexus
