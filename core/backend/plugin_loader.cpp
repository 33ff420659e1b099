#include "backend/plugin_loader.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "backend/plugin_checks.hpp"

namespace nexus {

// The host as one engine's plugins see it. Never destroyed: a plugin may keep
// the table until the process is gone.
struct plugin_loader::host_record {
  nexus_host table{};
  log_function log;       // empty once the engine is gone
  std::string requested;  // empty: nothing
};

namespace {

using host_record = plugin_loader::host_record;

// What outlives every engine, as the plugins do.
struct process_plugins {
  std::mutex mutex;  // of what follows
  std::vector<std::unique_ptr<host_record>> hosts;
  std::set<std::string> requests;  // kept for ever: plugins point into it
  // What the entries are given: no engine's in particular.
  nexus_host table{};

  std::mutex loading;  // of what follows, also while an entry runs
  std::map<file_id, plugin_candidate> entered;  // by file, once called
};

process_plugins& the_process();

void call(const log_function& log, const char* line) noexcept {
  try {
    if (log) log(line);
  } catch (...) {
    // The caller is a plugin's C code.
  }
}

// Logs are called under the lock: none goes away meanwhile, and a log must not
// call into the library.
void log_to_one(void* context, int32_t, const char* line) {
  if (context == nullptr || line == nullptr) return;
  const std::lock_guard lock(the_process().mutex);
  call(static_cast<host_record*>(context)->log, line);
}

void log_to_all(void*, int32_t, const char* line) {
  if (line == nullptr) return;
  auto& process = the_process();
  const std::lock_guard lock(process.mutex);
  for (const auto& host : process.hosts) call(host->log, line);
}

const void* extension_of_one(void* context, const char* name) {
  if (context == nullptr || name == nullptr ||
      std::string_view(name) != NEXUS_HOST_REQUESTED)
    return nullptr;
  auto& process = the_process();
  const std::lock_guard lock(process.mutex);
  const auto& wish = static_cast<host_record*>(context)->requested;
  if (wish.empty()) return nullptr;
  return process.requests.insert(wish).first->c_str();
}

const void* extension_of_all(void*, const char*) {
  return nullptr;
}

nexus_host blank_host() {
  nexus_host table{};
  table.size = sizeof table;
  table.abi_major = NEXUS_ABI_MAJOR;
  table.abi_minor = NEXUS_ABI_MINOR;
  return table;
}

process_plugins& the_process() {
  static auto* only = [] {
    auto* made = new process_plugins;
    made->table = blank_host();
    made->table.log = log_to_all;
    made->table.get_extension = extension_of_all;
    return made;
  }();
  return *only;
}

// Calls the entry, whatever comes of it. From then on the file is known.
plugin_candidate enter_plugin(const std::string& path,
                              nexus_plugin_entry_fn entry) {
  auto checked = check_plugin(entry(&the_process().table), path);
  if (!checked.ok()) return {path, checked.error().message(), nullptr, {}};
  return {
      path, {}, std::make_shared<const loaded_plugin>(std::move(*checked)), {}};
}

plugin_candidate open_plugin(const std::string& path) {
  const auto refused = [&path](const std::string& reason) {
    return plugin_candidate{path, reason, nullptr, {}};
  };
  const auto file = check_plugin_file(path);
  if (!file.ok()) return refused(file.error().message());
  auto& process = the_process();
  const std::lock_guard lock(process.loading);
  if (const auto known = process.entered.find(*file);
      known != process.entered.end()) {
    plugin_candidate again = known->second;
    again.path = path;
    return again;
  }
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return refused(why != nullptr ? why : "it cannot be loaded");
  }
  auto entry = reinterpret_cast<nexus_plugin_entry_fn>(
      ::dlsym(handle, NEXUS_PLUGIN_ENTRY_NAME));
  if (entry == nullptr)
    return refused("it exports no " NEXUS_PLUGIN_ENTRY_NAME);
  return process.entered.emplace(*file, enter_plugin(path, entry))
      .first->second;
}

std::vector<std::string> split_path(const char* text) {
  std::vector<std::string> parts;
  for (std::string rest = text; !rest.empty();) {
    const auto colon = rest.find(':');
    if (auto part = rest.substr(0, colon); !part.empty())
      parts.push_back(std::move(part));
    if (colon == std::string::npos) break;
    rest.erase(0, colon + 1);
  }
  return parts;
}

// Why there can be no plugin in it, or empty.
std::string missing(const std::string& directory) {
  struct stat info{};
  if (::stat(directory.c_str(), &info) != 0) return std::strerror(errno);
  return S_ISDIR(info.st_mode) ? "" : "not a directory";
}

result<std::vector<std::string>> plugin_files(const std::string& directory) {
  std::vector<std::string> files;
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr)
    return status(status_code::unsupported, std::strerror(errno));
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name.starts_with("nexus-") && name.ends_with(".so"))
      files.push_back(directory + "/" + name);
  }
  ::closedir(dir);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string default_plugin_directory() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&default_plugin_directory), &info) == 0)
    return {};
  char resolved[PATH_MAX];
  if (::realpath(info.dli_fname, resolved) == nullptr) return {};
  std::string self = resolved;
  // Beside the library; or, where it was linked into a program, from its bin/.
  self.resize(self.rfind('/'));
  for (const char* beside :
       {"/nexus-pipe/plugins", "/../lib/nexus-pipe/plugins"})
    if (::realpath((self + beside).c_str(), resolved) != nullptr)
      return resolved;
  return self + "/nexus-pipe/plugins";  // where one looks for it in vain
}

