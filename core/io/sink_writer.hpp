// A sink in use by one run: bytes in order, then kept or dropped. Engine
// thread only.
#pragma once

#include <atomic>
#include <memory>
#include <nexus/stream.hpp>
#include <optional>
#include <span>
#include <string>

#include "async/blocking_pool.hpp"
#include "io/io_service.hpp"
#include "io/source_reader.hpp"
#include "io/streams.hpp"

namespace nexus {

class sink_writer {
 public:
  sink_writer(sink to, io_service& io, blocking_pool& blocking, io_tag tag);
  ~sink_writer();
  sink_writer(const sink_writer&) = delete;
  sink_writer& operator=(const sink_writer&) = delete;

  // Refuses a sink that is the source; creates nothing.
  status check(const std::optional<source_reader::file_id>& source);
  // Appends all of the parts. broken_pipe where nobody reads any more.
  task<status> write(std::span<const byte_view> parts);
  // Whether others may write beside write(), with write_here(): a temporary,
  // of which only the end counts. Known once something was written.
  [[nodiscard]] bool takes_any_order() const noexcept {
    return regular_ && !temporary_.empty();
  }
  // (any thread) Writes all of it at an offset of the file, on the calling
  // thread, which it blocks. 0, or an errno: ECANCELED after cancel().
  int write_here(std::uint64_t offset, byte_view data) noexcept;
  // These bytes, the next ones, were written so.
  void took(std::size_t size) noexcept;
  // Offset in the file where the next byte belongs.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  // Everything is there: make it last, under its name.
  task<status> commit();
  // Something failed: no file is left under the name, nor a temporary.
  task<void> abandon();

  void cancel();
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t callback_writes() const noexcept {
    return callback_writes_;
  }
  // Calls that write_here() made.
  [[nodiscard]] std::uint64_t lane_writes() const noexcept {
    return lane_writes_;
  }

 private:
  detail::sink_state& state() noexcept { return to_.state(); }
  status failure_of(int error, const char* doing = "write") const;
  status open_file();
  int open_special(bool fifo);
  status finish_file();
  void remove_temporary() noexcept;
  void look_at(int fd);
  void advance(std::size_t size);
  task<status> open();
  task<status> hand_over(byte_view part);
  task<status> write_descriptor(std::span<const byte_view> parts);

  sink to_;
  io_service& io_;
  blocking_pool& blocking_;
  const io_tag tag_;
  int fd_ = -1;
  bool opened_ = false;
  bool pollable_ = false;
  bool regular_ = false;
  std::atomic<bool> cancelled_ = false;  // a helper thread may look
  std::uint64_t position_ = 0;  // of a regular file, where the next byte goes
  std::string target_;          // the path with links followed
  std::string temporary_;       // empty: the target is written directly
  std::uint64_t bytes_ = 0;
  std::uint64_t callback_writes_ = 0;
  std::atomic<std::uint64_t> lane_writes_ = 0;
};

}  // namespace nexus
