// Finds plugins, checks them against the ABI and keeps them for the life of
// the process. A file is loaded once for all engines, and its entry called
// once; every engine has a host of its own.
#pragma once

#include <nexus/plugin.h>

#include <functional>
#include <memory>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus {

// A plugin that passed every check. Tables are copied in, cut or zero-filled
// to the sizes that this library knows, so that absent fields read as zero.
struct loaded_plugin {
  std::string path;
  std::string name;
  std::string version;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  bool has_backend = false;
  nexus_backend backend{};
  std::vector<nexus_operation> operations;
};

// A file that was looked at; the reason is empty where it was loaded.
struct plugin_candidate {
  std::string path;
  std::string reason;
  std::shared_ptr<const loaded_plugin> plugin;
  // Operations that another plugin, found first, brings as well, and which.
  std::vector<std::pair<std::string, std::string>> hidden;
  [[nodiscard]] bool brings(std::string_view operation) const;
};

using log_function = std::function<void(const std::string&)>;

class plugin_loader {
 public:
  // directories: absolute; where empty, NEXUS_PLUGIN_PATH (not under raised
  // privileges), then the library's own folder.
  plugin_loader(std::vector<std::string> directories, log_function log);
  ~plugin_loader();
  plugin_loader(const plugin_loader&) = delete;
  plugin_loader& operator=(const plugin_loader&) = delete;

  // invalid_argument: one of the directories that the constructor was given is
  // not there, or is none. Those of NEXUS_PLUGIN_PATH may be missing.
  [[nodiscard]] status check_directories() const;
  // Loads the plugin of this name ("cpu": nexus-cpu.so) if it is there and not
  // loaded yet. Anything but [a-z0-9-]+ is refused.
  void load(const std::string& name);
  // Loads every nexus-*.so of every directory. A later call looks no further.
  void load_all();
  // What the plugins are told of this engine's wish: a plugin's name, "*" for a
  // listing of everything, or nothing.
  void set_requested(const std::string& name);
  [[nodiscard]] bool all_loaded() const noexcept { return all_loaded_; }

  // In the order of loading, failures among them.
  [[nodiscard]] const std::vector<plugin_candidate>& candidates()
      const noexcept {
    return candidates_;
  }
  [[nodiscard]] const std::vector<std::string>& directories() const noexcept {
    return directories_;
  }
  // What this engine's plugins are to be called with; lives as long as the
  // process.
  [[nodiscard]] const nexus_host* host() const noexcept;

  struct host_record;

 private:
  void consider(const std::string& path);
  void refuse(const std::string& path, const std::string& what,
              const std::string& reason);
  void hide_operations(plugin_candidate& candidate) const;

  host_record* host_ = nullptr;
  std::vector<std::string> directories_;
  const bool given_;
  std::vector<plugin_candidate> candidates_;
  log_function log_;
  bool all_loaded_ = false;
};

// The folder that holds the plugins of this installation, or where it should
// be; empty where even that is not known.
[[nodiscard]] std::string default_plugin_directory();

}  // namespace nexus
