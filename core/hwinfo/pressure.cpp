#include "hwinfo/pressure.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "hwinfo/cgroup.hpp"
#include "hwinfo/memory.hpp"
#include "hwinfo/text.hpp"
#include "hwinfo/topology.hpp"

namespace nexus::hwinfo {
namespace {

// "avg10=1.23"
std::optional<double> average(std::string_view word) {
  if (!word.starts_with("avg10=")) return std::nullopt;
  word.remove_prefix(6);
  double value = 0;
  const char* end = word.data() + word.size();
  const auto parsed = std::from_chars(word.data(), end, value);
  const bool good = parsed.ec == std::errc{} && parsed.ptr == end &&
                    value >= 0 && value <= 100;
  return good ? std::optional(value) : std::nullopt;
}

// "some avg10=1.23 avg60=0.50 avg300=0.10 total=123456"
std::optional<memory_stall> read_stall(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  for (std::string_view rest = *text; !rest.empty();) {
    std::string_view line = take_until(rest, '\n');
    if (take_word(line) != "some") continue;
    const auto percent = average(take_word(line));
    take_word(line);
    take_word(line);
    std::string_view total = take_word(line);
    if (!percent || !total.starts_with("total=")) return std::nullopt;
    total.remove_prefix(6);
    const auto waited = parse_u64(total);
    if (!waited) return std::nullopt;
    return memory_stall{*percent, *waited};
  }
  return std::nullopt;
}

void read_machine(const hardware_roots& roots, pressure_reading& now) {
  const memory_facts memory = read_meminfo(roots);
  if (memory.total_bytes != 0 && memory.available_bytes != 0) {
    const std::uint64_t used =
        memory.total_bytes -
        std::min(memory.total_bytes, memory.available_bytes);
    now.limits.push_back({{machine_origin, memory.total_bytes, used}, {}});
  }
  now.machine = read_stall(roots.proc + "/pressure/memory");
}

}  // namespace

pressure_reading read_pressure(const hardware_roots& roots) {
  pressure_reading now;
  read_machine(roots, now);
  cgroup_facts groups = read_cgroups(roots);
  for (std::size_t i = 0; i < groups.memory.size(); ++i)
    now.limits.push_back({std::move(groups.memory[i]), groups.hits[i].read()});
  if (!groups.own_v2.empty()) {
    now.group = read_stall(groups.own_v2 + "/memory.pressure");
    now.oom_kills =
        hit_counter{groups.own_v2 + "/memory.events", "oom_kill"}.read();
  }
  now.cpu_quota = groups.cpu_quota;
  now.cpu_quota_origin = std::move(groups.cpu_quota_origin);
  now.allowed_processors = count_allowed();
  return now;
}

}  // namespace nexus::hwinfo
