// Memory that other processes may map: a sealed memfd.
#pragma once

#include <cstddef>

namespace nexus {

// The mapping and the descriptor, which is closed on exec, are the caller's.
struct shared_pages {
  std::byte* data = nullptr;  // NULL: the system has none
  int fd = -1;
};

// size: a multiple of the page size. Readable and writable here; nobody can
// make it smaller or larger. others_write: whether whoever gets the descriptor
// may map it for writing. Left out of core dumps.
[[nodiscard]] shared_pages map_shared_pages(std::size_t size,
                                            bool others_write) noexcept;

// Whether whoever gets the descriptor may write.
[[nodiscard]] bool others_may_write(int fd) noexcept;

}  // namespace nexus
