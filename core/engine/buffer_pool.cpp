#include "engine/buffer_pool.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

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
  pool_->put_back(data_, page_rounded(size_));
  data_ = nullptr;
}

buffer buffer_pool::take(std::size_t size) {
  buffer lent;
  if (size > most_bytes) return lent;
  const std::size_t rounded = page_rounded(size);
  auto& list = free_[rounded];
  if (list.empty()) {
    if (limit_ != 0 && bytes_ + rounded > limit_) trim();
    lent.data_ = map_aligned(rounded);
    if (lent.data_ == nullptr) return lent;
    bytes_ += rounded;
    peak_ = std::max(peak_, bytes_);
    // Room for all of them, so that giving back never allocates.
    list.reserve(bytes_ / rounded + 1);
  } else {
    lent.data_ = list.back();
    list.pop_back();
  }
  lent.pool_ = this;
  lent.size_ = size;
  return lent;
}

void buffer_pool::put_back(std::byte* data, std::size_t size) noexcept {
  if (limit_ != 0 && bytes_ > limit_) return unmap(data, size);
  free_[size].push_back(data);
}

void buffer_pool::unmap(std::byte* data, std::size_t size) noexcept {
  if (on_unmap_) on_unmap_(data);
  ::munmap(data, size);
  bytes_ -= size;
}

void buffer_pool::trim() noexcept {
  for (auto& [size, list] : free_) {
    for (std::byte* data : list) unmap(data, size);
    list.clear();
  }
}

bool buffer_pool::trim_to_limit(std::uint64_t most) noexcept {
  std::uint64_t given = 0;
  for (auto& [size, list] : free_) {
    for (; !list.empty() && limit_ != 0 && bytes_ > limit_; list.pop_back()) {
      if (given >= most) return false;
      unmap(list.back(), size);
      given += size;
    }
  }
  return true;
}

}  // namespace nexus
