#include "engine/prologue_bridge.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace nexus {
namespace {

constexpr std::size_t least_read = 64u << 10;
// Memory is taken for what is there, not for what was asked for.
constexpr std::size_t most_read = 4u << 20;

}  // namespace

source_reader::outcome prologue_bridge::read_more(std::size_t size) {
  const std::size_t old = head_.size();
  std::size_t want = std::clamp(size, least_read, most_read);
  const std::uint64_t position = consumed_ + (old - taken_);
  if (reader_->positional()) {
    want = static_cast<std::size_t>(
        std::min<std::uint64_t>(want, *reader_->size() - position));
    if (want == 0) return {};
  }
  head_.resize(old + want);
  const byte_span buffer = byte_span(head_).subspan(old);
  source_reader::outcome got;
  if (const auto memory = reader_->memory()) {
    std::copy_n(memory->begin() + static_cast<std::ptrdiff_t>(position), want,
                buffer.begin());
    got.bytes = want;
  } else {
    auto read = reader_->positional() ? reader_->read_at(position, buffer)
                                      : reader_->read_some(buffer);
    got = asio::co_spawn(executor_, std::move(read), asio::use_future).get();
  }
  head_.resize(old + got.bytes);
  return got;
}

result<byte_view> prologue_bridge::peek(std::size_t size) {
  if (reader_ == nullptr)
    return status(status_code::internal, "an epilogue has no input");
  while (head_.size() - taken_ < size && !at_end_) {
    const auto got = read_more(size - (head_.size() - taken_));
    if (!got.failure.ok()) return got.failure;
    at_end_ = got.bytes == 0;
  }
  return unread();
}

void prologue_bridge::consume(std::size_t size) {
  size = std::min(size, head_.size() - taken_);  // only what was peeked at
  taken_ += size;
  consumed_ += size;
  if (taken_ < head_.size() / 2) return;
  head_.erase(head_.begin(),
              head_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
}

status prologue_bridge::write(byte_view data) {
  append(output_, data);
  return {};
}

}  // namespace nexus
