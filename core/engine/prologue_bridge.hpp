// prologue_io for an operation on a helper thread: every read is made on the
// engine's thread, and the helper waits for it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <nexus/operation.hpp>

#include "base/bytes.hpp"
#include "io/source_reader.hpp"

namespace nexus {

class prologue_bridge final : public prologue_io {
 public:
  // reader == nullptr: an epilogue, which has no input.
  prologue_bridge(asio::any_io_executor executor, source_reader* reader)
      : executor_(std::move(executor)), reader_(reader) {}

  result<byte_view> peek(std::size_t size) override;
  void consume(std::size_t size) override;
  status write(byte_view data) override;

  // Once the helper is through:
  [[nodiscard]] std::uint64_t consumed() const noexcept { return consumed_; }
  // Bytes that were read and not taken.
  [[nodiscard]] byte_view unread() const noexcept {
    return byte_view(head_).subspan(taken_);
  }
  [[nodiscard]] bool at_end() const noexcept { return at_end_; }
  [[nodiscard]] byte_view output() const noexcept { return output_; }

 private:
  source_reader::outcome read_more(std::size_t size);

  asio::any_io_executor executor_;
  source_reader* const reader_;
  bytes head_;
  std::size_t taken_ = 0;  // of head_
  std::uint64_t consumed_ = 0;
  bool at_end_ = false;
  bytes output_;
};

}  // namespace nexus
