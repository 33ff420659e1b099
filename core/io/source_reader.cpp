#include "io/source_reader.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "async/exception.hpp"

namespace nexus {
namespace {

constexpr std::size_t max_read = 4u << 20;
constexpr int pipe_bytes = 1 << 20;

status cancelled() {
  return {status_code::cancelled, "stopped"};
}

// Files whose size says nothing: they are read in order, to their end.
bool made_up_by_kernel(int fd) {
  struct statfs where{};
  if (::fstatfs(fd, &where) != 0) return false;
  switch (where.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
      return true;
    default:
      return false;
  }
}

// Of a file or block device, from its beginning.
std::optional<std::uint64_t> size_of(int fd, const struct stat& info) {
  std::uint64_t bytes = 0;
  if (S_ISBLK(info.st_mode)) {
    if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) return {};
    return bytes;
  }
  if (info.st_size <= 0 || made_up_by_kernel(fd)) return {};
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace

source_reader::source_reader(source from, io_service& io,
                             blocking_pool& blocking, io_tag tag)
    : from_(std::move(from)), io_(io), blocking_(blocking), tag_(tag) {}

status source_reader::failure_of(int error) const {
  if (error == ECANCELED) return cancelled();
  return {status_code::io_error,
          "cannot read " + name() + ": " + std::strerror(error),
          {},
          error};
}

status source_reader::open() {
  switch (state().what) {
    case detail::source_state::kind::descriptor:
      return open_descriptor();
    case detail::source_state::kind::memory:
      positional_ = true;
      size_ = state().memory.size();
      return {};
    case detail::source_state::kind::callback:
      size_ = state().size;
      return {};
  }
  return {};
}

status source_reader::open_descriptor() {
  const int fd = state().fd;
  struct stat info{};
  if (::fstat(fd, &info) != 0) return failure_of(errno);
  if (S_ISDIR(info.st_mode)) return failure_of(EISDIR);
  const int access = ::fcntl(fd, F_GETFL) & O_ACCMODE;
  if (access == O_WRONLY) return failure_of(EBADF);
  if (S_ISREG(info.st_mode)) identity_ = file_id{info.st_dev, info.st_ino};
  if (S_ISREG(info.st_mode) || S_ISBLK(info.st_mode)) {
    const off_t offset = ::lseek(fd, 0, SEEK_CUR);
    if (offset < 0) return {};
    regular_ = true;
    position_ = start_ = static_cast<std::uint64_t>(offset);
    if (const auto size = size_of(fd, info)) {
      positional_ = true;
      size_ = *size - std::min(*size, start_);
      (void)::posix_fadvise(fd, offset, 0, POSIX_FADV_SEQUENTIAL);
    }
  } else {
    pollable_ = S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) ||
                S_ISCHR(info.st_mode);
    if (S_ISFIFO(info.st_mode)) (void)::fcntl(fd, F_SETPIPE_SZ, pipe_bytes);
  }
  return {};
}

std::optional<byte_view> source_reader::memory() const noexcept {
  const auto& state = from_.state();
  if (state.what != detail::source_state::kind::memory) return {};
  return state.memory;
}

task<source_reader::outcome> source_reader::read_at(std::uint64_t position,
                                                    byte_span buffer) {
  outcome result;
  while (result.bytes < buffer.size()) {
    if (cancelled_) {
      result.failure = cancelled();
      break;
    }
    io_request request;
    request.fd = state().fd;
    request.offset = start_ + position + result.bytes;
    request.data = buffer.data() + result.bytes;
    request.size = std::min(buffer.size() - result.bytes, max_read);
    request.tag = tag_;
    const io_result got = co_await io_.perform(request);
    if (got.error == EINTR || got.error == EAGAIN) continue;
    if (got.error != 0) {
      result.failure = failure_of(got.error);
      break;
    }
    if (got.bytes == 0) {
      result.failure = shorter(position + result.bytes);
      break;
    }
    result.bytes += got.bytes;
  }
  co_return result;
}

source_reader::outcome source_reader::read_here(std::uint64_t position,
                                                byte_span buffer) const {
  outcome result;
  while (result.bytes < buffer.size()) {
    const std::uint64_t offset = start_ + position + result.bytes;
    const ssize_t got =
        ::pread(from_.state().fd, buffer.data() + result.bytes,
                std::min(buffer.size() - result.bytes, max_read),
                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) result.failure = failure_of(errno);
    if (got == 0) result.failure = shorter(position + result.bytes);
    if (got <= 0) break;
    result.bytes += static_cast<std::size_t>(got);
  }
  return result;
}

status source_reader::shorter(std::uint64_t position) const {
  return {status_code::io_error,
          name() + " became shorter while it was read: " +
              std::to_string(position) + " bytes of " + std::to_string(*size_)};
}

task<source_reader::outcome> source_reader::read_some(byte_span buffer) {
  outcome result;
  if (cancelled_) {
    result.failure = cancelled();
    co_return result;
  }
  if (state().what == detail::source_state::kind::callback) {
    ++callback_reads_;
    auto call = [this, buffer] {
      return guarded([&] { return state().read(buffer); });
    };
    auto got = co_await blocking_.run(call);
    if (!got.ok())
      result.failure = got.error();
    else if (*got > buffer.size())
      result.failure = {status_code::internal,
                        "a source callback returned more than it was given"};
    else
      result.bytes = *got;
    co_return result;
  }
  io_request request;
  request.fd = state().fd;
  request.pollable = pollable_;
  if (regular_) request.offset = position_;
  request.data = buffer.data();
  request.size = std::min(buffer.size(), max_read);
  request.tag = tag_;
  for (;;) {
    const io_result got = co_await io_.perform(request);
    if ((got.error == EINTR || got.error == EAGAIN) && !cancelled_) continue;
    if (got.error != 0)
      result.failure = failure_of(cancelled_ ? ECANCELED : got.error);
    else
      result.bytes = got.bytes;
    position_ += result.bytes;
    co_return result;
  }
}

void source_reader::cancel() {
  if (cancelled_) return;
  cancelled_ = true;
  io_.cancel(tag_);
}

void source_reader::leave_at(std::uint64_t position) {
  if (positional_ && state().what == detail::source_state::kind::descriptor)
    (void)::lseek(state().fd, static_cast<off_t>(start_ + position), SEEK_SET);
}

std::size_t source_reader::ready_bytes() const {
  int ready = 0;
  if (!pollable_ || ::ioctl(from_.state().fd, FIONREAD, &ready) != 0) return 0;
  return ready > 0 ? static_cast<std::size_t>(ready) : 0;
}

}  // namespace nexus
