// Payload memory: what is lent, what comes back, what is counted.
#include "engine/buffer_pool.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace nexus::test {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t huge = 2u << 20;

std::size_t remainder_of(const buffer& lent, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(lent.data()) % alignment;
}

// Whether the page at this address is mapped.
bool mapped(std::byte* at) {
  unsigned char state = 0;
  return ::mincore(at, page, &state) == 0;
}

TEST(BufferPool, MoreThanThereIsGivesAnEmptyBuffer) {
  buffer_pool pool;
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  for (const std::size_t size :
       {most, most - 1, most - page, most - page + 1, most - 2 * page,
        most - huge, most - 2 * huge, most / 2, std::size_t{1} << 48}) {
    const buffer lent = pool.take(size);
    EXPECT_FALSE(lent) << size;
    EXPECT_EQ(pool.bytes(), 0u) << size;
  }
  EXPECT_EQ(pool.peak_bytes(), 0u);
}

TEST(BufferPool, ABufferHoldsWhatItSays) {
  buffer_pool pool;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, page - 1, page, page + 1, huge - 1,
        huge, huge + 1, 3 * huge + 12345}) {
    const buffer lent = pool.take(size);
    ASSERT_TRUE(lent) << size;
    EXPECT_EQ(lent.size(), size);
    EXPECT_EQ(remainder_of(lent, page), 0u);
    if (size >= huge) {
      EXPECT_EQ(remainder_of(lent, huge), 0u) << size;
    }
    std::memset(lent.data(), 0x5a, size);
  }
}

TEST(BufferPool, BuffersDoNotOverlap) {
  buffer_pool pool;
  std::vector<buffer> lent;
  for (int i = 0; i < 20; ++i) {
    lent.push_back(pool.take(page * 3));
    std::memset(lent.back().data(), i, page * 3);
  }
  for (std::size_t i = 0; i < lent.size(); ++i) {
    EXPECT_EQ(lent[i].data()[0], static_cast<std::byte>(i));
    EXPECT_EQ(lent[i].data()[page * 3 - 1], static_cast<std::byte>(i));
  }
}

TEST(BufferPool, TheLastOneBackIsTheNextOneLent) {
  buffer_pool pool;
  buffer first = pool.take(10000), second = pool.take(10000);
  std::byte* const a = first.data();
  std::byte* const b = second.data();
  first.reset();
  second.reset();
  EXPECT_FALSE(first);
  const buffer again = pool.take(10000);
  const buffer then = pool.take(9000);  // the same number of pages
  EXPECT_EQ(again.data(), b);
  EXPECT_EQ(then.data(), a);
  EXPECT_EQ(then.size(), 9000u);
}

TEST(BufferPool, AnotherSizeIsAnotherBuffer) {
  buffer_pool pool;
  buffer small = pool.take(page);
  std::byte* const was = small.data();
  small.reset();
  const buffer large = pool.take(2 * page);
  EXPECT_NE(large.data(), was);
  EXPECT_EQ(pool.bytes(), 3 * page);
}

TEST(BufferPool, CountsWhatExistsAndWhatExistedAtMost) {
  buffer_pool pool;
  buffer one = pool.take(page + 1);
  EXPECT_EQ(pool.bytes(), 2 * page);
  buffer two = pool.take(page);
  EXPECT_EQ(pool.bytes(), 3 * page);
  one.reset();
  EXPECT_EQ(pool.bytes(), 3 * page) << "free, but still there";
  pool.trim();
  EXPECT_EQ(pool.bytes(), page);
  EXPECT_EQ(pool.peak_bytes(), 3 * page);
  two.reset();
  pool.trim();
  pool.trim();
  EXPECT_EQ(pool.bytes(), 0u);
  EXPECT_EQ(pool.peak_bytes(), 3 * page);
}

TEST(BufferPool, TrimGivesBackWhatIsNotOnLoanAlone) {
  buffer_pool pool;
  for (const std::size_t size : {page, huge + page}) {
    buffer kept = pool.take(size);
    std::byte* gone = nullptr;
    {
      const buffer lent = pool.take(size);
      gone = lent.data();
      std::memset(gone, 1, size);
    }
    std::memset(kept.data(), 2, size);
    pool.trim();
    EXPECT_FALSE(mapped(gone));
    EXPECT_FALSE(mapped(gone + (size - 1) / page * page));
    EXPECT_EQ(kept.data()[size - 1], std::byte{2});
    // And the pool goes on.
    const buffer next = pool.take(size);
    ASSERT_TRUE(next);
    next.data()[0] = std::byte{3};
  }
}

TEST(BufferPool, MovingABufferMovesTheLoan) {
  buffer_pool pool;
  buffer from = pool.take(page);
  std::byte* const data = from.data();
  buffer to = std::move(from);
  EXPECT_FALSE(from);
  EXPECT_EQ(to.data(), data);
  buffer other = pool.take(page);
  std::byte* const returned = other.data();
  other = std::move(to);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.size(), page);
  const buffer next = pool.take(page);
  EXPECT_EQ(next.data(), returned) << "the overwritten loan was not given back";
  EXPECT_EQ(pool.bytes(), 2 * page);
}

TEST(BufferPool, AnEmptyBufferIsHarmless) {
  buffer none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.data(), nullptr);
  none.reset();
  buffer also = std::move(none);
  EXPECT_FALSE(also);
}

TEST(BufferPool, LeavesNothingMappedBehind) {
  std::byte* was = nullptr;
  {
    buffer_pool pool;
    const buffer lent = pool.take(5 * huge);
    was = lent.data();
    was[5 * huge - 1] = std::byte{1};
  }
  EXPECT_FALSE(mapped(was));
  EXPECT_FALSE(mapped(was + 5 * huge - page));
}

TEST(BufferPool, WhatIsBeyondTheLimitGoesBackAtOnce) {
  buffer_pool pool;
  std::vector<buffer> lent;
  for (int i = 0; i < 8; ++i) lent.push_back(pool.take(16 * page));
  pool.set_limit(5 * 16 * page);
  EXPECT_EQ(pool.bytes(), 8 * 16 * page);  // all of it is on loan
  std::byte* const first = lent.back().data();
  lent.pop_back();
  EXPECT_FALSE(mapped(first));
  EXPECT_EQ(pool.bytes(), 7 * 16 * page);
  lent.clear();
  EXPECT_EQ(pool.bytes(), 5 * 16 * page);
  EXPECT_EQ(pool.peak_bytes(), 8 * 16 * page);
}

TEST(BufferPool, TrimsToTheLimitInParts) {
  std::vector<std::byte*> gone;
  buffer_pool pool;
  pool.on_unmap([&gone](std::byte* data) { gone.push_back(data); });
  {
    std::vector<buffer> lent;
    for (int i = 0; i < 8; ++i) lent.push_back(pool.take(16 * page));
  }
  EXPECT_TRUE(pool.trim_to_limit(page));  // there is none
  EXPECT_EQ(pool.bytes(), 8 * 16 * page);
  pool.set_limit(3 * 16 * page);
  EXPECT_FALSE(pool.trim_to_limit(2 * 16 * page));
  EXPECT_EQ(pool.bytes(), 6 * 16 * page);
  EXPECT_TRUE(pool.trim_to_limit(100 * 16 * page));
  EXPECT_EQ(pool.bytes(), 3 * 16 * page);
  EXPECT_EQ(gone.size(), 5u);
  for (std::byte* data : gone) EXPECT_FALSE(mapped(data));
  const buffer again = pool.take(16 * page);
  ASSERT_TRUE(again);
  std::memset(again.data(), 1, again.size());
}

}  // namespace
}  // namespace nexus::test
