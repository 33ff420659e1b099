// What `nexus-pipe bench` measured, as plain data: made by the measuring parts,
// read by those that print.
#pragma once

#include <cstdint>
#include <nexus/engine.hpp>
#include <nexus/hardware.hpp>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"

namespace nexus::tool::bench {

// Repeats of one measurement, in the order in which they were made.
class samples {
 public:
  void add(double value) { values_.push_back(value); }
  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] const std::vector<double>& values() const noexcept {
    return values_;
  }
  // Of an even number the mean of the two in the middle; of none 0.
  [[nodiscard]] double median() const;
  [[nodiscard]] double least() const;
  [[nodiscard]] double most() const;

 private:
  std::vector<double> values_;
};

// Bytes a second that so many threads move at once; a copied byte counts once.
struct memory_point {
  std::uint32_t threads = 1;
  samples copy;
  samples read;
};

struct disk_result {
  std::string directory;
  std::string file_system;  // "ext4"; a number where it has no name here
  bool in_memory = false;   // a file system that lives in memory
  std::uint64_t bytes = 0;  // of the temporary file
  samples write;            // bytes a second, fsync included
  samples read;             // bytes a second, after the cache was dropped
  double cached_share = 0;  // of the file, just before it was read; 0 to 1
  std::string failure;      // why there is no more, or empty
};

struct backend {
  std::string name;
  bool gpu = false;
  std::uint32_t workers = 1;  // the most: lanes, or cards
  std::vector<device_description> devices;
};

// One way to run one operation.
struct run_point {
  bench_op op = bench_op::encrypt;
  std::string backend;
  std::uint32_t workers = 1;  // that the engine had
  bool all_workers = true;    // no fewer were asked for
  std::uint64_t segment_bytes = 0;
  std::optional<std::uint64_t> rows;  // of a segment, where it has rows
  std::uint64_t data_bytes = 0;  // of one run: plaintext, or what is proved
  samples seconds;
  samples processors;  // kept busy by the process: processor time / time
  samples others;      // kept busy by others, or withheld by a hypervisor

  [[nodiscard]] double rate() const;   // bytes a second, of the median
  [[nodiscard]] double least() const;  // of the slowest run
  [[nodiscard]] double most() const;   // of the fastest
};

struct latency_point {
  bench_op op = bench_op::encrypt;
  std::string backend;
  samples one_byte;    // seconds of a run whose data is one byte
  samples first_byte;  // seconds until a long run hands out its first bytes;
                       // none where it has no output
};

struct results {
  std::string version;
  std::string date;  // UTC, ISO 8601
  std::string command;
  std::string processor;
  std::string kernel;
  double load_before = 0;  // the system's load average over a minute
  hardware machine;
  bool quick = false;
  std::uint32_t repeats = 0;
  std::vector<backend> backends;
  std::vector<memory_point> memory;  // by the number of threads, rising
  std::uint64_t memory_bytes = 0;    // of each of the two buffers
  disk_result disk;
  std::vector<run_point> runs;
  std::vector<latency_point> latencies;
  std::vector<std::string> notes;  // what was left out, and why
  double elapsed_seconds = 0;
};

[[nodiscard]] const char* name_of(bench_op op) noexcept;

// Whether its backend's devices are graphics cards. Those run in a helper
// process, whose processor time counts as that of others.
[[nodiscard]] bool on_card(const results& from, const run_point& run);

// The memory's speed that an operation is compared with: copying where it
// writes as much as it reads, reading where it writes little or nothing.
struct ceiling {
  const char* what = "";  // "copy" or "read"
  std::uint32_t threads = 1;
  double bytes_per_second = 0;
};
[[nodiscard]] ceiling ceiling_of(const results& from, const run_point& run);

// Of this operation and backend, the fastest; null where there is none.
[[nodiscard]] const run_point* best_of(const results& from, bench_op op,
                                       const std::string& backend);

// What held a run up, as far as these figures tell.
enum class bound { memory, processors, card, others, unknown };
[[nodiscard]] bound bound_of(const results& from, const run_point& run);
// "memory", "computing": a word or two.
[[nodiscard]] const char* name_of(bound what) noexcept;
// A sentence.
[[nodiscard]] std::string describe(const results& from, const run_point& run);

// "6.72 GB/s": three digits, in powers of ten.
[[nodiscard]] std::string format_rate(double bytes_per_second);
// "6.72", "67.2", "672".
[[nodiscard]] std::string format_number(double value);
// "27 %", "0.03 %".
[[nodiscard]] std::string format_share(double part, double whole);
// "256 KiB", "1 MiB": without decimals where there are none.
[[nodiscard]] std::string format_segment(std::uint64_t bytes);
// "1.42 ms".
[[nodiscard]] std::string format_seconds(double seconds);

}  // namespace nexus::tool::bench
