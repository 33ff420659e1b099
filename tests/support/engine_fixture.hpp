// Engines over the real CPU plugin and the stub, for tests of whole runs.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <nexus/age.hpp>
#include <nexus/engine.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/age_files.hpp"
#include "support/stub_control.h"

namespace nexus::test {

// The stub is one per process, since plugins are never unloaded.
class stub {
 public:
  stub() {
    const std::string path = NEXUS_TEST_STUB_DIR "/nexus-stub.so";
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      ADD_FAILURE() << ::dlerror();
      std::abort();
    }
    auto entry = reinterpret_cast<nexus_plugin_entry_fn>(
        ::dlsym(handle, NEXUS_PLUGIN_ENTRY_NAME));
    control_ = static_cast<const nexus_stub_control*>(
        entry(nullptr)->backend->get_extension(NEXUS_STUB_CONTROL));
    control_->reset();
  }
  ~stub() { control_->reset(); }
  stub(const stub&) = delete;
  stub& operator=(const stub&) = delete;

  void set(const std::string& settings) {
    ASSERT_EQ(control_->configure(settings.c_str()), NEXUS_OK) << settings;
  }
  const nexus_stub_control* operator->() const { return control_; }
  nexus_stub_counters counters(std::uint32_t device) const {
    nexus_stub_counters c{};
    control_->counters(device, &c);
    return c;
  }

 private:
  const nexus_stub_control* control_;
};

// Tests that run away from the build tree say where they took the plugins.
inline std::string plugin_folder() {
  const char* given = std::getenv("NEXUS_TEST_PLUGIN_DIR");
  return given != nullptr ? given : NEXUS_TEST_PLUGIN_DIR;
}

// Two workers, the CPU plugin alone.
inline engine_options cpu_options(std::uint32_t threads = 2) {
  engine_options options;
  options.plugin_directories = {plugin_folder()};
  options.max_threads = threads;
  options.memory_bytes = 64u << 20;
  return options;
}

// The stub's devices alone.
inline engine_options stub_options() {
  engine_options options = cpu_options();
  options.plugin_directories = {NEXUS_TEST_STUB_DIR};
  options.backend = "stub";
  options.segment_bytes = 128u << 10;
  return options;
}

// All of them.
inline engine_options mixed_options() {
  engine_options options = cpu_options();
  options.plugin_directories = {NEXUS_TEST_STUB_DIR, plugin_folder()};
  options.gpu_min_input_bytes = 0;
  options.gpu_threshold_bytes = 128u << 10;
  options.segment_bytes = 128u << 10;
  return options;
}

struct engine_result {
  run_report report;
  bytes output;
};

inline engine_result run_in_memory(engine& with, operation& work,
                                   byte_view input, run_options options = {}) {
  engine_result result;
  result.report = with.run(work, source::from_memory(input),
                           sink::to_memory(result.output), std::move(options));
  return result;
}

inline engine_result encrypt_with(engine& with, byte_view text,
                                  bool armor = false,
                                  run_options options = {}) {
  auto work = age::make_encrypt(to_test_identity(armor));
  return run_in_memory(with, *work, text, std::move(options));
}

inline std::unique_ptr<operation> decryption() {
  age::decrypt_options options;
  options.identities.push_back(test_identity());
  return age::make_decrypt(std::move(options));
}

inline engine_result decrypt_with(engine& with, byte_view file,
                                  run_options options = {}) {
  auto work = decryption();
  return run_in_memory(with, *work, file, std::move(options));
}

// A pipe whose writing end a thread feeds in pieces of changing size.
class fed_pipe {
 public:
  explicit fed_pipe(byte_view data) {
    if (::pipe2(ends_, O_CLOEXEC) != 0) std::abort();
    feeder_ = std::thread([this, data] {
      std::size_t piece = 1;
      for (byte_view rest = data; !rest.empty();) {
        const std::size_t n = std::min(piece, rest.size());
        const ssize_t put = ::write(ends_[1], rest.data(), n);
        if (put <= 0) break;
        rest = rest.subspan(static_cast<std::size_t>(put));
        piece = piece * 7 % 100003 + 1;
      }
      ::close(ends_[1]);
    });
  }
  ~fed_pipe() {
    ::close(ends_[0]);
    feeder_.join();
  }
  fed_pipe(const fed_pipe&) = delete;
  fed_pipe& operator=(const fed_pipe&) = delete;
  [[nodiscard]] int fd() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
  std::thread feeder_;
};

// A directory that goes with everything in it.
class scratch_directory {
 public:
  scratch_directory() {
    const char* base = std::getenv("TMPDIR");
    std::string pattern =
        std::string(base != nullptr ? base : "/tmp") + "/nexus-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~scratch_directory() {
    const std::string command = "rm -rf '" + path_ + "'";
    if (std::system(command.c_str()) != 0) ADD_FAILURE() << command;
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, byte_view data) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ASSERT_GE(fd, 0) << path;
  ASSERT_EQ(::write(fd, data.data(), data.size()),
            static_cast<ssize_t>(data.size()));
  ::close(fd);
}

inline bytes read_file(const std::string& path) {
  bytes data;
  const int fd = ::open(path.c_str(), O_RDONLY);
  if (fd < 0) return data;
  std::byte piece[65536];
  for (ssize_t n = 0; (n = ::read(fd, piece, sizeof piece)) > 0;)
    data.insert(data.end(), piece, piece + n);
  ::close(fd);
  return data;
}

}  // namespace nexus::test
