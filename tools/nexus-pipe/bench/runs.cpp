#include "bench/runs.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <nexus/prover.hpp>
#include <string>
#include <utility>

namespace nexus::tool::bench {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t chunk_bytes = 65536;  // of the age format
constexpr std::uint64_t sealed_chunk_bytes = chunk_bytes + 16;
constexpr std::uint64_t first_guess = 16 * mib;
constexpr std::uint32_t one_byte_runs_a_repeat = 4;
constexpr std::uint64_t watched_bytes = 64 * mib;

double seconds_since(steady::time_point begin) {
  return std::chrono::duration<double>(steady::now() - begin).count();
}

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Of all processes, and what a hypervisor withheld; 0 where nothing tells.
double system_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  // user, nice, system, idle, iowait, irq, softirq, steal: proc_stat(5).
  std::array<std::uint64_t, 8> ticks{};
  file >> name;
  for (std::uint64_t& count : ticks) file >> count;
  if (!file || name != "cpu") return 0;
  const std::uint64_t busy =
      ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
  return static_cast<double>(busy) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

bool has_rows(bench_op op) {
  return op != bench_op::encrypt && op != bench_op::decrypt;
}

bool is_slow(bench_op op) {
  return op == bench_op::prove || op == bench_op::verify;
}

// Bytes, or rows, of the segments to try, rising; and of the usual ones.
struct segment_sizes {
  std::vector<std::uint64_t> all;
  std::uint64_t usual;
};

segment_sizes sizes_of(bench_op op, bool gpu, bool quick) {
  segment_sizes sizes;
  if (is_slow(op)) {
    sizes.all = {1u << 10, 1u << 12, 1u << 14};
    if (!quick) sizes.all.push_back(1u << 16);
    sizes.usual = sizes.all.back();
    return sizes;
  }
  const bool rows = has_rows(op);
  // 4096 rows hold 244,800 bytes.
  const std::uint64_t smallest = rows ? 4096 : mib / 4;
  for (unsigned i = gpu ? 1 : 0; i < (gpu ? 5 : 4); ++i) {
    sizes.all.push_back(smallest << (2 * i));
  }
  sizes.usual = gpu ? smallest << 6 : rows ? 65536 : mib;
  return sizes;
}

}  // namespace

const char* job_of(bench_op op) noexcept {
  switch (op) {
    case bench_op::encrypt:
      return "age-seal";
    case bench_op::decrypt:
      return "age-open";
    case bench_op::prove:
      return "prove";
    case bench_op::verify:
      return "verify";
    case bench_op::digest:
      break;
  }
  return "digest";
}

shape usual_shape(bench_op op, const backend& on, bool quick) {
  const std::uint64_t size = sizes_of(op, on.gpu, quick).usual;
  if (!has_rows(op)) return {op, &on, on.workers, size, 0};
  return {op, &on, on.workers, segment_capacity(size), size};
}

std::vector<shape> shapes_of(bench_op op, const backend& on, bool quick,
                             std::uint64_t most) {
  const segment_sizes sizes = sizes_of(op, on.gpu, quick);
  std::vector<shape> shapes;
  const auto add = [&](std::uint32_t workers, std::uint64_t size) {
    shape made{op, &on, workers, size, 0};
    if (has_rows(op)) {
      made.rows = size;
      made.segment_bytes = segment_capacity(size);
    }
    const bool smallest = size == sizes.all.front();
    if (smallest || made.segment_bytes <= most / workers) {
      shapes.push_back(made);
    }
  };
  for (const std::uint64_t size : sizes.all) add(on.workers, size);
  if (on.gpu) return shapes;
  if (on.workers / 2 > 1) add(on.workers / 2, sizes.usual);
  if (on.workers > 1) add(1, sizes.usual);
  return shapes;
}

engine_options run_meter::options_for(const shape& how) const {
  engine_options options = plan_.engine;
  options.backend = how.on->name;
  if (!how.on->gpu) options.max_threads = how.workers;
  if (!has_rows(how.op)) {
    const bool sealed = how.op == bench_op::decrypt;
    options.segment_bytes = how.segment_bytes / chunk_bytes *
                            (sealed ? sealed_chunk_bytes : chunk_bytes);
  }
  return options;
}

std::uint64_t run_meter::size_for(const shape& how) const {
  if (plan_.size) return *plan_.size;
  // Whole rounds: nobody waits for a straggler.
  const std::uint64_t round = how.segment_bytes * how.workers;
  const std::uint64_t least = round * (is_slow(how.op) ? 2 : 4);
  std::uint64_t size = is_slow(how.op) ? least : first_guess;
  if (how.op == bench_op::verify) {
    size = plan_.verified_bytes;
  } else if (rate_on_ == how.on && rate_op_ == how.op) {
    size = static_cast<std::uint64_t>(rate_ * how.workers * plan_.seconds);
  }
  size = std::min(size / round * round, data_.most() / round * round);
  return std::max(size, std::min(least, data_.most()));
}

