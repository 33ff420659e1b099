#include "io/sink_writer.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "async/exception.hpp"

namespace nexus {
namespace {

constexpr int pipe_bytes = 1 << 20;
// Of one call on another's thread: between two it looks whether to stop.
constexpr std::size_t most_here = 4u << 20;

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The descriptor of this process that a path names, or -1. What such a link
// says is no path to what it stands for.
int descriptor_named(const std::string& path) {
  const std::string own = "/proc/" + std::to_string(::getpid()) + "/fd/";
  for (const std::string& folder :
       {std::string("/dev/fd/"), std::string("/proc/self/fd/"),
        std::string("/proc/thread-self/fd/"), own}) {
    if (!path.starts_with(folder)) continue;
    int number = -1;
    const char* const end = path.data() + path.size();
    const auto read = std::from_chars(path.data() + folder.size(), end, number);
    return read.ec == std::errc() && read.ptr == end ? number : -1;
  }
  return -1;
}

// The file that a path leads to, also where it does not exist yet.
std::string follow_links(std::string path) {
  constexpr int most_links = 40;
  char text[PATH_MAX];
  for (int i = 0; i < most_links && descriptor_named(path) < 0; ++i) {
    const ssize_t size = ::readlink(path.c_str(), text, sizeof text);
    if (size <= 0) break;
    const std::string to(text, static_cast<std::size_t>(size));
    path = to.front() == '/' ? to : directory_of(path) + "/" + to;
    if (i + 1 == most_links) path.clear();
  }
  return path;
}

std::string random_suffix() {
  static constexpr char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char raw[10] = {};
  (void)!::getrandom(raw, sizeof raw, 0);
  std::string text;
  for (const unsigned char byte : raw) text += letters[byte % 32];
  return text;
}

// What is left of the pieces after their first bytes were written.
std::span<iovec> drop_front(std::span<iovec> pieces, std::size_t size) {
  while (!pieces.empty() && size >= pieces.front().iov_len) {
    size -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (size != 0) {
    iovec& first = pieces.front();
    first.iov_base = static_cast<std::byte*>(first.iov_base) + size;
    first.iov_len -= size;
  }
  return pieces;
}

}  // namespace

sink_writer::sink_writer(sink to, io_service& io, blocking_pool& blocking,
                         io_tag tag)
    : to_(std::move(to)), io_(io), blocking_(blocking), tag_(tag) {}

sink_writer::~sink_writer() {
  io_.forget(tag_);
  remove_temporary();
}

status sink_writer::failure_of(int error, const char* doing) const {
  if (error == ECANCELED) return {status_code::cancelled, "stopped"};
  if (error == EPIPE)
    return {status_code::broken_pipe,
            "the reader of " + to_.name() + " went away",
            {},
            error};
  return {status_code::io_error,
          std::string("cannot ") + doing + " " + to_.name() + ": " +
              std::strerror(error),
          {},
          error};
}

status sink_writer::check(const std::optional<source_reader::file_id>& source) {
  struct stat info{};
  if (state().what == detail::sink_state::kind::file) {
    if (state().path.empty()) return failure_of(ENOENT, "create");
    target_ = follow_links(state().path);
    if (target_.empty()) return failure_of(ELOOP);
    const int named = descriptor_named(target_);
    if (named >= 0) {
      fd_ = ::fcntl(named, F_DUPFD_CLOEXEC, 3);
      if (fd_ < 0) return failure_of(errno);
    } else if (::stat(target_.c_str(), &info) != 0) {
      return {};
    }
    if (S_ISDIR(info.st_mode)) return failure_of(EISDIR);
  } else if (state().what == detail::sink_state::kind::descriptor) {
    fd_ = state().fd;
  } else {
    return {};
  }
  if (fd_ >= 0) {
    if (::fstat(fd_, &info) != 0) return failure_of(errno);
    const int access = ::fcntl(fd_, F_GETFL) & O_ACCMODE;
    if (access == O_RDONLY) return failure_of(EBADF);
    look_at(fd_);
    opened_ = true;
  }
  const source_reader::file_id id{info.st_dev, info.st_ino};
  if (source && S_ISREG(info.st_mode) && *source == id)
    return {status_code::invalid_argument,
            "input and output are the same file (" + to_.name() + ")",
            "write to another file and rename it afterwards"};
  return {};
}

void sink_writer::look_at(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return;
  pollable_ =
      S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) || S_ISCHR(info.st_mode);
  if (S_ISFIFO(info.st_mode)) (void)::fcntl(fd, F_SETPIPE_SZ, pipe_bytes);
  if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) return;
  // Written at explicit offsets: io_uring does not move a file's own position
  // when a write at it comes out short. (With O_APPEND they are ignored.)
  const off_t offset = ::lseek(fd, 0, SEEK_CUR);
  regular_ = offset >= 0;
  position_ = regular_ ? static_cast<std::uint64_t>(offset) : 0;
}

