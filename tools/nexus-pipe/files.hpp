// Small files, read to the end or written whole: what a run's streams are not.
#pragma once

#include <cstddef>
#include <nexus/status.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace nexus::tool {

// "standard input" for "-", else the path.
[[nodiscard]] std::string display_name(const std::string& path);

// io_error (broken_pipe for EPIPE) as "cannot read NAME: No such file or
// directory", with action "read".
[[nodiscard]] status system_failure(const char* action, const std::string& name,
                                    int error);

// Descriptors 0, 1 and 2 that the parent closed are opened so that using them
// fails: otherwise an output file would take the number, and with it messages.
void occupy_standard_descriptors() noexcept;

// One that is closed when it goes; -1: none.
class descriptor {
 public:
  explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~descriptor();
  descriptor(descriptor&& other) noexcept;
  descriptor& operator=(descriptor&& other) noexcept;

  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// Whether the path leads to a named pipe.
[[nodiscard]] bool is_fifo(const std::string& path) noexcept;

// For reading. A named pipe is opened at once, and so that it does not block,
// also where nobody writes to it yet: poll it before every read, or there may
// seem to be an end.
[[nodiscard]] result<descriptor> open_to_read(const std::string& path);

class stop_event;

class input_file {
 public:
  // "-" borrows standard input.
  [[nodiscard]] static result<input_file> open(const std::string& path);
  [[nodiscard]] static input_file borrow(int fd);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Fills part of the buffer; 0 is the end. cancelled: a stop was requested.
  [[nodiscard]] result<std::size_t> read(std::span<std::byte> into,
                                         const stop_event& stop);

 private:
  input_file(int fd, descriptor owned, std::string name) noexcept;
  int fd_;
  descriptor owned_;  // fd_, unless that is borrowed
  std::string name_;
};

// A file that is there whole, under its name, or not at all. What is no regular
// file, such as a device, is written to directly.
class output_file {
 public:
  // Makes a temporary beside the file that the path leads to. A stop ends the
  // wait for a FIFO's reader; without one, signals end the process.
  [[nodiscard]] static result<output_file> create(
      const std::string& path, const stop_event* stop = nullptr);
  // Removes it unless it was committed.
  ~output_file();
  output_file(output_file&&) noexcept = default;
  output_file& operator=(output_file&&) = delete;

  [[nodiscard]] status write(std::span<const std::byte> data,
                             const stop_event* stop = nullptr);
  // Gives it its name, also one that another file has. sync: and waits until
  // it is safe on the disk.
  [[nodiscard]] status commit(bool sync);

 private:
  static result<descriptor> open_special(const std::string& path,
                                         const std::string& target,
                                         const stop_event* stop);
  output_file(descriptor file, std::string path, std::string target,
              std::string temporary)
      : file_(std::move(file)),
        path_(std::move(path)),
        target_(std::move(target)),
        temporary_(std::move(temporary)) {}

  descriptor file_;
  std::string path_;       // as the user wrote it
  std::string target_;     // where its links lead
  std::string temporary_;  // empty once it is gone
};

// To a descriptor whose reader may take its time. cancelled: a stop was
// requested.
[[nodiscard]] status write_when_ready(int fd, const std::string& name,
                                      std::span<const std::byte> data,
                                      const stop_event& stop);

// Makes a file that was not there: never overwrites, and leaves nothing behind
// on failure. mode: before the umask.
[[nodiscard]] status write_new_file(const std::string& path,
                                    std::string_view text, unsigned mode);

// The directories above the path, those that are missing as 0700.
[[nodiscard]] status make_private_directories(const std::string& path);

}  // namespace nexus::tool
