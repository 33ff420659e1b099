#include "bench/disk.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "files.hpp"

namespace nexus::tool::bench {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t request_bytes = 4u << 20;

struct file_system_name {
  std::uint32_t magic;
  const char* name;
  bool in_memory;
};

// statfs(2). Only those that people are likely to have.
constexpr std::array<file_system_name, 13> file_systems{
    {{0x01021994, "tmpfs", true},
     {0x858458f6, "ramfs", true},
     {0xef53, "ext4", false},
     {0x58465342, "xfs", false},
     {0x9123683e, "btrfs", false},
     {0x2fc12fc1, "zfs", false},
     {0xf2f52010, "f2fs", false},
     {0xca451a4e, "bcachefs", false},
     {0x794c7630, "overlayfs", false},
     {0x6969, "nfs", false},
     {0xff534d42, "cifs", false},
     {0x65735546, "fuse", false},
     {0x01021997, "9p", false}}};

void name_file_system(disk_result& into) {
  struct statfs facts{};
  if (::statfs(into.directory.c_str(), &facts) != 0) {
    into.file_system = "unknown";
    return;
  }
  const auto magic = static_cast<std::uint32_t>(facts.f_type);
  for (const file_system_name& known : file_systems) {
    if (known.magic != magic) continue;
    into.file_system = known.name;
    into.in_memory = known.in_memory;
    return;
  }
  into.file_system = "number " + std::to_string(magic);
}

// Without a name from the start, or from right after it was made.
result<descriptor> nameless_file(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return descriptor(fd);
  std::string name = directory + "/.nexus-pipe-XXXXXX";
  fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return system_failure("make a file in", directory, errno);
  ::unlink(name.c_str());
  return descriptor(fd);
}

status stopped() {
  return {status_code::cancelled, "stopped"};
}

class disk_meter {
 public:
  disk_meter(const disk_request& request, std::span<const std::byte> data,
             const std::stop_token& stop)
      : request_(request), data_(data), stop_(stop) {
    result_.directory = request.directory;
    result_.bytes = request.bytes;
    name_file_system(result_);
  }

  result<disk_result> run() {
    const auto begin = steady::now();
    for (std::uint32_t i = 0; i < request_.repeats; ++i) {
      const std::chrono::duration<double> passed = steady::now() - begin;
      if (i > 0 && passed.count() > request_.most_seconds) break;
      const status done = once();
      if (done.code() == status_code::cancelled) return done;
      if (done.ok()) continue;
      result_.failure = done.message();
      break;
    }
    return std::move(result_);
  }

 private:
  status once() {
    const result<descriptor> file = nameless_file(request_.directory);
    if (!file) return file.error();
    if (status s = write(file->get()); !s.ok()) return s;
    (void)::posix_fadvise(file->get(), 0, 0, POSIX_FADV_DONTNEED);
    result_.cached_share = cached_share(file->get());
    return read(file->get());
  }

  status write(int fd) {
    const auto begin = steady::now();
    for (std::uint64_t done = 0; done < request_.bytes;) {
      if (stop_.stop_requested()) return stopped();
      const std::uint64_t in_data = done % data_.size();
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(
          {request_bytes, data_.size() - in_data, request_.bytes - done}));
      const ssize_t put = ::write(fd, data_.data() + in_data, size);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failure("write", errno);
      done += static_cast<std::uint64_t>(put);
    }
    if (::fsync(fd) != 0) return failure("write", errno);
    add(result_.write, begin);
    return {};
  }

  status read(int fd) {
    std::vector<std::byte> into(request_bytes);
    const auto begin = steady::now();
    for (std::uint64_t done = 0; done < request_.bytes;) {
      if (stop_.stop_requested()) return stopped();
      const ssize_t got =
          ::pread(fd, into.data(), into.size(), static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failure("read", errno);
      if (got == 0) return failure("read", EIO);  // somebody cut it
      done += static_cast<std::uint64_t>(got);
    }
    add(result_.read, begin);
    return {};
  }

  // What the kernel kept in memory although it was asked not to.
  double cached_share(int fd) const {
    const auto size = static_cast<std::size_t>(request_.bytes);
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return 0;
    std::vector<unsigned char> resident((size + page - 1) / page);
    const bool known = ::mincore(at, size, resident.data()) == 0;
    ::munmap(at, size);
    if (!known) return 0;
    const auto count = std::count_if(resident.begin(), resident.end(),
                                     [](unsigned char c) { return c & 1; });
    return static_cast<double>(count) / static_cast<double>(resident.size());
  }

  status failure(const char* action, int error) const {
    return system_failure(action, "a temporary file in " + request_.directory,
                          error);
  }

  void add(samples& to, steady::time_point begin) const {
    const std::chrono::duration<double> took = steady::now() - begin;
    to.add(static_cast<double>(request_.bytes) / std::max(took.count(), 1e-9));
  }

  const disk_request& request_;
  std::span<const std::byte> data_;
  const std::stop_token& stop_;
  disk_result result_;
};

}  // namespace

result<disk_result> measure_disk(const disk_request& request,
                                 std::span<const std::byte> data,
                                 const std::stop_token& stop) {
  return disk_meter(request, data, stop).run();
}

}  // namespace nexus::tool::bench
