// Reads and writes of file descriptors that resume coroutines on the engine's
// thread. One object per engine; all calls on the engine's thread.
#pragma once

#include <sys/uio.h>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <nexus/engine.hpp>
#include <span>
#include <string>

#include "async/completion.hpp"
#include "base/bytes.hpp"

namespace nexus {

// What a system call said. bytes may be fewer than asked for; 0 is the end.
struct io_result {
  std::size_t bytes = 0;
  int error = 0;  // errno, ECANCELED after cancel()
};

// Instead of an offset: the descriptor's own position, which moves.
inline constexpr std::uint64_t current_position = UINT64_MAX;

// Marks requests that are cancelled together: those of one run.
using io_tag = std::uint64_t;

struct io_request {
  enum class kind { read, write } what = kind::read;
  int fd = -1;
  bool pollable = false;  // may wait for ever: a pipe, socket or terminal
  std::uint64_t offset = current_position;
  void* data = nullptr;  // of a read
  std::size_t size = 0;
  std::span<const iovec> pieces;  // of a write; they stay until it is done
  io_tag tag = 0;
};

class io_service {
 public:
  virtual ~io_service() = default;

  virtual void submit(const io_request& request,
                      completion<io_result> done) = 0;
  // Requests of the tag end soon, with ECANCELED unless they were done. Later
  // ones are not affected.
  virtual void cancel(io_tag tag) = 0;
  // No request of the tag is under way, and none will follow.
  virtual void forget(io_tag tag) = 0;
  // Adds its counts.
  virtual void report(io_telemetry& into) const = 0;

  task<io_result> perform(io_request request) {
    auto start = [this, request](completion<io_result> done) {
      submit(request, std::move(done));
    };
    co_return co_await suspend<io_result>(std::move(start));
  }
};

// io_uring where mode allows and the kernel grants it, else threads. Fails
// only for io_mode::uring.
[[nodiscard]] result<std::unique_ptr<io_service>> make_io_service(
    asio::io_context& loop, io_mode mode);

[[nodiscard]] result<std::unique_ptr<io_service>> make_uring_service(
    asio::io_context& loop);
[[nodiscard]] std::unique_ptr<io_service> make_thread_service(std::string note);

}  // namespace nexus