plugin_loader::plugin_loader(std::vector<std::string> directories,
                             log_function log)
    : directories_(std::move(directories)),
      given_(!directories_.empty()),
      log_(std::move(log)) {
  auto made = std::make_unique<host_record>();
  host_ = made.get();
  host_->table = blank_host();
  host_->table.context = host_;
  host_->table.log = log_to_one;
  host_->table.get_extension = extension_of_one;
  host_->log = log_;
  auto& process = the_process();
  {
    const std::lock_guard lock(process.mutex);
    process.hosts.push_back(std::move(made));
  }
  if (given_) return;
  // secure_getenv knows set-user-ID programs and file capabilities.
  if (const char* path = ::secure_getenv("NEXUS_PLUGIN_PATH"))
    directories_ = split_path(path);
  if (auto own = default_plugin_directory(); !own.empty())
    directories_.push_back(std::move(own));
}

void plugin_loader::set_requested(const std::string& name) {
  const std::lock_guard lock(the_process().mutex);
  host_->requested = name;
}

plugin_loader::~plugin_loader() {
  const std::lock_guard lock(the_process().mutex);
  host_->log = nullptr;
}

const nexus_host* plugin_loader::host() const noexcept {
  return &host_->table;
}

void plugin_loader::refuse(const std::string& path, const std::string& what,
                           const std::string& reason) {
  for (const auto& known : candidates_)
    if (known.path == path) return;
  candidates_.push_back({path, reason, nullptr, {}});
  if (log_) log_(what + " refused: " + path + ": " + reason);
}

void plugin_loader::consider(const std::string& path) {
  char resolved[PATH_MAX];
  const std::string real =
      ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
  for (const auto& known : candidates_)
    if (known.path == real) return;
  plugin_candidate candidate = open_plugin(real);
  if (!candidate.plugin) return refuse(real, "plugin", candidate.reason);
  for (const auto& known : candidates_) {
    if (known.plugin == candidate.plugin) return;  // under another name
    if (known.plugin && known.plugin->name == candidate.plugin->name)
      return refuse(real, "plugin",
                    "another plugin of this name was found first");
  }
  hide_operations(candidate);
  if (log_) log_("plugin loaded: " + real);
  candidates_.push_back(std::move(candidate));
}

// Of two operations of one name the first stands.
void plugin_loader::hide_operations(plugin_candidate& candidate) const {
  for (const auto& operation : candidate.plugin->operations) {
    for (const auto& known : candidates_) {
      if (!known.plugin || !known.brings(operation.name)) continue;
      candidate.hidden.push_back({operation.name, known.plugin->name});
      if (log_)
        log_("plugin " + candidate.plugin->name + ": its operation \"" +
             operation.name + "\" is hidden by that of plugin " +
             known.plugin->name);
      break;
    }
  }
}

bool plugin_candidate::brings(std::string_view operation) const {
  for (const auto& [name, by] : hidden)
    if (name == operation) return false;
  return plugin != nullptr &&
         std::any_of(
             plugin->operations.begin(), plugin->operations.end(),
             [&](const nexus_operation& has) { return operation == has.name; });
}

status plugin_loader::check_directories() const {
  if (!given_) return {};
  for (const auto& directory : directories_)
    if (const std::string reason = missing(directory); !reason.empty())
      return {status_code::invalid_argument,
              "plugin directory " + directory + ": " + reason};
  return {};
}

void plugin_loader::load(const std::string& name) {
  if (!is_plugin_name(name.c_str()) || name.find('\0') != std::string::npos)
    return refuse(name, "plugin", "names of plugins are [a-z0-9-]+");
  for (const auto& directory : directories_) {
    const std::string path = directory + "/nexus-" + name + ".so";
    if (directory.starts_with('/') && !directory_is_open_to_all(directory) &&
        ::access(path.c_str(), F_OK) == 0)
      consider(path);
  }
}

void plugin_loader::load_all() {
  if (std::exchange(all_loaded_, true)) return;
  for (const auto& directory : directories_) {
    std::string reason = directory.starts_with('/') ? missing(directory)
                                                    : "not an absolute path";
    if (reason.empty() && directory_is_open_to_all(directory))
      reason = "anyone may write to it";
    if (reason.empty()) {
      const auto files = plugin_files(directory);
      if (files.ok())
        for (const auto& path : *files) consider(path);
      else
        reason = files.error().message();
    }
    if (!reason.empty()) refuse(directory, "plugin directory", reason);
  }
}

}  // namespace nexus
