#include "backend/plugin_checks.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

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
  if (!is_plugin_name(operation.name))
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

}  // namespace

bool is_plugin_name(const char* name) {
  if (name == nullptr || *name == '\0') return false;
  return std::all_of(name, name + std::strlen(name), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

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
  if (!is_plugin_name(table.name))
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
    const std::string name = operation->name;
    for (std::uint32_t k = 0; k < i; ++k)
      if (name == loaded.operations[k].name)
        return refuse("brings two operations \"" + name + "\"");
  }
  if (!loaded.has_backend && loaded.operations.empty())
    return refuse("brings neither a backend nor an operation");
  return loaded;
}

result<file_id> check_plugin_file(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return refuse(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return refuse("not a regular file");
  if ((info.st_mode & S_IWOTH) != 0)
    return refuse("anyone may write to it (chmod o-w)");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refuse(std::strerror(errno));
  status whole = check_elf(fd, static_cast<std::uint64_t>(info.st_size));
  ::close(fd);
  if (!whole.ok()) return whole;
  return file_id{info.st_dev, info.st_ino};
}

bool directory_is_open_to_all(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0;
}

}  // namespace nexus
