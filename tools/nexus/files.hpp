// Small files: read whole, replaced whole.
#pragma once

#include <filesystem>
#include <nexus/status.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace nexus::queue {

// Owns a descriptor.
class file_descriptor {
 public:
  file_descriptor() = default;
  explicit file_descriptor(int fd) noexcept : fd_(fd) {}
  file_descriptor(file_descriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept;
  ~file_descriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// "cannot WHAT PATH: reason", with errno as it stands.
[[nodiscard]] status system_failure(std::string_view what,
                                    const std::filesystem::path& path);

// io_error: it is there and cannot be read. A file that is not there is empty.
[[nodiscard]] result<std::string> read_file(const std::filesystem::path& path);

// The whole text under a new name, which then takes the place of the old: a
// reader sees one or the other, also after a crash.
[[nodiscard]] status replace_file(const std::filesystem::path& path,
                                  std::string_view text);

// All of it, through interruptions. False: errno says why.
[[nodiscard]] bool write_all(int fd, std::string_view text) noexcept;

// Runs until the result is destroyed; waits for others who hold it.
[[nodiscard]] result<file_descriptor> lock_file(
    const std::filesystem::path& path);

}  // namespace nexus::queue
