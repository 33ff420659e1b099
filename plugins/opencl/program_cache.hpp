// Built programs on disk: $XDG_CACHE_HOME/nexus-pipe/opencl, or below
// ~/.cache. Whatever goes wrong here costs a build, no more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nexus::opencl {

class program_cache {
 public:
  // `folder`: where to keep files; empty: keep none.
  explicit program_cache(std::string folder) : folder_(std::move(folder)) {}

  // The user's folder; empty for a process with raised privileges, which is
  // not to trust its environment, and where no home is known.
  static std::string users_folder();

  // What store() kept under exactly this key, which may be any text. Answers
  // only from files that are the user's own and that nobody else may write.
  std::optional<std::vector<unsigned char>> load(const std::string& key) const;

  // Readers see the whole file or none.
  void store(const std::string& key,
             const std::vector<unsigned char>& binary) const;

 private:
  std::string path_of(const std::string& key) const;

  std::string folder_;
};

}  // namespace nexus::opencl
