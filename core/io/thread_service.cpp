// File I/O on threads, for kernels and sandboxes without io_uring.
//
// Regular files go through a few threads of plain preads and pwrites. What may
// wait for ever gets a thread of its own that polls the descriptor beside an
// eventfd, so that a run can be stopped while nothing comes.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <system_error>

#include "async/blocking_pool.hpp"
#include "io/io_service.hpp"

namespace nexus {
namespace {

// Set once; whoever polls its descriptor wakes and sees it.
class cancel_flag {
 public:
  cancel_flag() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~cancel_flag() {
    if (fd_ >= 0) ::close(fd_);
  }
  cancel_flag(const cancel_flag&) = delete;
  cancel_flag& operator=(const cancel_flag&) = delete;
  void set() noexcept {
    set_.store(true);
    const std::uint64_t one = 1;
    (void)!::write(fd_, &one, sizeof one);
  }
  [[nodiscard]] bool is_set() const noexcept { return set_.load(); }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
  std::atomic<bool> set_ = false;
};

// A blocking descriptor takes or gives what it can at once with RWF_NOWAIT.
ssize_t call_once(const io_request& r, int flags) {
  const off_t offset =
      r.offset == current_position ? -1 : static_cast<off_t>(r.offset);
  const bool plain = flags == 0 && offset < 0;
  if (r.what == io_request::kind::read) {
    iovec piece{r.data, r.size};
    return plain ? ::read(r.fd, r.data, r.size)
                 : ::preadv2(r.fd, &piece, 1, offset, flags);
  }
  const int count = static_cast<int>(r.pieces.size());
  return plain ? ::writev(r.fd, r.pieces.data(), count)
               : ::pwritev2(r.fd, r.pieces.data(), count, offset, flags);
}

io_result to_result(ssize_t answer) {
  io_result result;
  if (answer < 0)
    result.error = errno;
  else
    result.bytes = static_cast<std::size_t>(answer);
  return result;
}

io_result perform_regular(const io_request& r) {
  ssize_t answer = 0;
  do {
    answer = call_once(r, 0);
  } while (answer < 0 && errno == EINTR);
  return to_result(answer);
}

bool takes_more(int fd) {
  pollfd now{fd, POLLOUT, 0};
  return ::poll(&now, 1, 0) == 1 && (now.revents & POLLOUT) != 0;
}

// A write of more than PIPE_BUF could block; one page after the other, as long
// as there is room for one, cannot. After POLLOUT.
io_result write_pages(const io_request& r, const cancel_flag& cancel) {
  constexpr std::size_t page = 4096;
  std::size_t put = 0;
  for (const iovec& piece : r.pieces) {
    auto* const data = static_cast<const std::byte*>(piece.iov_base);
    for (std::size_t at = 0; at < piece.iov_len;) {
      if (put != 0 && (cancel.is_set() || !takes_more(r.fd))) return {put, 0};
      const ssize_t answer =
          ::write(r.fd, data + at, std::min(page, piece.iov_len - at));
      // What fails now fails again, with nothing written.
      if (answer < 0) return put != 0 ? io_result{put, 0} : io_result{0, errno};
      at += static_cast<std::size_t>(answer);
      put += static_cast<std::size_t>(answer);
    }
  }
  return {put, 0};
}

io_result perform_pollable(const io_request& r, const cancel_flag& cancel) {
  const bool read = r.what == io_request::kind::read;
  int flags = RWF_NOWAIT;
  for (;;) {
    pollfd watched[2] = {{r.fd, static_cast<short>(read ? POLLIN : POLLOUT), 0},
                         {cancel.fd(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0 && errno != EINTR) return {0, errno};
    if (cancel.is_set()) return {0, ECANCELED};
    if (watched[0].revents == 0) continue;
    // Without NOWAIT a read still gives what is there.
    const io_result got = flags == 0 && !read
                              ? write_pages(r, cancel)
                              : to_result(call_once(r, flags));
    if (got.error == EOPNOTSUPP || got.error == EINVAL) {
      if (flags == 0) return got;
      flags = 0;
    } else if (got.error != EINTR && got.error != EAGAIN) {
      return got;
    }
  }
}

class thread_service final : public io_service {
 public:
  explicit thread_service(std::string note) : note_(std::move(note)) {}

  void submit(const io_request& request, completion<io_result> done) override {
    ++(request.what == io_request::kind::read ? reads_ : writes_);
    auto resume = std::make_shared<completion<io_result>>(std::move(done));
    try {
      hand_out(request, resume);
    } catch (const std::system_error&) {
      (*resume)(io_result{0, ENOMEM});  // no thread can be made
    }
  }

  void cancel(io_tag tag) override {
    if (auto node = flags_.extract(tag)) node.mapped()->set();
  }

  void forget(io_tag tag) override { flags_.erase(tag); }

  void report(io_telemetry& into) const override {
    into.engine = "threads";
    into.note = note_;
    into.thread_reads += reads_;
    into.thread_writes += writes_;
  }

 private:
  void hand_out(const io_request& request,
                const std::shared_ptr<completion<io_result>>& resume) {
    if (!request.pollable) {
      files_.post([request, resume] { (*resume)(perform_regular(request)); });
      return;
    }
    auto& flag = flags_[request.tag];
    if (!flag) flag = std::make_shared<cancel_flag>();
    waiters_.post([request, resume, flag] {
      (*resume)(perform_pollable(request, *flag));
    });
  }

  std::string note_;
  std::uint64_t reads_ = 0;
  std::uint64_t writes_ = 0;
  std::map<io_tag, std::shared_ptr<cancel_flag>> flags_;
  blocking_pool files_{4, "nexus-io"};
  blocking_pool waiters_{256, "nexus-wait"};
};

}  // namespace

std::unique_ptr<io_service> make_thread_service(std::string note) {
  return std::make_unique<thread_service>(std::move(note));
}

}  // namespace nexus
