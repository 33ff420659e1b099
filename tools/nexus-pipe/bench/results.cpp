#include "bench/results.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "progress.hpp"

namespace nexus::tool::bench {
namespace {

// From these shares on something counts as what bounds a run.
constexpr double memory_bound_share = 0.7;
constexpr double processor_bound_share = 0.85;

double per_second(std::uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
}

}  // namespace

double samples::median() const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  if (sorted.size() % 2 == 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

double samples::least() const {
  return empty() ? 0 : *std::min_element(values_.begin(), values_.end());
}

double samples::most() const {
  return empty() ? 0 : *std::max_element(values_.begin(), values_.end());
}

double run_point::rate() const {
  return per_second(data_bytes, seconds.median());
}

double run_point::least() const {
  return per_second(data_bytes, seconds.most());
}

double run_point::most() const {
  return per_second(data_bytes, seconds.least());
}

bool on_card(const results& from, const run_point& run) {
  return std::any_of(from.backends.begin(), from.backends.end(),
                     [&run](const backend& known) {
                       return known.gpu && known.name == run.backend;
                     });
}

const char* name_of(bench_op op) noexcept {
  switch (op) {
    case bench_op::encrypt:
      return "encrypt";
    case bench_op::decrypt:
      return "decrypt";
    case bench_op::prove:
      return "prove";
    case bench_op::verify:
      return "verify";
    case bench_op::digest:
      break;
  }
  return "digest";
}

ceiling ceiling_of(const results& from, const run_point& run) {
  const bool copies =
      run.op == bench_op::encrypt || run.op == bench_op::decrypt;
  const memory_point* with = nullptr;
  for (const memory_point& point : from.memory) {
    with = &point;
    // A card is compared with all processors together.
    if (point.threads >= run.workers && !on_card(from, run)) break;
  }
  if (with == nullptr) return {};
  return {copies ? "copy" : "read", with->threads,
          (copies ? with->copy : with->read).median()};
}

bound bound_of(const results& from, const run_point& run) {
  const double most = ceiling_of(from, run).bytes_per_second;
  if (most > 0 && run.rate() >= memory_bound_share * most) return bound::memory;
  if (on_card(from, run)) return bound::card;
  const bool busy =
      run.processors.median() >= processor_bound_share * run.workers;
  if (busy) return bound::processors;
  const double missing = run.workers - run.processors.median();
  return run.others.median() >= missing / 2 ? bound::others : bound::unknown;
}

const run_point* best_of(const results& from, bench_op op,
                         const std::string& backend) {
  const run_point* best = nullptr;
  for (const run_point& run : from.runs) {
    if (run.op != op || run.backend != backend) continue;
    if (best == nullptr || run.rate() > best->rate()) best = &run;
  }
  return best;
}

const char* name_of(bound what) noexcept {
  switch (what) {
    case bound::memory:
      return "memory";
    case bound::processors:
      return "computing";
    case bound::card:
      return "card";
    case bound::others:
      return "other load";
    case bound::unknown:
      break;
  }
  return "unknown";
}

std::string describe(const results& from, const run_point& run) {
  switch (bound_of(from, run)) {
    case bound::memory:
      return "Memory bounds it: plain copying or reading is little faster.";
    case bound::processors:
      return "Computing bounds it: its workers kept their processors busy, and "
             "the memory could move more.";
    case bound::card:
      return "The card or the way to it bounds it: which of the two was not "
             "measured.";
    case bound::others:
      return "It was held up from outside: other programs, or the hypervisor, "
             "had " +
             format_number(run.others.median()) +
             " processors' worth of time meanwhile, and it had " +
             format_number(run.processors.median()) + ".";
    case bound::unknown:
      break;
  }
  return "Neither memory nor processors were used up: its workers waited, for "
         "each other or for the system.";
}

std::string format_number(double value) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::array<char, 32> text;
  const int size =
      std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string format_rate(double bytes_per_second) {
  constexpr std::array units{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
  double value = bytes_per_second;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return format_number(value) + " " + units[unit];
}

std::string format_share(double part, double whole) {
  if (whole <= 0) return "unknown";
  if (part <= 0) return "0 %";
  const double percent = part / whole * 100;
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.*f %%",
                                 percent < 0.0995  ? 3
                                 : percent < 0.995 ? 2
                                 : percent < 9.95  ? 1
                                                   : 0,
                                 percent);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string format_segment(std::uint64_t bytes) {
  constexpr std::uint64_t kib = 1024;
  constexpr std::uint64_t mib = kib * kib;
  if (bytes >= mib && bytes % mib == 0) {
    return std::to_string(bytes / mib) + " MiB";
  }
  if (bytes < mib && bytes % kib == 0) {
    return std::to_string(bytes / kib) + " KiB";
  }
  return format_bytes(bytes);
}

std::string format_seconds(double seconds) {
  if (seconds < 999.5e-6) return format_number(seconds * 1e6) + " us";
  if (seconds < 0.9995) return format_number(seconds * 1e3) + " ms";
  return format_number(seconds) + " s";
}

}  // namespace nexus::tool::bench
