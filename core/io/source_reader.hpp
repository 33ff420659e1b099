// A source in use by one run. Engine thread only.
#pragma once

#include <memory>
#include <nexus/stream.hpp>
#include <optional>

#include "async/blocking_pool.hpp"
#include "io/io_service.hpp"
#include "io/streams.hpp"

namespace nexus {

class source_reader {
 public:
  source_reader(source from, io_service& io, blocking_pool& blocking,
                io_tag tag);
  ~source_reader() { io_.forget(tag_); }
  source_reader(const source_reader&) = delete;
  source_reader& operator=(const source_reader&) = delete;

  // Looks at what the source is. io_error: it cannot be read.
  status open();

  // Regular files and memory: the size is known and any part can be had at
  // any time, several at once. Others: in order, one read at a time.
  [[nodiscard]] bool positional() const noexcept { return positional_; }
  // Bytes from the start of the run, where known.
  [[nodiscard]] std::optional<std::uint64_t> size() const noexcept {
    return size_;
  }
  // The bytes themselves, where the source is memory.
  [[nodiscard]] std::optional<byte_view> memory() const noexcept;

  struct outcome {
    std::size_t bytes = 0;
    status failure;
  };
  // Positional: exactly buffer.size() bytes from position, or a failure with
  // the number that were there.
  task<outcome> read_at(std::uint64_t position, byte_span buffer);
  // (any thread) The same, on the calling thread, which it blocks.
  [[nodiscard]] outcome read_here(std::uint64_t position,
                                  byte_span buffer) const;
  // Sequential: at least one byte unless the stream has ended.
  task<outcome> read_some(byte_span buffer);

  // What is under way ends soon, as cancelled; so does whatever comes later.
  void cancel();
  // Leaves a borrowed descriptor after the bytes that were used.
  void leave_at(std::uint64_t position);
  // Bytes in the pipe that can be read without waiting; 0 where unknown.
  [[nodiscard]] std::size_t ready_bytes() const;

  [[nodiscard]] const std::string& name() const noexcept {
    return from_.name();
  }
  [[nodiscard]] std::uint64_t callback_reads() const noexcept {
    return callback_reads_;
  }
  // Device and inode of a regular file, to refuse an output that is the same.
  struct file_id {
    std::uint64_t device = 0, inode = 0;
    friend bool operator==(const file_id&, const file_id&) = default;
  };
  [[nodiscard]] const std::optional<file_id>& identity() const noexcept {
    return identity_;
  }

 private:
  detail::source_state& state() noexcept { return from_.state(); }
  status failure_of(int error) const;
  status shorter(std::uint64_t position) const;
  status open_descriptor();

  mutable source from_;
  io_service& io_;
  blocking_pool& blocking_;
  const io_tag tag_;
  bool positional_ = false;
  bool pollable_ = false;
  bool regular_ = false;
  bool cancelled_ = false;
  std::uint64_t start_ = 0;     // file offset where the run began
  std::uint64_t position_ = 0;  // of a regular file that is read in order
  std::optional<std::uint64_t> size_;
  std::optional<file_id> identity_;
  std::uint64_t callback_reads_ = 0;
};

}  // namespace nexus
