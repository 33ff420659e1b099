// The reading half of a run: bytes to segments.
#include <algorithm>
#include <utility>

#include "engine/run_segment.hpp"

namespace nexus {
namespace {

constexpr std::uint32_t least_ahead = 2;
constexpr std::uint32_t most_ahead = 8;
constexpr std::uint32_t least_slots = 8;
// Results that may wait for the sink alone before reading pauses.
constexpr std::size_t write_backlog = 4;

}  // namespace

bool run::reading() const noexcept {
  return !reading_stopped_;
}

// Reading far ahead of the devices, or of a slow sink, would only push what
// was read out of the caches again. A straggler is another matter: while an
// earlier segment is missing, the window may fill.
bool run::far_ahead() const {
  const std::uint32_t ahead =
      std::clamp(core_.scheduler.total_depth() / 2, least_ahead, most_ahead);
  const bool sink_is_slow = finished_.size() >= write_backlog &&
                            finished_.begin()->first == next_write_;
  return ahead_ >= ahead || sink_is_slow;
}

// Segments in flight. One device's lanes are about as fast as each other, and
// there every segment more than those it holds and as many that are read or
// written only takes room in the caches. Devices of several kinds need all of
// the window.
std::uint32_t run::most_slots() const {
  const std::uint32_t window = core_.window_for(layout_.working_set);
  if (!core_.one_kind()) return window;
  const std::uint32_t held = core_.scheduler.total_depth();
  return std::min(window, std::max(least_slots, 2 * held));
}

// Waits for a slot of the window.
task<run::segment_ptr> run::next_slot() {
  const stall_timer timer(stalls_.window);
  for (;;) {
    if (!reading()) co_return nullptr;
    if (far_ahead() || slots_ >= most_slots()) {
      co_await slot_freed_.wait();
    } else if (!core_.try_reserve(layout_.working_set, slots_ == 0)) {
      co_await core_.budget_changed.wait();
    } else {
      break;
    }
  }
  segment_ptr mine;
  try {
    mine = std::make_shared<segment>(*this);
  } catch (...) {
    core_.release(layout_.working_set);
    throw;
  }
  peak_slots_ = std::max(peak_slots_, slots_);
  if (layout_.input_buffer != 0) {
    mine->input = core_.buffers.take(layout_.input_buffer);
    if (!mine->input) {
      fail({status_code::out_of_memory,
            "out of memory for a segment of " +
                std::to_string(layout_.segment_bytes) + " bytes",
            "a smaller memory budget or smaller segments may help"});
      co_return nullptr;
    }
  }
  co_return mine;
}

void run::dispatch(segment_ptr ready) {
  spawn(process(std::move(ready)));
}

// Any part can be read at any time: segments read their own bytes, several at
// once. The input is what the file held when the run began.
task<void> run::read_positional() {
  const std::uint64_t size =
      *reader_->size() - std::min(*reader_->size(), prologue_bytes_);
  std::uint64_t position = 0;
  for (std::uint64_t index = 0; position < size || index == 0; ++index) {
    auto mine = co_await next_slot();
    if (!mine) co_return;
    const std::uint64_t length =
        std::min(layout_.segment_bytes, size - position);
    mine->index = index;
    mine->offset = position;
    mine->last = position + length == size;
    if (const auto memory = reader_->memory()) {
      const auto part = memory->subspan(prologue_bytes_ + position, length);
      // Stages read their input and write elsewhere.
      mine->data = {const_cast<std::byte*>(part.data()), part.size()};
      input_bytes_ += length;
    } else {
      mine->data = {mine->input.data(), static_cast<std::size_t>(length)};
      mine->unread = true;
    }
    position += length;
    mine->source_end = prologue_bytes_ + position;
    dispatch(std::move(mine));
  }
}

// Pipes, sockets, callbacks: one read after the other. A segment is known to
// be the last one only when nothing follows, so the reader asks for a little
// more than a segment and hands the surplus on to the next.
task<void> run::read_sequential() {
  bytes surplus = std::move(unread_);
  bool ended = source_ended_;
  std::uint64_t position = 0;
  for (std::uint64_t index = 0;; ++index) {
    auto mine = co_await next_slot();
    if (!mine) co_return;
    mine->index = index;
    mine->offset = position;
    const double begin = now_seconds();
    // What the prologue left unread may be more than one segment.
    std::size_t filled =
        std::min<std::size_t>(surplus.size(), layout_.input_buffer);
    std::copy_n(surplus.begin(), filled, mine->input.data());
    surplus.erase(surplus.begin(),
                  surplus.begin() + static_cast<std::ptrdiff_t>(filled));
    if (surplus.empty() && !ended) {
      const auto got = co_await fill(mine->input, filled);
      filled = got.filled;
      ended = got.ended;
      mine->failure = got.failure;
    }
    mine->broken = !mine->failure.ok();
    mine->last = ended && surplus.empty() && !mine->broken &&
                 filled <= layout_.segment_bytes;
    std::size_t length = filled;
    if (!mine->last && !mine->broken) length = whole_part(filled);
    const byte_view rest(mine->input.data() + length, filled - length);
    surplus.insert(surplus.begin(), rest.begin(), rest.end());
    mine->data = {mine->input.data(), length};
    position += length;
    mine->source_end = prologue_bytes_ + position;
    const bool more = !mine->last && !mine->broken;
    if (mine->broken) {
      // What is left has no end to stand for.
      const std::size_t granule = plan_.stages.front().granule;
      mine->data = mine->data.first(length / granule * granule);
    }
    tell_read(*mine, begin);
    dispatch(std::move(mine));
    if (!more) co_return;
    if (core_.wants_all_devices(prologue_bytes_ + input_bytes_) &&
        !std::exchange(grown_, true))
      spawn(core_.open_devices(true));
  }
}

// The next bytes of the source, at least one unless it has ended.
task<source_reader::outcome> run::read_on(std::uint64_t position,
                                          byte_span room) {
  const stall_timer timer(stalls_.read);
  source_reader::outcome got;
  if (reader_->positional()) {
    const std::uint64_t from = prologue_bytes_ + position;
    const std::uint64_t left =
        *reader_->size() - std::min(*reader_->size(), from);
    const auto part = room.first(std::min<std::uint64_t>(room.size(), left));
    if (const auto memory = reader_->memory()) {
      std::copy_n(memory->begin() + static_cast<std::ptrdiff_t>(from),
                  part.size(), part.begin());
      got.bytes = part.size();
    } else if (!part.empty()) {
      got = co_await reader_->read_at(from, part);
    }
  } else if (!unread_.empty()) {
    // What the prologue read and did not take.
    got.bytes = std::min(unread_.size(), room.size());
    std::copy_n(unread_.begin(), got.bytes, room.begin());
    unread_.erase(unread_.begin(),
                  unread_.begin() + static_cast<std::ptrdiff_t>(got.bytes));
    co_return got;  // counted already
  } else if (!source_ended_) {
    got = co_await reader_->read_some(room);
    source_ended_ = got.failure.ok() && got.bytes == 0;
  }
  input_bytes_ += got.bytes;
  co_return got;
}

// One record after the other, of the lengths that the operation reads off
// their heads. A record that the source cuts short is handed on as it is: the
// operation tells by its size.
task<void> run::read_records() {
  std::uint64_t position = 0;
  for (std::uint64_t index = 0;; ++index) {
    auto mine = co_await next_slot();
    if (!mine) co_return;
    mine->index = index;
    mine->offset = position;
    record_size record{plan_.record_head};
    std::size_t filled = 0;
    const double begin = now_seconds();
    bool measured = false;
    bool ended = false;
    while (mine->failure.ok()) {
      while (filled < record.bytes && !ended && mine->failure.ok()) {
        const byte_span room(mine->input.data() + filled,
                             record.bytes - filled);
        const auto got = co_await read_on(position + filled, room);
        mine->failure = got.failure;
        ended = got.bytes == 0;
        filled += got.bytes;
      }
      if (measured || !mine->failure.ok()) break;
      auto size = work_.measure({mine->input.data(), filled});
      measured = true;
      if (!size.ok())
        mine->failure = size.error();
      else if (size->bytes < filled || size->bytes > layout_.segment_bytes)
        mine->failure = {status_code::internal, "a record has no such size"};
      else
        record = *size;
    }
    mine->broken = !mine->failure.ok();
    mine->last = !mine->broken && (record.last || filled < record.bytes);
    if (!mine->broken) mine->data = {mine->input.data(), filled};
    position += filled;
    mine->source_end = prologue_bytes_ + position;
    const bool more = !mine->ends();
    tell_read(*mine, begin);
    dispatch(std::move(mine));
    if (!more) co_return;
  }
}

// Reads until the buffer holds more than a segment, or the source ends, or
// waits with nothing else under way: then what is there is sent on its way.
task<run::filling> run::fill(const buffer& into, std::size_t filled) {
  filling result{filled, false, {}};
  const stall_timer timer(stalls_.read);
  const std::uint64_t granule = plan_.stages.front().granule;
  const std::uint64_t beyond = plan_.empty_end ? 0 : 1;
  while (result.filled < layout_.segment_bytes + beyond) {
    const bool idle = slots_ == 1 && !plan_.segment_bytes_fixed;
    if (idle && result.filled >= granule + beyond &&
        reader_->ready_bytes() == 0)
      break;
    const byte_span room(into.data() + result.filled,
                         layout_.input_buffer - result.filled);
    const auto got = co_await reader_->read_some(room);
    result.failure = got.failure;
    result.ended = got.failure.ok() && got.bytes == 0;
    result.filled += got.bytes;
    input_bytes_ += got.bytes;
    if (result.ended || !result.failure.ok()) break;
  }
  co_return result;
}

// Of bytes that do not end the stream: those that make a segment. At least one
// byte is left for the next, unless that may be empty.
std::size_t run::whole_part(std::size_t filled) const {
  const std::size_t beyond = plan_.empty_end ? 0 : 1;
  if (filled >= layout_.segment_bytes + beyond) return layout_.segment_bytes;
  const std::size_t granule = plan_.stages.front().granule;
  return (filled - beyond) / granule * granule;
}

}  // namespace nexus
