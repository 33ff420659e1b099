#include "home.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "files.hpp"

namespace nexus::queue {
namespace {

std::string user_folder() {
  const char* folder = std::getenv("HOME");
  if (folder != nullptr && *folder != '\0') return folder;
  const passwd* user = ::getpwuid(::getuid());
  return user != nullptr ? user->pw_dir : "/";
}

}  // namespace

std::filesystem::path expand_user(std::string_view path) {
  if (path == "~") return user_folder();
  if (path.starts_with("~/")) {
    return std::filesystem::path(user_folder()) / path.substr(2);
  }
  return path;
}

std::string shorten_user(const std::filesystem::path& path) {
  const std::string text = path.string();
  const std::string folder = user_folder() + "/";
  if (text.starts_with(folder)) return "~/" + text.substr(folder.size());
  return text;
}

result<home> open_home() {
  const char* given = std::getenv("NEXUS_HOME");
  home made;
  made.root = given != nullptr && *given != '\0'
                  ? expand_user(given)
                  : std::filesystem::path(user_folder()) / ".nexus";
  std::error_code error;
  made.root = std::filesystem::absolute(made.root, error).lexically_normal();
  if (std::filesystem::create_directories(made.root, error)) {
    // Commands and environments hold secrets.
    ::chmod(made.root.c_str(), 0700);
  }
  if (error) {
    return status(
        status_code::io_error,
        fmt::format("cannot make {}: {}", made.root.string(), error.message()),
        "NEXUS_HOME names another folder");
  }
  if (::access(made.root.c_str(), W_OK | X_OK) != 0) {
    const status failure = system_failure("write to", made.root);
    return status(failure.code(), failure.message(),
                  "NEXUS_HOME names another folder");
  }
  return made;
}

}  // namespace nexus::queue
