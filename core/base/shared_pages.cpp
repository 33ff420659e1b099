#include "base/shared_pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace nexus {

shared_pages map_shared_pages(std::size_t size, bool others_write) noexcept {
  const int fd =
      ::memfd_create("nexus-segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return {};
  // Populated here, so that it is this process that the pages count for.
  void* data = MAP_FAILED;
  if (::ftruncate(fd, static_cast<off_t>(size)) == 0)
    data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_POPULATE, fd, 0);
  if (data == MAP_FAILED) {
    ::close(fd);
    return {};
  }
  // After the mapping: ours stays writable.
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (!others_write) seals |= F_SEAL_FUTURE_WRITE;
  if (::fcntl(fd, F_ADD_SEALS, seals) != 0) {
    ::munmap(data, size);
    ::close(fd);
    return {};
  }
  (void)::madvise(data, size, MADV_DONTDUMP);
  return {static_cast<std::byte*>(data), fd};
}

bool others_may_write(int fd) noexcept {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE)) == 0;
}

}  // namespace nexus
