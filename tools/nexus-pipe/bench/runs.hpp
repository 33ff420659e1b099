// Runs of the engine against the clock.
#pragma once

#include <cstdint>
#include <functional>
#include <nexus/status.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "bench/data.hpp"
#include "bench/results.hpp"

namespace nexus::tool::bench {

// One way to run one operation, before it was run.
struct shape {
  bench_op op = bench_op::encrypt;
  const backend* on = nullptr;
  std::uint32_t workers = 1;
  std::uint64_t segment_bytes = 0;  // of data
  std::uint64_t rows = 0;           // where a segment has rows
};

// The device operation that its jobs name.
[[nodiscard]] const char* job_of(bench_op op) noexcept;

// All workers, and segments of the usual size.
[[nodiscard]] shape usual_shape(bench_op op, const backend& on, bool quick);
// The shapes to measure: every segment size with all workers, and every number
// of workers with segments of the usual size, largest share of the machine
// first. Sizes of which `most` bytes hold less than one for each worker are
// left out, but the smallest never is.
[[nodiscard]] std::vector<shape> shapes_of(bench_op op, const backend& on,
                                           bool quick, std::uint64_t most);

struct run_plan {
  engine_options engine;  // without a backend
  std::uint32_t repeats = 5;
  double seconds = 0.25;  // that one run is to take
  // Of one run of verify: proofs take far longer to make than to verify.
  std::uint64_t verified_bytes = 16u << 20;
  std::optional<std::uint64_t> size;  // bytes of one run; instead of all that
};

class run_meter {
 public:
  run_meter(run_plan plan, test_data& data, std::stop_token stop)
      : plan_(std::move(plan)), data_(data), stop_(std::move(stop)) {}

  // A run to warm up, then the repeats. Remembers how fast it was.
  [[nodiscard]] result<run_point> measure(const shape& how);
  [[nodiscard]] result<latency_point> latency(const shape& how);

 private:
  struct timing {
    double seconds = 0;
    double processors = 0;
    double others = 0;
    double first_byte_seconds = 0;  // 0: nothing came
    std::uint64_t segment_bytes = 0;
    std::uint32_t workers = 0;  // that the engine really had
  };
  [[nodiscard]] engine_options options_for(const shape& how) const;
  // Bytes of data for a run, as far as is known by now.
  [[nodiscard]] std::uint64_t size_for(const shape& how) const;
  [[nodiscard]] result<timing> run(engine& worker, const shape& how,
                                   std::uint64_t size, bool watch_first);
  [[nodiscard]] result<std::uint64_t> warm_up(engine& worker, const shape& how);

  run_plan plan_;
  test_data& data_;
  std::stop_token stop_;
  // Bytes a second and worker, of what was measured last, and of what.
  double rate_ = 0;
  const backend* rate_on_ = nullptr;
  bench_op rate_op_ = bench_op::encrypt;
};

}  // namespace nexus::tool::bench
