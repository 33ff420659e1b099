// The writing part of a run: results in order.
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

task<void> run::write_in_order() {
  std::vector<byte_view> parts = {prologue_output_};
  for (;;) {
    while (!finished_.contains(next_write_)) {
      if (failure_) co_return;
      co_await delivered_.wait();
    }
    std::vector<segment_ptr> batch = take_finished();
    for (const auto& mine : batch)
      if (mine->todo != segment::step::skip) parts.push_back(mine->data);
    {
      const stall_timer timer(stalls_.write);
      status written = co_await writer_->write(parts);
      if (!written.ok()) fail(written);
    }
    if (failure_) co_return;
    parts.clear();
    segments_ += batch.size();
    used_ = batch.back()->source_end;
    if (batch.back()->ends()) {
      stream_end_ = batch.back()->failure;
      co_return;
    }
  }
}

// The next segments of the output that are there, at least one.
std::vector<run::segment_ptr> run::take_finished() {
  std::vector<segment_ptr> batch;
  while (batch.size() < most_at_once && !finished_.empty() &&
         finished_.begin()->first == next_write_) {
    batch.push_back(std::move(finished_.begin()->second));
    finished_.erase(finished_.begin());
    ++next_write_;
    if (batch.back()->ends()) break;
  }
  return batch;
}

}  // namespace nexus