int sink_writer::write_here(std::uint64_t offset, byte_view data) noexcept {
  while (!data.empty()) {
    if (cancelled_) return ECANCELED;
    const ssize_t put =
        ::pwrite(fd_, data.data(), std::min(data.size(), most_here),
                 static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    if (put == 0) return EIO;
    ++lane_writes_;
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return 0;
}

void sink_writer::took(std::size_t size) noexcept {
  bytes_ += size;
  position_ += size;
}

// Whoever shares the descriptor goes on where we are, also after a crash.
void sink_writer::advance(std::size_t size) {
  bytes_ += size;
  if (!regular_) return;
  position_ += size;
  const bool append = (::fcntl(fd_, F_GETFL) & O_APPEND) != 0;
  (void)::lseek(fd_, append ? 0 : static_cast<off_t>(position_),
                append ? SEEK_END : SEEK_SET);
}

// A FIFO has no writer's end before it has a reader: waiting for one must end
// with the run. 0 or an errno.
int sink_writer::open_special(bool fifo) {
  constexpr auto pause = std::chrono::milliseconds(20);
  constexpr int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;
  for (;;) {
    fd_ = ::open(target_.c_str(), flags | O_NONBLOCK);
    if (fd_ >= 0) break;
    // A socket and a device without hardware answer the same, for ever.
    if (!fifo || errno != ENXIO) return errno;
    if (cancelled_) return ECANCELED;
    std::this_thread::sleep_for(pause);
  }
  const int now = ::fcntl(fd_, F_GETFL);
  (void)::fcntl(fd_, F_SETFL, now & ~O_NONBLOCK);
  return 0;
}

status sink_writer::open_file() {
  struct stat info{};
  const bool exists = ::stat(target_.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    if (const int error = open_special(S_ISFIFO(info.st_mode)); error != 0)
      return failure_of(error);
    look_at(fd_);
    return {};
  }
  // A file that must not be written must not be replaced either.
  if (exists && ::access(target_.c_str(), W_OK) != 0) return failure_of(errno);
  const std::string name =
      directory_of(target_) + "/.nexus-pipe-" + random_suffix() + ".tmp";
  fd_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
               exists ? 0600 : 0666);
  if (fd_ < 0) return failure_of(errno, "create");
  temporary_ = name;
  regular_ = true;
  if (exists) (void)::fchmod(fd_, info.st_mode & 0777);
  return {};
}

task<status> sink_writer::open() {
  if (std::exchange(opened_, true)) co_return status{};
  if (state().what != detail::sink_state::kind::file) co_return status{};
  auto make = [this] { return guarded([this] { return open_file(); }); };
  co_return co_await blocking_.run(make);
}

task<status> sink_writer::write(std::span<const byte_view> parts) {
  using kind = detail::sink_state::kind;
  if (cancelled_) co_return failure_of(ECANCELED);
  status outcome = co_await open();
  if (!outcome.ok()) co_return outcome;
  if (state().what == kind::file || state().what == kind::descriptor)
    co_return co_await write_descriptor(parts);
  for (const byte_view part : parts) {
    if (part.empty()) continue;
    if (state().what == kind::discard)
      bytes_ += part.size();
    else
      outcome = co_await hand_over(part);
    if (!outcome.ok()) co_return outcome;
  }
  co_return status{};
}

// To a callback or into memory, on a helper thread.
task<status> sink_writer::hand_over(byte_view part) {
  ++callback_writes_;
  auto take = [this, part]() -> status {
    if (state().what == detail::sink_state::kind::callback)
      return state().write(part);
    append(*state().memory, part);
    return {};
  };
  auto call = [&take] { return guarded(take); };
  status taken = co_await blocking_.run(call);
  if (taken.ok()) bytes_ += part.size();
  co_return taken;
}

task<status> sink_writer::write_descriptor(std::span<const byte_view> parts) {
  std::vector<iovec> pieces;
  for (const byte_view part : parts)
    if (!part.empty())
      pieces.push_back({const_cast<std::byte*>(part.data()), part.size()});
  for (std::span<iovec> rest(pieces); !rest.empty();) {
    if (cancelled_) co_return failure_of(ECANCELED);
    io_request request;
    request.what = io_request::kind::write;
    request.fd = fd_;
    request.pollable = pollable_;
    if (regular_) request.offset = position_;
    request.pieces = rest;
    request.tag = tag_;
    const io_result put = co_await io_.perform(request);
    if ((put.error == EINTR || put.error == EAGAIN) && !cancelled_) continue;
    if (put.error != 0) co_return failure_of(put.error);
    advance(put.bytes);
    rest = drop_front(rest, put.bytes);
  }
  co_return status{};
}

status sink_writer::finish_file() {
  status outcome;
  // What was written ahead may reach beyond the end.
  struct stat info{};
  const auto end = static_cast<off_t>(position_);
  if (!temporary_.empty() &&
      (::fstat(fd_, &info) != 0 ||
       (info.st_size > end && ::ftruncate(fd_, end) != 0)))
    outcome = failure_of(errno, "shorten");
  // Of what is no file, a disk can be synced; a pipe or a terminal cannot.
  if (outcome.ok() && state().options.sync && ::fsync(fd_) != 0 &&
      !(temporary_.empty() && errno == EINVAL))
    outcome = failure_of(errno, "sync");
  if (::close(std::exchange(fd_, -1)) != 0 && outcome.ok())
    outcome = failure_of(errno);
  if (temporary_.empty() || !outcome.ok()) return outcome;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    return failure_of(errno, "replace");
  temporary_.clear();
  if (!state().options.sync) return {};
  const int directory =
      ::open(directory_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return {};
  // Some file systems refuse to sync a directory; the rename stands anyway.
  (void)::fsync(directory);
  ::close(directory);
  return {};
}

task<status> sink_writer::commit() {
  if (cancelled_) co_return failure_of(ECANCELED);
  status opened = co_await open();
  if (!opened.ok()) co_return opened;
  if (state().what != detail::sink_state::kind::file) co_return status{};
  auto finish = [this] { return guarded([this] { return finish_file(); }); };
  co_return co_await blocking_.run(finish);
}

task<void> sink_writer::abandon() {
  auto remove = [this] {
    remove_temporary();
    return true;
  };
  (void)co_await blocking_.run(remove);
}

void sink_writer::remove_temporary() noexcept {
  if (state().what != detail::sink_state::kind::file) return;
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void sink_writer::cancel() {
  cancelled_ = true;
  io_.cancel(tag_);
}

}  // namespace nexus
