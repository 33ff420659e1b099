#include "bench/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "progress.hpp"

namespace nexus::tool::bench {
namespace {

using steady = std::chrono::steady_clock;

double seconds_since(steady::time_point begin) {
  return std::chrono::duration<double>(steady::now() - begin).count();
}

// Keeps the reading from being optimized away.
std::atomic<std::uint64_t> seen{0};

// Eight sums, so that no load waits for the addition before it.
void read_all(std::span<const std::byte> from) {
  std::array<std::uint64_t, 8> sums{};
  constexpr std::size_t block = sizeof sums;
  for (std::size_t at = 0; at + block <= from.size(); at += block) {
    std::array<std::uint64_t, 8> words;
    std::memcpy(words.data(), from.data() + at, block);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += words[i];
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  seen.fetch_add(total, std::memory_order_relaxed);
}

// Each thread makes `passes` passes over its slice, all of them beginning at
// once. Seconds from the first one's begin to the last one's end.
double timed(std::uint32_t threads, unsigned passes,
             const std::function<void(std::uint32_t slice)>& pass) {
  std::atomic<std::uint32_t> waiting{0};
  std::atomic<bool> go{false};
  const auto work = [&](std::uint32_t slice) {
    waiting.fetch_add(1);
    while (!go.load()) std::this_thread::yield();
    for (unsigned i = 0; i < passes; ++i) pass(slice);
  };
  std::vector<std::jthread> helpers;
  for (std::uint32_t i = 1; i < threads; ++i) helpers.emplace_back(work, i);
  while (waiting.load() + 1 < threads) std::this_thread::yield();
  const auto begin = steady::now();
  go = true;
  for (unsigned i = 0; i < passes; ++i) pass(0);
  helpers.clear();  // joins them
  return seconds_since(begin);
}

}  // namespace

result<pages> pages::reserve(std::uint64_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return status(status_code::out_of_memory,
                  "the system refuses " + format_bytes(bytes) + " of memory",
                  "give --size less, or raise the limit (ulimit -v)");
  }
  pages made;
  made.bytes_ = {static_cast<std::byte*>(at), static_cast<std::size_t>(bytes)};
  return made;
}

pages::~pages() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

pages::pages(pages&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

pages& pages::operator=(pages&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

void fill(std::span<std::byte> bytes, std::uint64_t seed) noexcept {
  std::uint64_t state = seed;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    // SplitMix64 (Steele, Lea, Flood 2014).
    state += 0x9e3779b97f4a7c15;
    std::uint64_t word = state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    word ^= word >> 31;
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
}

result<memory_meter> memory_meter::create(std::uint64_t bytes) {
  result<pages> from = pages::reserve(bytes);
  if (!from) return from.error();
  result<pages> to = pages::reserve(bytes);
  if (!to) return to.error();
  memory_meter made;
  made.from_ = *std::move(from);
  made.to_ = *std::move(to);
  // Pages that were only read would all be the one of zeros.
  fill(made.from_.bytes(), 1);
  fill(made.to_.bytes(), 2);
  return made;
}

status memory_meter::sample(memory_point& into, double seconds,
                            const std::stop_token& stop) {
  const std::size_t slice = from_.bytes().size() / into.threads / 64 * 64;
  const auto moved =
      static_cast<double>(slice) * static_cast<double>(into.threads);
  const auto measure = [&](samples& to,
                           const std::function<void(std::uint32_t)>& pass) {
    const double once = timed(into.threads, 1, pass);
    const double more = once > 0 ? seconds / once : 1;
    const auto passes = static_cast<unsigned>(std::clamp(more, 1.0, 1e4));
    const double took = timed(into.threads, passes, pass);
    if (took > 0) to.add(moved * passes / took);
  };
  measure(into.copy, [&](std::uint32_t i) {
    std::memcpy(to_.bytes().data() + i * slice,
                from_.bytes().data() + i * slice, slice);
  });
  if (stop.stop_requested()) return {status_code::cancelled, "stopped"};
  measure(into.read, [&](std::uint32_t i) {
    read_all(from_.bytes().subspan(i * slice, slice));
  });
  if (stop.stop_requested()) return {status_code::cancelled, "stopped"};
  return {};
}

}  // namespace nexus::tool::bench