result<run_meter::timing> run_meter::run(engine& worker, const shape& how,
                                         std::uint64_t size, bool watch_first) {
  const auto input = data_.input(how.op, size, how.rows);
  if (!input) return input.error();
  const auto work = data_.make(how.op, how.rows);
  timing took;
  const double system_before = system_seconds();
  const double processors_before = processor_seconds();
  const auto begin = steady::now();
  sink to = sink::discard();
  if (watch_first) {
    to = sink::to_callback([&](std::span<const std::byte>) {
      if (took.first_byte_seconds == 0) {
        took.first_byte_seconds = seconds_since(begin);
      }
      return status();
    });
  }
  const run_report report =
      worker.run(*work, source::from_memory(*input), std::move(to),
                 {.stop = stop_, .progress = {}, .planned = {}, .trace = {}});
  if (!report.outcome.ok()) return report.outcome;
  took.seconds = std::max(seconds_since(begin), 1e-9);
  const double used = processor_seconds() - processors_before;
  took.processors = used / took.seconds;
  took.others =
      std::max(system_seconds() - system_before - used, 0.0) / took.seconds;
  for (const device_telemetry& device : report.statistics.devices) {
    if (device.plugin == how.on->name) took.workers += device.lanes;
  }
  took.segment_bytes = how.segment_bytes;
  if (!has_rows(how.op)) {
    // What the engine made of it; of data, not of what that is sealed in.
    const std::uint64_t chunk =
        how.op == bench_op::decrypt ? sealed_chunk_bytes : chunk_bytes;
    took.segment_bytes = report.statistics.segment_bytes / chunk * chunk_bytes;
  }
  return took;
}

// Until a run takes about as long as it is to take, or there is no more data.
result<std::uint64_t> run_meter::warm_up(engine& worker, const shape& how) {
  while (true) {
    const std::uint64_t size = size_for(how);
    const result<timing> took = run(worker, how, size, false);
    if (!took) return took.error();
    rate_ = static_cast<double>(size) / took->seconds / how.workers;
    rate_on_ = how.on;
    rate_op_ = how.op;
    const std::uint64_t next = size_for(how);
    if (took->seconds >= plan_.seconds / 2 || next <= size) return size;
  }
}

result<run_point> run_meter::measure(const shape& how) {
  engine worker(options_for(how));
  const result<std::uint64_t> size = warm_up(worker, how);
  if (!size) return size.error();
  run_point point;
  point.op = how.op;
  point.backend = how.on->name;
  point.all_workers = how.workers == how.on->workers;
  point.data_bytes = *size;
  if (has_rows(how.op)) point.rows = how.rows;
  for (std::uint32_t i = 0; i < plan_.repeats; ++i) {
    const result<timing> took = run(worker, how, *size, false);
    if (!took) return took.error();
    point.seconds.add(took->seconds);
    point.processors.add(took->processors);
    point.others.add(took->others);
    point.segment_bytes = took->segment_bytes;
    point.workers = took->workers;
  }
  return point;
}

result<latency_point> run_meter::latency(const shape& how) {
  engine_options options = options_for(how);
  options.segment_bytes.reset();  // as a run would choose it
  engine worker(std::move(options));
  latency_point point;
  point.op = how.op;
  point.backend = how.on->name;
  const auto repeat = [&](std::uint32_t times, std::uint64_t size, bool first,
                          samples& into) -> status {
    for (std::uint32_t i = 0; i <= times; ++i) {
      const result<timing> took = run(worker, how, size, first);
      if (!took) return took.error();
      const double seconds = first ? took->first_byte_seconds : took->seconds;
      if (i > 0) into.add(seconds);  // the first one warms up
    }
    return {};
  };
  status done =
      repeat(plan_.repeats * one_byte_runs_a_repeat, 1, false, point.one_byte);
  if (!done.ok()) return done;
  if (how.op == bench_op::digest || how.op == bench_op::verify) return point;
  const std::uint64_t most = how.op == bench_op::prove
                                 ? how.segment_bytes * how.workers
                                 : plan_.size.value_or(watched_bytes);
  done = repeat(plan_.repeats, std::min(most, data_.most()), true,
                point.first_byte);
  if (!done.ok()) return done;
  return point;
}

}  // namespace nexus::tool::bench
