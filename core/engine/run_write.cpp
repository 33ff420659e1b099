// The writing part of a run: results in order.
#include "engine/run_segment.hpp"

namespace nexus {

void run::deliver(segment_ptr mine) {
  const std::uint64_t index = mine->index;
  finished_.emplace(index, std::move(mine));
  delivered_.notify_all();
}

task<void> run::write_in_order() {
  for (std::uint64_t index = 0;; ++index) {
    next_write_ = index;
    while (!finished_.contains(index)) {
      if (failure_) co_return;
      co_await delivered_.wait();
    }
    auto node = finished_.extract(index);
    const segment_ptr mine = std::move(node.mapped());
    const stall_timer timer(stalls_.write);
    if (index == 0) {
      status head = co_await writer_->write(prologue_output_);
      if (!head.ok()) fail(head);
    }
    if (failure_) co_return;
    if (mine->todo != segment::step::skip) {
      status written = co_await writer_->write(mine->data);
      if (!written.ok()) fail(written);
      if (failure_) co_return;
    }
    ++segments_;
    if (mine->ends()) {
      stream_end_ = mine->failure;
      co_return;
    }
  }
}

}  // namespace nexus
