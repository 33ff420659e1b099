// Where everything lies: $NEXUS_HOME, or ~/.nexus.
#pragma once

#include <filesystem>
#include <nexus/status.hpp>
#include <string>
#include <string_view>

namespace nexus::queue {

struct home {
  std::filesystem::path root;

  [[nodiscard]] std::filesystem::path database() const {
    return root / "queue.db";
  }
  [[nodiscard]] std::filesystem::path config() const {
    return root / "config.toml";
  }
  // Held by the service as long as it runs; says who it is.
  [[nodiscard]] std::filesystem::path service_lock() const {
    return root / "service.lock";
  }
  [[nodiscard]] std::filesystem::path jobs_lock() const {
    return root / "jobs.lock";
  }
  [[nodiscard]] std::filesystem::path screenrc() const {
    return root / "screenrc";
  }
};

// Makes the folder where it is missing, for the user alone. io_error: it
// cannot be made or written to.
[[nodiscard]] result<home> open_home();

// A leading ~ or ~/ stands for $HOME.
[[nodiscard]] std::filesystem::path expand_user(std::string_view path);
// The reverse, for what people read.
[[nodiscard]] std::string shorten_user(const std::filesystem::path& path);

}  // namespace nexus::queue
