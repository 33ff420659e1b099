#include "prover/host_storage.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nexus::prover {
namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t page = 4096;
constexpr std::size_t kept_size = std::size_t{1} << 20;
constexpr std::size_t large_page = std::size_t{1} << 21;
constexpr std::size_t large_size = 4 * large_page;

// A wish: a system that does not grant it is slower, and no less right.
void advise([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size,
            [[maybe_unused]] int advice) noexcept {
#if defined(__linux__)
  static_cast<void>(madvise(memory, size, advice));
#endif
}

#if defined(__linux__)
constexpr int large_pages = MADV_HUGEPAGE;
constexpr int not_needed = MADV_FREE;
#else
constexpr int large_pages = 0;
constexpr int not_needed = 0;
#endif

// Large pieces that are not in use, oldest first. Any thread.
class kept_pieces {
 public:
  // One of this very size, or nullptr where the caller must get one.
  void* take(std::size_t size) noexcept {
    const std::lock_guard lock(mutex_);
    void* out = nullptr;
    const auto at =
        std::find_if(pieces_.begin(), pieces_.end(),
                     [size](const piece& each) { return each.size == size; });
    if (at != pieces_.end()) {
      out = at->memory;
      kept_ -= size;
      pieces_.erase(at);
    }
    used_ += size;
    most_used_ = std::max(most_used_, used_);
    drop_surplus();
    return out;
  }

  void give(void* memory, std::size_t size) noexcept {
    advise(memory, size, not_needed);
    const std::lock_guard lock(mutex_);
    used_ -= size;
    try {
      pieces_.push_back({memory, size});
      kept_ += size;
    } catch (const std::bad_alloc&) {
      std::free(memory);
    }
  }

  // After take() without success.
  void forget(std::size_t size) noexcept {
    const std::lock_guard lock(mutex_);
    used_ -= size;
  }

 private:
  struct piece {
    void* memory;
    std::size_t size;
  };

  void drop_surplus() noexcept {
    std::size_t dropped = 0;
    for (; used_ + kept_ > most_used_; ++dropped) {
      kept_ -= pieces_[dropped].size;
      std::free(pieces_[dropped].memory);
    }
    pieces_.erase(pieces_.begin(),
                  pieces_.begin() + static_cast<std::ptrdiff_t>(dropped));
  }

  std::mutex mutex_;
  std::vector<piece> pieces_;
  std::size_t kept_ = 0;
  std::size_t used_ = 0;
  std::size_t most_used_ = 0;
};

// Never destroyed: a thread may end after the program's statics.
kept_pieces& kept() {
  static auto* const pieces = new kept_pieces;
  return *pieces;
}

std::size_t rounded(std::size_t size, std::size_t to) noexcept {
  return (size + to - 1) / to * to;
}

}  // namespace

host_memory::host_memory(std::size_t bytes)
    : memory_(nullptr), size_(rounded(bytes + cache_line, cache_line)) {
  if (size_ < kept_size) {
    memory_ = std::aligned_alloc(cache_line, size_);
  } else {
    const bool large = size_ >= large_size;
    const std::size_t unit = large ? large_page : page;
    size_ = rounded(size_, unit);
    memory_ = kept().take(size_);
    if (memory_ == nullptr) {
      memory_ = std::aligned_alloc(unit, size_);
      if (memory_ == nullptr) {
        kept().forget(size_);
      } else if (large) {
        advise(memory_, size_, large_pages);
      }
    }
  }
  if (memory_ == nullptr) {
    throw std::bad_alloc();
  }
}

host_memory::~host_memory() {
  if (memory_ != nullptr && size_ >= kept_size) {
    kept().give(memory_, size_);
  } else {
    std::free(memory_);
  }
}

}  // namespace nexus::prover
