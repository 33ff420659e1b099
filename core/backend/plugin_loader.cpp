#include "backend/plugin_loader.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string_view>

namespace nexus {
namespace {

// A table of any size into one of the size that we know.
template <class T>
T copy_table(const T* from, std::uint32_t size) {
  T copy{};
  std::memcpy(&copy, from, std::min<std::size_t>(size, sizeof(T)));
  copy.size = sizeof(T);
  return copy;
}

status refuse(const std::string& reason) {
  return {status_code::unsupported, reason};
}

// The sizes of version 1.0: what a table must hold at the least.
#define NEXUS_SIZE_UP_TO(type, field) \
  (offsetof(type, field) + sizeof(type::field))
constexpr std::size_t min_plugin = NEXUS_SIZE_UP_TO(nexus_plugin, operations);
constexpr std::size_t min_backend =
    NEXUS_SIZE_UP_TO(nexus_backend, get_extension);
constexpr std::size_t min_operation = NEXUS_SIZE_UP_TO(nexus_operation, check);
#undef NEXUS_SIZE_UP_TO

std::string short_struct(const char* name, std::uint32_t has,
                         std::size_t needs) {
  return std::string(name) + " has " + std::to_string(has) +
         " bytes, version 1.0 needs " + std::to_string(needs);
}

bool valid_name(const char* name) {
  if (name == nullptr || *name == '\0') return false;
  return std::all_of(name, name + std::strlen(name), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

status check_backend(const nexus_backend& backend) {
  const std::pair<bool, const char*> mandatory[] = {
      {backend.probe != nullptr, "backend.probe"},
      {backend.caps != nullptr, "backend.caps"},
      {backend.open != nullptr, "backend.open"},
      {backend.close != nullptr, "backend.close"},
      {backend.submit != nullptr, "backend.submit"}};
  for (const auto& [present, name] : mandatory)
    if (!present) return refuse(std::string(name) + " is missing");
  if (backend.import_buffer != nullptr && backend.release_buffer == nullptr)
    return refuse("backend.release_buffer is missing");
  return {};
}

status check_operation(const nexus_operation& operation) {
  if (!valid_name(operation.name))
    return refuse("operation.name is missing or not [a-z0-9-]+");
  const std::pair<bool, const char*> mandatory[] = {
      {operation.create != nullptr, "create"},
      {operation.destroy != nullptr, "destroy"},
      {operation.plan != nullptr, "plan"},
      {operation.job != nullptr, "job"}};
  for (const auto& [present, name] : mandatory)
    if (!present)
      return refuse(std::string("operation.") + name + " is missing");
  return {};
}

// A file that was cut short is mapped all the same by the loader, which then
// dies of SIGBUS: every part must lie within the file.
status check_elf(int fd, std::uint64_t size) {
  Elf64_Ehdr head{};
  const ssize_t got = ::pread(fd, &head, sizeof head, 0);
  if (got < SELFMAG || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
    return refuse("not an ELF file");
  if (got != sizeof head || head.e_ident[EI_CLASS] != ELFCLASS64)
    return refuse("not an ELF file of this machine");
  for (std::uint64_t i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part{};
    const std::uint64_t at = head.e_phoff + i * head.e_phentsize;
    if (::pread(fd, &part, sizeof part, static_cast<off_t>(at)) != sizeof part)
      return refuse("the file is cut short");
    if (part.p_type == PT_LOAD &&
        (part.p_offset > size || part.p_filesz > size - part.p_offset))
      return refuse("the file is cut short");
  }
  return {};
}

// What may not be loaded at all, before any code of it runs.
status check_file(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return refuse(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return refuse("not a regular file");
  if ((info.st_mode & S_IWOTH) != 0)
    return refuse("anyone may write to it (chmod o-w)");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refuse(std::strerror(errno));
  status whole = check_elf(fd, static_cast<std::uint64_t>(info.st_size));
  ::close(fd);
  return whole;
}

// A directory from which no code is loaded: anyone could put some there.
bool directory_is_open_to_all(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0;
}

// Plugins outlive every engine, and so does what they were given.
struct process_host {
  nexus_host table{};
  std::mutex mutex;
  std::map<const plugin_loader*, log_function> logs;  // of engines that live
  std::map<std::string, plugin_candidate> by_path;
  std::string requested;
};

// To every engine that listens, under the lock: none goes away meanwhile, and
// a log must not call into the library.
void say(process_host& host, const char* line) noexcept {
  const std::lock_guard lock(host.mutex);
  for (const auto& [loader, log] : host.logs) {
    try {
      log(line);
    } catch (...) {
      // The caller is a plugin's C code.
    }
  }
}

process_host& the_host() {
  // Never destroyed: plugin threads may log until the process is gone.
  static auto* host = [] {
    auto* made = new process_host;
    made->table.size = sizeof(nexus_host);
    made->table.abi_major = NEXUS_ABI_MAJOR;
    made->table.abi_minor = NEXUS_ABI_MINOR;
    made->table.context = made;
    made->table.log = [](void* context, int32_t, const char* line) {
      auto* self = static_cast<process_host*>(context);
      if (line != nullptr) say(*self, line);
    };
    made->table.get_extension = [](void* context,
                                   const char* name) -> const void* {
      auto* self = static_cast<process_host*>(context);
      const std::lock_guard lock(self->mutex);
      if (std::string_view(name) != NEXUS_HOST_REQUESTED ||
          self->requested.empty())
        return nullptr;
      // Kept for ever: the plugin may look at it at any time.
      static std::set<std::string> names;
      return names.insert(self->requested).first->c_str();
    };
    return made;
  }();
  return *host;
}

plugin_candidate open_plugin(const std::string& path) {
  plugin_candidate candidate{path, {}, nullptr};
  auto fail = [&candidate](const std::string& reason) {
    candidate.reason = reason;
    return candidate;
  };
  if (status file = check_file(path); !file.ok()) return fail(file.message());
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return fail(why != nullptr ? why : "it cannot be loaded");
  }
  auto entry = reinterpret_cast<nexus_plugin_entry_fn>(
      ::dlsym(handle, NEXUS_PLUGIN_ENTRY_NAME));
  if (entry == nullptr) return fail("it exports no " NEXUS_PLUGIN_ENTRY_NAME);
  auto checked = check_plugin(entry(&the_host().table), path);
  if (!checked.ok()) return fail(checked.error().message());
  candidate.plugin = std::make_shared<const loaded_plugin>(std::move(*checked));
  return candidate;
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

std::vector<std::string> plugin_files(const std::string& directory) {
  std::vector<std::string> files;
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return files;
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

result<loaded_plugin> check_plugin(const nexus_plugin* plugin,
                                   const std::string& path) {
  if (plugin == nullptr)
    return refuse("its entry returned nothing: it cannot run here");
  if (plugin->size < offsetof(nexus_plugin, operation_count))
    return refuse(short_struct("nexus_plugin", plugin->size, min_plugin));
  if (plugin->abi_major != NEXUS_ABI_MAJOR)
    return refuse("built for plugin ABI " + std::to_string(plugin->abi_major) +
                  ", this program has " + std::to_string(NEXUS_ABI_MAJOR));
  if (plugin->size < min_plugin)
    return refuse(short_struct("nexus_plugin", plugin->size, min_plugin));
  const auto table = copy_table(plugin, plugin->size);
  if (!valid_name(table.name))
    return refuse("plugin.name is missing or not [a-z0-9-]+");
  loaded_plugin loaded;
  loaded.path = path;
  loaded.name = table.name;
  loaded.version = table.version != nullptr ? table.version : "";
  loaded.abi_major = table.abi_major;
  loaded.abi_minor = table.abi_minor;
  if (table.backend != nullptr) {
    if (table.backend->size < min_backend)
      return refuse(
          short_struct("nexus_backend", table.backend->size, min_backend));
    loaded.backend = copy_table(table.backend, table.backend->size);
    loaded.has_backend = true;
    if (status s = check_backend(loaded.backend); !s.ok()) return s;
  }
  if (table.operation_count != 0 && table.operations == nullptr)
    return refuse("plugin.operations is missing");
  for (std::uint32_t i = 0; i < table.operation_count; ++i) {
    const nexus_operation* operation = table.operations[i];
    if (operation == nullptr)
      return refuse("plugin.operations holds a null pointer");
    if (operation->size < min_operation)
      return refuse(
          short_struct("nexus_operation", operation->size, min_operation));
    loaded.operations.push_back(copy_table(operation, operation->size));
    if (status s = check_operation(loaded.operations.back()); !s.ok()) return s;
  }
  if (!loaded.has_backend && loaded.operations.empty())
    return refuse("brings neither a backend nor an operation");
  return loaded;
}

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
  return {};
}

plugin_loader::plugin_loader(std::vector<std::string> directories,
                             log_function log)
    : directories_(std::move(directories)), log_(std::move(log)) {
  if (log_) {
    auto& host = the_host();
    const std::lock_guard lock(host.mutex);
    host.logs[this] = log_;
  }
  if (!directories_.empty()) return;
  // secure_getenv knows set-user-ID programs and file capabilities.
  if (const char* path = ::secure_getenv("NEXUS_PLUGIN_PATH"))
    directories_ = split_path(path);
  if (auto own = default_plugin_directory(); !own.empty())
    directories_.push_back(std::move(own));
}

void plugin_loader::set_requested(const std::string& name) {
  auto& host = the_host();
  const std::lock_guard lock(host.mutex);
  host.requested = name;
}

plugin_loader::~plugin_loader() {
  auto& host = the_host();
  const std::lock_guard lock(host.mutex);
  host.logs.erase(this);
}

const nexus_host* plugin_loader::host() const noexcept {
  return &the_host().table;
}

void plugin_loader::consider(const std::string& path) {
  char resolved[PATH_MAX];
  const std::string real =
      ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
  for (const auto& known : candidates_)
    if (known.path == real) return;
  plugin_candidate candidate;
  {
    auto& host = the_host();
    std::unique_lock lock(host.mutex);
    auto found = host.by_path.find(real);
    if (found != host.by_path.end() && found->second.plugin) {
      candidate = found->second;
    } else {
      lock.unlock();  // a plugin's entry may log
      candidate = open_plugin(real);
      lock.lock();
      host.by_path[real] = candidate;
    }
  }
  if (candidate.plugin) {
    for (const auto& known : candidates_) {
      if (!known.plugin || known.plugin->name != candidate.plugin->name)
        continue;
      candidate.plugin = nullptr;
      candidate.reason = "another plugin of this name was found first";
      break;
    }
  }
  if (log_)
    log_(candidate.plugin
             ? "plugin loaded: " + real
             : "plugin refused: " + real + ": " + candidate.reason);
  candidates_.push_back(std::move(candidate));
}

void plugin_loader::load(const std::string& name) {
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
    std::string reason;
    struct stat info{};
    if (!directory.starts_with('/'))
      reason = "not an absolute path";
    else if (::stat(directory.c_str(), &info) != 0)
      reason = std::strerror(errno);
    else if (!S_ISDIR(info.st_mode))
      reason = "not a directory";
    else if (directory_is_open_to_all(directory))
      reason = "anyone may write to it";
    if (!reason.empty()) {
      candidates_.push_back({directory, reason, nullptr});
      if (log_) log_("plugin directory refused: " + directory + ": " + reason);
      continue;
    }
    for (const auto& path : plugin_files(directory)) consider(path);
  }
}

}  // namespace nexus
