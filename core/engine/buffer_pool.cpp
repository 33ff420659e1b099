#include "engine/buffer_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/shared_pages.hpp"

namespace nexus {
namespace {

constexpr std::size_t huge_page = 2u << 20;
// No machine maps so much; sums with it do not overflow.
constexpr std::size_t most_bytes = std::size_t{1} << 60;

// mmap aligned to a huge page: 4 KiB pages would cost a fault each.
std::byte* map_aligned(std::size_t size) {
  const std::size_t slack = size >= huge_page ? huge_page : 0;
  void* raw = ::mmap(nullptr, size + slack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto* base = static_cast<std::byte*>(raw);
  if (slack != 0) {
    const auto address = reinterpret_cast<std::uintptr_t>(base);
    const std::size_t lead = round_up(address, huge_page) - address;
    if (lead != 0) ::munmap(base, lead);
    if (slack != lead) ::munmap(base + lead + size, slack - lead);
    base += lead;
    (void)::madvise(base, size, MADV_HUGEPAGE);
  }
  (void)::madvise(base, size, MADV_DONTDUMP);
  return base;
}

std::size_t page_rounded(std::size_t size) {
  return round_up(std::max<std::size_t>(size, 1), 4096);
}

}  // namespace

std::size_t buffer::capacity() const noexcept {
  return data_ == nullptr ? 0 : page_rounded(size_);
}

void buffer::reset() noexcept {
  if (data_ == nullptr) return;
  pool_->put_back(*this);
  data_ = nullptr;
  fd_ = -1;
}

void buffer_pool::share() noexcept {
  if (shared_) return;
  trim();
  shared_ = true;
}

buffer_pool::block buffer_pool::make(std::size_t rounded,
                                     buffer_use use) noexcept {
  if (shared_) {
    const auto pages = map_shared_pages(rounded, use == buffer_use::output);
    if (pages.data != nullptr) return {pages.data, pages.fd};
  }
  return {map_aligned(rounded), -1};
}

buffer buffer_pool::take(std::size_t size, buffer_use use) {
  buffer lent;
  if (size > most_bytes) return lent;
  const std::size_t rounded = page_rounded(size);
  auto& list = free_[shelf_for(rounded, use)];
  block memory;
  if (list.empty()) {
    if (limit_ != 0 && bytes_ + rounded > limit_) trim();
    memory = make(rounded, use);
    if (memory.data == nullptr) return lent;
    bytes_ += rounded;
    peak_ = std::max(peak_, bytes_);
    // Room for all of them, so that giving back never allocates.
    list.reserve(bytes_ / rounded + 1);
  } else {
    memory = list.back();
    list.pop_back();
  }
  lent.data_ = memory.data;
  lent.fd_ = memory.fd;
  lent.pool_ = this;
  lent.size_ = size;
  lent.use_ = use;
  return lent;
}

void buffer_pool::put_back(buffer& lent) noexcept {
  const std::size_t rounded = page_rounded(lent.size_);
  const block memory{lent.data_, lent.fd_};
  // What other processes cannot see is of no use any more.
  const bool useless = shared_ && memory.fd < 0;
  if (useless || (limit_ != 0 && bytes_ > limit_))
    return unmap(memory, rounded);
  free_[shelf_for(rounded, lent.use_)].push_back(memory);
}

void buffer_pool::unmap(const block& memory, std::size_t rounded) noexcept {
  if (on_unmap_) on_unmap_(memory.data);
  ::munmap(memory.data, rounded);
  if (memory.fd >= 0) ::close(memory.fd);
  bytes_ -= rounded;
}

void buffer_pool::trim() noexcept {
  for (auto& [where, list] : free_) {
    for (const block& memory : list) unmap(memory, where.first);
    list.clear();
  }
}

bool buffer_pool::trim_to_limit(std::uint64_t most) noexcept {
  std::uint64_t given = 0;
  for (auto& [where, list] : free_) {
    for (; !list.empty() && limit_ != 0 && bytes_ > limit_; list.pop_back()) {
      if (given >= most) return false;
      unmap(list.back(), where.first);
      given += where.first;
    }
  }
  return true;
}

}  // namespace nexus
