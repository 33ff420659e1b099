#include "program_cache.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace nexus::opencl {
namespace {

constexpr char magic[16] = "nexus-opencl-1\n";
constexpr std::uint64_t most_bytes = std::uint64_t{256} << 20;

// A file: this, the key, the binary.
struct file_head {
  char magic[16];
  std::uint64_t key_bytes;
  std::uint64_t binary_bytes;
  std::uint64_t checksum;  // of the binary
};

// FNV-1a, 64 bits. Against accidents: the key itself is in the file.
std::uint64_t fnv1a(const void* data, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(data);
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < bytes; ++i) {
    hash = (hash ^ at[i]) * 0x100000001b3u;
  }
  return hash;
}

class open_file {
 public:
  explicit open_file(int descriptor) : descriptor_(descriptor) {}
  ~open_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

bool read_all(int file, void* to, std::size_t bytes) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::read(file, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int file, const void* from, std::size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = ::write(file, at, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    bytes -= static_cast<std::size_t>(put);
  }
  return true;
}

// A regular file of the user that others may not write.
bool trusted(int file, std::uint64_t& bytes) {
  struct stat about{};
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode) ||
      about.st_uid != ::geteuid() ||
      (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return false;
  }
  bytes = static_cast<std::uint64_t>(about.st_size);
  return true;
}

void make_folders(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos;
       at = path.find('/', at + 1)) {
    ::mkdir(path.substr(0, at).c_str(), 0700);
  }
  ::mkdir(path.c_str(), 0700);
}

}  // namespace

std::string program_cache::users_folder() {
  const char* cache = ::secure_getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') {
    return std::string(cache) + "/nexus-pipe/opencl";
  }
  const char* home = ::secure_getenv("HOME");
  if (home == nullptr || home[0] != '/') return {};
  return std::string(home) + "/.cache/nexus-pipe/opencl";
}

std::string program_cache::path_of(const std::string& key) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%016llx.bin",
                static_cast<unsigned long long>(fnv1a(key.data(), key.size())));
  return folder_ + name;
}

std::optional<std::vector<unsigned char>> program_cache::load(
    const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const open_file file(
      ::open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::uint64_t bytes = 0;
  file_head head{};
  if (file.get() < 0 || !trusted(file.get(), bytes) || bytes > most_bytes ||
      !read_all(file.get(), &head, sizeof head) ||
      std::memcmp(head.magic, magic, sizeof magic) != 0 ||
      head.key_bytes != key.size() || head.binary_bytes > most_bytes ||
      bytes != sizeof head + head.key_bytes + head.binary_bytes) {
    return std::nullopt;
  }
  std::string kept(key.size(), '\0');
  std::vector<unsigned char> binary(head.binary_bytes);
  if (!read_all(file.get(), kept.data(), kept.size()) || kept != key ||
      !read_all(file.get(), binary.data(), binary.size()) ||
      fnv1a(binary.data(), binary.size()) != head.checksum) {
    return std::nullopt;
  }
  return binary;
}

void program_cache::store(const std::string& key,
                          const std::vector<unsigned char>& binary) const {
  if (folder_.empty()) return;
  make_folders(folder_);
  std::string made = folder_ + "/new-XXXXXX";
  const open_file file(::mkostemp(made.data(), O_CLOEXEC));
  if (file.get() < 0) return;
  file_head head{};
  std::memcpy(head.magic, magic, sizeof magic);
  head.key_bytes = key.size();
  head.binary_bytes = binary.size();
  head.checksum = fnv1a(binary.data(), binary.size());
  const bool kept = write_all(file.get(), &head, sizeof head) &&
                    write_all(file.get(), key.data(), key.size()) &&
                    write_all(file.get(), binary.data(), binary.size()) &&
                    ::rename(made.c_str(), path_of(key).c_str()) == 0;
  if (!kept) ::unlink(made.c_str());
}

}  // namespace nexus::opencl
