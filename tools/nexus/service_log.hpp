// What the service says of its work: to its session and into a file.
#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <nexus/status.hpp>
#include <string>
#include <string_view>

#include "store.hpp"

namespace nexus::queue {

// From any thread.
class service_log {
 public:
  explicit service_log(std::filesystem::path file);
  // "[2024-10-24 15:30:15] text". A disk that is full costs the line only.
  void say(std::string_view text);
  // A failure, which will be tried again: said once a minute at most.
  void check(const status& done);

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
  std::string last_failure_;
  std::chrono::steady_clock::time_point said_{};
};

// "GPU 0", "GPUs 0,2", "no GPU".
[[nodiscard]] std::string where_of(const job& which);
// "Job abc completed successfully on GPU 0".
[[nodiscard]] std::string describe_end(const job& which);
// Control characters as '?', and newlines as a sign for them.
[[nodiscard]] std::string one_line(std::string_view command);

}  // namespace nexus::queue
