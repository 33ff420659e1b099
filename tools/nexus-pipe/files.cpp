#include "files.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "stop_event.hpp"

namespace nexus::tool {
namespace {

int write_whole(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// Devices and pipes cannot be synced.
int sync_whole(int fd) noexcept {
  return ::fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
}

// A link to a descriptor of this process: what it says is no path to what it
// stands for.
bool names_descriptor(const std::string& path) {
  const std::string own = "/proc/" + std::to_string(::getpid()) + "/fd/";
  return path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/") ||
         path.starts_with("/proc/thread-self/fd/") || path.starts_with(own);
}

// The file that a path leads to, also where it does not exist yet.
std::string follow_links(std::string path) {
  namespace fs = std::filesystem;
  constexpr int most_links = 40;
  for (int i = 0; i < most_links && !names_descriptor(path); ++i) {
    std::error_code failed;
    const fs::path to = fs::read_symlink(path, failed);
    if (failed) break;
    path = (fs::path(path).parent_path() / to).string();
  }
  return path;
}

// With its last slash; empty: the working directory.
std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

mode_t mode_of_new_file() noexcept {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

std::string display_name(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

status system_failure(const char* action, const std::string& name, int error) {
  return {error == EPIPE ? status_code::broken_pipe : status_code::io_error,
          std::string("cannot ") + action + " " + name + ": " + strerror(error),
          {},
          error};
}

void occupy_standard_descriptors() noexcept {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one. The wrong direction, on purpose.
    const int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int opened = ::open("/dev/null", mode);
  }
}

descriptor::~descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

descriptor::descriptor(descriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

bool is_fifo(const std::string& path) noexcept {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 && S_ISFIFO(facts.st_mode);
}

result<descriptor> open_to_read(const std::string& path) {
  const int mode = O_RDONLY | O_CLOEXEC | O_NOCTTY;
  const int fd = ::open(path.c_str(), is_fifo(path) ? mode | O_NONBLOCK : mode);
  if (fd < 0) return system_failure("read", path, errno);
  return descriptor(fd);
}

input_file::input_file(int fd, descriptor owned, std::string name) noexcept
    : fd_(fd), owned_(std::move(owned)), name_(std::move(name)) {}

result<input_file> input_file::open(const std::string& path) {
  if (path == "-") return borrow(STDIN_FILENO);
  result<descriptor> opened = open_to_read(path);
  if (!opened) return opened.error();
  const int fd = opened->get();
  return input_file(fd, *std::move(opened), path);
}

input_file input_file::borrow(int fd) {
  return {fd, descriptor(),
          fd == STDIN_FILENO ? "standard input"
                             : "descriptor " + std::to_string(fd)};
}

result<std::size_t> input_file::read(std::span<std::byte> into,
                                     const stop_event& stop) {
  while (true) {
    const result<bool> ready = stop.wait(fd_, POLLIN);
    if (!ready) return ready.error();
    const ssize_t got = ::read(fd_, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    // Others may have been faster, or have made it one that does not block.
    if (errno == EINTR || errno == EAGAIN) continue;
    return system_failure("read", name_, errno);
  }
}

// What is no regular file. A FIFO has no writer's end before it has a reader,
// and a stop ends the wait for one.
result<descriptor> output_file::open_special(const std::string& path,
                                             const std::string& target,
                                             const stop_event* stop) {
  if (names_descriptor(target)) {
    const int number = std::atoi(target.c_str() + target.rfind('/') + 1);
    descriptor same(::fcntl(number, F_DUPFD_CLOEXEC, 3));
    if (same.get() < 0) return system_failure("write", path, errno);
    return same;
  }
  constexpr int mode = O_WRONLY | O_CLOEXEC | O_NOCTTY;
  constexpr int pause_ms = 20;
  if (stop == nullptr || !is_fifo(target)) {
    descriptor opened(::open(target.c_str(), mode));
    if (opened.get() < 0) return system_failure("write", path, errno);
    return opened;
  }
  for (;;) {
    descriptor opened(::open(target.c_str(), mode | O_NONBLOCK));
    if (opened.get() >= 0) return opened;
    if (errno != ENXIO) return system_failure("write", path, errno);
    const result<bool> waited = stop->wait(-1, 0, pause_ms);
    if (!waited) return waited.error();
  }
}

result<output_file> output_file::create(const std::string& path,
                                        const stop_event* stop) {
  std::string target = follow_links(path);
  struct stat facts{};
  const bool exists = ::stat(target.c_str(), &facts) == 0;
  if (names_descriptor(target) || (exists && !S_ISREG(facts.st_mode))) {
    result<descriptor> opened = open_special(path, target, stop);
    if (!opened) return opened.error();
    return output_file(*std::move(opened), path, std::move(target), {});
  }
  // A file that must not be written must not be replaced either.
  if (exists && ::access(target.c_str(), W_OK) != 0) {
    return system_failure("write", path, errno);
  }
  constexpr std::string_view suffix = ".tmp";
  std::string name = directory_of(target) + ".nexus-pipe-XXXXXX";
  name += suffix;
  const int fd = ::mkostemps(name.data(), suffix.size(), O_CLOEXEC);
  if (fd < 0) return system_failure("make", path, errno);
  ::fchmod(fd, exists ? facts.st_mode & 0777 : mode_of_new_file());
  return output_file(descriptor(fd), path, std::move(target), std::move(name));
}

output_file::~output_file() {
  if (file_.get() >= 0 && !temporary_.empty()) ::unlink(temporary_.c_str());
}

status output_file::write(std::span<const std::byte> data,
                          const stop_event* stop) {
  if (stop != nullptr && temporary_.empty())
    return write_when_ready(file_.get(), path_, data, *stop);
  const std::string_view text(reinterpret_cast<const char*>(data.data()),
                              data.size());
  const int failure = write_whole(file_.get(), text);
  return failure == 0 ? status{} : system_failure("write", path_, failure);
}

// A write of up to PIPE_BUF bytes to a pipe that is ready does not wait.
status write_when_ready(int fd, const std::string& name,
                        std::span<const std::byte> data,
                        const stop_event& stop) {
  while (!data.empty()) {
    const result<bool> ready = stop.wait(fd, POLLOUT);
    if (!ready) return ready.error();
    const ssize_t put =
        ::write(fd, data.data(), std::min<std::size_t>(data.size(), PIPE_BUF));
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put < 0) return system_failure("write", name, errno);
    data = data.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

status output_file::commit(bool sync) {
  if (temporary_.empty()) return {};  // it was written directly
  const int failure = sync ? sync_whole(file_.get()) : 0;
  if (failure != 0) return system_failure("write", path_, failure);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    return system_failure("write", path_, errno);
  }
  temporary_.clear();
  if (!sync) return {};
  // Some file systems refuse to sync a directory; the name stands anyway.
  const std::string directory = directory_of(target_);
  const descriptor opened(::open(directory.empty() ? "." : directory.c_str(),
                                 O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) (void)::fsync(opened.get());
  return {};
}

status write_new_file(const std::string& path, std::string_view text,
                      unsigned mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        static_cast<mode_t>(mode));
  if (fd < 0) return system_failure("make", path, errno);
  int failure = write_whole(fd, text);
  if (failure == 0) failure = sync_whole(fd);
  if (::close(fd) != 0 && failure == 0) failure = errno;
  if (failure == 0) return {};
  ::unlink(path.c_str());
  return system_failure("write", path, failure);
}

status make_private_directories(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) continue;
    // Where a parent refuses but the directory is there, go on.
    const int failure = errno;
    if (::access(directory.c_str(), F_OK) == 0) continue;
    return system_failure("make", directory, failure);
  }
  return {};
}

}  // namespace nexus::tool
