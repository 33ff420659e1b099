// One io_uring, polled through an eventfd that the engine's loop watches.
//
// Requests to files carry IOSQE_ASYNC: the kernel's own workers then copy
// between page cache and buffers, in parallel and off the engine's thread. A
// copy costs as much as the cipher, so it must not run on one thread. A pipe
// is serial anyway: there the copy is made at once, without a detour, and the
// kernel polls where nothing can be copied.
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/io_service.hpp"

namespace nexus {
namespace {

constexpr unsigned ring_entries = 256;
// The kernel takes 32-bit lengths; a round figure below that.
constexpr std::size_t max_request = 1u << 30;
// A kernel that is short of memory takes no requests for a while. It is asked
// again after each pause, and after so much patience they fail.
constexpr auto refusal_pause = std::chrono::milliseconds(2);
constexpr auto refusal_patience = std::chrono::seconds(5);

class uring_service final : public io_service {
 public:
  explicit uring_service(asio::io_context& loop)
      : loop_(loop), event_(loop), pause_(loop) {}
  ~uring_service() override {
    if (!ready_) return;
    boost::system::error_code ignored;
    event_.close(ignored);
    ::io_uring_queue_exit(&ring_);
  }

  // 0 or an errno.
  int open() {
    if (const int r = ::io_uring_queue_init(ring_entries, &ring_, 0); r < 0)
      return -r;
    ready_ = true;
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return errno;
    event_.assign(fd);
    if (const int r = ::io_uring_register_eventfd(&ring_, fd); r < 0) return -r;
    // Four copies at once saturate memory on most machines; more would only
    // take processors from the workers.
    unsigned limits[2] = {4, 0};
    (void)::io_uring_register_iowq_max_workers(&ring_, limits);
    return probe();
  }

  void submit(const io_request& request, completion<io_result> done) override {
    const std::uint64_t id = next_id_++;
    // First what may fail: a request that is queued cannot be taken back.
    flush_soon();
    watch();
    late_.reserve(pending_.size() + 1);
    const auto& [at, added] =
        pending_.emplace(id, pending{request, std::move(done)});
    prepare(at->first, at->second);
  }

  void cancel(io_tag tag) override {
    for (auto& [id, entry] : pending_)
      if (entry.request.tag == tag) entry.cancelled = cancels_due_ = true;
    flush_soon();
  }

  void forget(io_tag) override {}

  void report(io_telemetry& into) const override {
    into.engine = "uring";
    into.uring_reads += reads_;
    into.uring_writes += writes_;
  }

 private:
  struct pending {
    io_request request;
    completion<io_result> done;
    bool polling = false;  // for the descriptor to be ready; then it is made
    bool cancelled = false;
  };
  static constexpr std::uint64_t cancel_id = 0;

  void prepare(std::uint64_t id, const pending& entry) {
    const io_request& request = entry.request;
    const bool read = request.what == io_request::kind::read;
    io_uring_sqe* sqe = take_sqe();
    if (sqe == nullptr) return late_.push_back(id);
    const auto size =
        static_cast<unsigned>(std::min(request.size, max_request));
    if (entry.polling) {
      ::io_uring_prep_poll_add(sqe, request.fd, read ? POLLIN : POLLOUT);
    } else if (read) {
      // liburing spells "the current position" the same way.
      ::io_uring_prep_read(sqe, request.fd, request.data, size, request.offset);
      ++reads_;
    } else {
      ::io_uring_prep_writev(sqe, request.fd, request.pieces.data(),
                             static_cast<unsigned>(request.pieces.size()),
                             request.offset);
      ++writes_;
    }
    ::io_uring_sqe_set_data64(sqe, id);
    if (!request.pollable) ::io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
  }

  // Old kernels, and all kernels where the descriptor is non-blocking, answer
  // EAGAIN instead of waiting. True: the request goes on, one way or the other.
  bool waits_on(std::uint64_t id, int res) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return false;
    pending& entry = found->second;
    if (!entry.request.pollable || entry.cancelled) return false;
    const bool ready = entry.polling && res >= 0;
    if (!ready && (entry.polling || res != -EAGAIN)) return false;
    entry.polling = !ready;
    prepare(id, entry);
    return true;
  }

  // Some sandboxes let a ring be made but refuse every request.
  int probe() {
    io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
    ::io_uring_prep_nop(sqe);
    ::io_uring_sqe_set_data64(sqe, cancel_id);
    if (const int r = ::io_uring_submit_and_wait(&ring_, 1); r < 0) return -r;
    io_uring_cqe* cqe = nullptr;
    if (const int r = ::io_uring_wait_cqe(&ring_, &cqe); r < 0) return -r;
    const int answer = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    return answer < 0 ? -answer : 0;
  }

  bool has_room() {
    if (::io_uring_sq_space_left(&ring_) == 0) (void)::io_uring_submit(&ring_);
    return ::io_uring_sq_space_left(&ring_) != 0;
  }

  // NULL: the queue is full, and the kernel takes nothing.
  io_uring_sqe* take_sqe() {
    return has_room() ? ::io_uring_get_sqe(&ring_) : nullptr;
  }

