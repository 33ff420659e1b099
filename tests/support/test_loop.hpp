// An event loop that the test itself turns, and pipes and files to use on it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "async/completion.hpp"
#include "base/bytes.hpp"

namespace nexus::test {

class test_loop {
 public:
  asio::io_context context{1};

  // Runs whatever is ready, and what that makes ready.
  void settle() {
    context.restart();
    while (context.poll() != 0) context.restart();
  }

  // Turns the loop until done() holds; false after ten seconds.
  bool until(const std::function<bool()>& done) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      context.restart();
      context.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  // Turns the loop for a while.
  void spin(std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    until([deadline] { return std::chrono::steady_clock::now() > deadline; });
  }

  // Starts a coroutine whose value is put where `into` points to.
  template <class T>
  void start(task<T> work, std::optional<T>* into) {
    asio::co_spawn(context, std::move(work),
                   [into](std::exception_ptr thrown, T value) {
                     if (thrown) std::rethrow_exception(thrown);
                     *into = std::move(value);
                   });
  }
  // Runs a coroutine to its end. Throws where that takes ten seconds.
  template <class T>
  T run(task<T> work) {
    std::optional<T> value;
    start(std::move(work), &value);
    if (!until([&value] { return value.has_value(); }))
      throw std::runtime_error("the coroutine did not end");
    return std::move(*value);
  }

 private:
  asio::executor_work_guard<asio::io_context::executor_type> busy_{
      context.get_executor()};
};

// Both ends of a pipe; close() one early, or leave it to the destructor.
class pipe_pair {
 public:
  explicit pipe_pair(int flags = 0) {
    if (::pipe2(ends_, O_CLOEXEC | flags) != 0) std::abort();
  }
  ~pipe_pair() {
    close_read();
    close_write();
  }
  pipe_pair(const pipe_pair&) = delete;
  pipe_pair& operator=(const pipe_pair&) = delete;

  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  void close_read() { close_one(ends_[0]); }
  void close_write() { close_one(ends_[1]); }
  void put(std::string_view text) {
    ASSERT_EQ(::write(ends_[1], text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  // Writes until nothing more fits; how many bytes that were.
  std::size_t fill() {
    const int flags = ::fcntl(ends_[1], F_GETFL);
    ::fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK);
    std::size_t total = 0;
    const std::string piece(4096, 'f');
    for (ssize_t n = 0;
         (n = ::write(ends_[1], piece.data(), piece.size())) > 0;)
      total += static_cast<std::size_t>(n);
    ::fcntl(ends_[1], F_SETFL, flags);
    return total;
  }
  // Takes n bytes, or fewer where the stream ends.
  std::string get(std::size_t n) {
    std::string text;
    while (text.size() < n) {
      char piece[65536];
      const ssize_t got =
          ::read(ends_[0], piece, std::min(sizeof piece, n - text.size()));
      if (got <= 0) break;
      text.append(piece, static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  static void close_one(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int ends_[2] = {-1, -1};
};

// A descriptor that is closed at the end of its scope.
class scoped_fd {
 public:
  explicit scoped_fd(int fd) : fd_(fd) {
    if (fd_ < 0) ADD_FAILURE() << "cannot be opened";
  }
  scoped_fd(const std::string& path, int flags, mode_t mode = 0644)
      : scoped_fd(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~scoped_fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  scoped_fd(const scoped_fd&) = delete;
  scoped_fd& operator=(const scoped_fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace nexus::test
