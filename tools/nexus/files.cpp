#include "files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nexus::queue {

file_descriptor& file_descriptor::operator=(file_descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void file_descriptor::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

status system_failure(std::string_view what,
                      const std::filesystem::path& path) {
  const int code = errno;
  return {
      status_code::io_error,
      fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(code)),
      {},
      code};
}

result<std::string> read_file(const std::filesystem::path& path) {
  const file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return std::string();
    return system_failure("read", path);
  }
  std::string text;
  char block[65536];
  for (;;) {
    const ssize_t got = ::read(file.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read", path);
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
}

bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

status replace_file(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::path fresh = path;
  fresh += ".new";
  const file_descriptor file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return system_failure("write", fresh);
  if (!write_all(file.get(), text) || ::fsync(file.get()) != 0) {
    const status failure = system_failure("write", fresh);
    ::unlink(fresh.c_str());
    return failure;
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return system_failure("replace", path);
  }
  return {};
}

result<file_descriptor> lock_file(const std::filesystem::path& path) {
  file_descriptor file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return system_failure("open", path);
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return system_failure("lock", path);
  }
  return file;
}

}  // namespace nexus::queue