  // What found no room in the queue before.
  void catch_up() {
    std::size_t taken = 0;
    for (; taken < late_.size() && has_room(); ++taken)
      if (const auto found = pending_.find(late_[taken]);
          found != pending_.end())
        prepare(found->first, found->second);
    late_.erase(late_.begin(),
                late_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (!std::exchange(cancels_due_, false)) return;
    for (const auto& [id, entry] : pending_) {
      if (!entry.cancelled) continue;
      io_uring_sqe* sqe = take_sqe();
      if (sqe == nullptr) {
        cancels_due_ = true;
        return;
      }
      ::io_uring_prep_cancel64(sqe, id, 0);
      ::io_uring_sqe_set_data64(sqe, cancel_id);
    }
  }

  // Requests made in one turn of the loop enter the kernel together.
  void flush_soon() {
    if (flush_posted_) return;
    flush_posted_ = true;
    asio::post(loop_, [this] {
      flush_posted_ = false;
      flush();
    });
  }

  void flush() {
    catch_up();
    const int r = ::io_uring_submit(&ring_);
    const bool more = ::io_uring_sq_ready(&ring_) != 0 || behind();
    if (r >= 0) refused_since_.reset();
    if (r == -EINTR || (r > 0 && more)) return flush_soon();
    if (r >= 0 && !more) return;
    // The kernel is short of something: what is queued stays so.
    const auto now = std::chrono::steady_clock::now();
    if (!refused_since_) refused_since_ = now;
    if (now - *refused_since_ > refusal_patience) fail_queued(r < 0 ? -r : EIO);
    try {
      pause_.expires_after(refusal_pause);
      pause_.async_wait([this](const boost::system::error_code& failed) {
        if (!failed) flush();
      });
    } catch (const std::bad_alloc&) {
      fail_queued(ENOMEM);  // nobody would come back to them
    }
  }

  [[nodiscard]] bool behind() const { return !late_.empty() || cancels_due_; }

  // Ends the requests that the kernel has not taken. It reads an entry no
  // sooner than it takes it, so that until then it can become another one.
  void fail_queued(int error) {
    // EAGAIN would have it tried again.
    if (error == EAGAIN) error = ENOMEM;
    const io_uring_sq& queue = ring_.sq;
    const unsigned head = __atomic_load_n(queue.khead, __ATOMIC_ACQUIRE);
    for (unsigned at = head; at != queue.sqe_tail; ++at) {
      io_uring_sqe* sqe = &queue.sqes[at & *queue.kring_mask];
      fail(sqe->user_data, error);
      ::io_uring_prep_nop(sqe);
      ::io_uring_sqe_set_data64(sqe, cancel_id);
    }
    for (const std::uint64_t id : late_) fail(id, error);
    late_.clear();
    // Those that it has taken are still to be cancelled.
    for (const auto& [id, entry] : pending_)
      if (entry.cancelled) cancels_due_ = true;
  }

  void fail(std::uint64_t id, int error) {
    auto node = pending_.extract(id);
    if (!node) return;
    io_result result;
    result.error = error;
    node.mapped().done(result);
  }

  void watch() {
    if (watching_) return;
    watching_ = true;
    event_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& failed) {
                        watching_ = false;
                        if (failed) return;
                        reap();
                        if (!pending_.empty()) watch();
                      });
  }

  void reap() {
    std::uint64_t count = 0;
    (void)!::read(event_.native_handle(), &count, sizeof count);
    bool again = false;
    io_uring_cqe* cqe = nullptr;
    while (::io_uring_peek_cqe(&ring_, &cqe) == 0) {
      const std::uint64_t id = ::io_uring_cqe_get_data64(cqe);
      const int res = cqe->res;
      ::io_uring_cqe_seen(&ring_, cqe);
      if (id == cancel_id) continue;
      if (waits_on(id, res)) {
        again = true;
        continue;
      }
      auto node = pending_.extract(id);
      if (!node) continue;
      const pending& entry = node.mapped();
      io_result result;
      if (entry.cancelled && (entry.polling || res == -EAGAIN))
        result.error = ECANCELED;
      else if (res < 0)
        result.error = -res;
      else
        result.bytes = static_cast<std::size_t>(res);
      node.mapped().done(result);
    }
    if (again) flush_soon();
  }

  asio::io_context& loop_;
  asio::posix::stream_descriptor event_;
  asio::steady_timer pause_;
  std::optional<std::chrono::steady_clock::time_point> refused_since_;
  io_uring ring_{};
  bool ready_ = false;
  bool flush_posted_ = false;
  bool watching_ = false;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, pending> pending_;
  // Of them, those that found the queue full.
  std::vector<std::uint64_t> late_;
  bool cancels_due_ = false;
  std::uint64_t reads_ = 0;
  std::uint64_t writes_ = 0;
};

}  // namespace

result<std::unique_ptr<io_service>> make_uring_service(asio::io_context& loop) {
  auto service = std::make_unique<uring_service>(loop);
  if (const int error = service->open(); error != 0)
    return status(
        status_code::unsupported,
        std::string("io_uring cannot be used here: ") + std::strerror(error),
        "--io=threads reads and writes without it", error);
  return std::unique_ptr<io_service>(std::move(service));
}

result<std::unique_ptr<io_service>> make_io_service(asio::io_context& loop,
                                                    io_mode mode) {
  if (mode == io_mode::threads) return make_thread_service({});
  auto ring = make_uring_service(loop);
  if (ring.ok() || mode == io_mode::uring) return ring;
  return make_thread_service(ring.error().message());
}

}  // namespace nexus
