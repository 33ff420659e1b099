// A made-up /proc and /sys under the temporary directory, gone at the end.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nexus/hardware.hpp>
#include <string>
#include <string_view>

namespace nexus::test {

class machine_tree {
 public:
  // With cgroups of version 2 mounted, and nothing else.
  machine_tree() {
    std::string pattern = testing::TempDir() + "nexus-machine-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    top_ = pattern;
    write("proc/self/mountinfo",
          "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  }
  ~machine_tree() { std::filesystem::remove_all(top_); }
  machine_tree(const machine_tree&) = delete;
  machine_tree& operator=(const machine_tree&) = delete;

  [[nodiscard]] hardware_roots roots() const {
    return {top_ + "/proc", top_ + "/sys"};
  }
  // A reader sees the old text or the new one.
  void write(const std::string& path, std::string_view text) {
    namespace fs = std::filesystem;
    const fs::path file = top_ + '/' + path;
    fs::create_directories(file.parent_path());
    const fs::path fresh = file.string() + ".new";
    std::ofstream(fresh) << text;
    fs::rename(fresh, file);
  }
  // One cgroup's file, below /sys/fs/cgroup.
  void group(const std::string& path, std::string_view text) {
    write("sys/fs/cgroup" + path, text);
  }
  void member(std::string_view lines) { write("proc/self/cgroup", lines); }
  void mount_v1(const std::string& controller) {
    write("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup/" + controller +
                                     " rw - cgroup cgroup rw," + controller +
                                     "\n");
  }
  void memory(std::uint64_t total, std::uint64_t available) {
    write("proc/meminfo", "MemTotal: " + std::to_string(total / 1024) +
                              " kB\nMemAvailable: " +
                              std::to_string(available / 1024) + " kB\n");
  }

 private:
  std::string top_;
};

}  // namespace nexus::test
