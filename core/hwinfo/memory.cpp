#include "hwinfo/memory.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "hwinfo/text.hpp"

namespace nexus::hwinfo {
namespace {

constexpr std::uint64_t kib = 1024;

std::optional<std::uint64_t> kib_field(std::string_view text,
                                       std::string_view key) {
  const auto value = field(text, key);
  if (!value || *value > UINT64_MAX / kib) return std::nullopt;
  return *value * kib;
}

void parse_meminfo(const std::string& text, memory_facts& facts) {
  facts.total_bytes = kib_field(text, "MemTotal:").value_or(0);
  // Kernels before 3.14 and some containers do not show MemAvailable.
  facts.available_bytes =
      kib_field(text, "MemAvailable:")
          .value_or(kib_field(text, "MemFree:").value_or(0) +
                    kib_field(text, "Cached:").value_or(0));
}

// The files rather than getrlimit(), so that a recorded tree speaks for itself.
void read_rlimits(const hardware_roots& roots, memory_facts& facts) {
  struct kind {
    std::string_view row;   // in self/limits: soft limit first
    std::string_view used;  // in self/status
    const char* origin;
  };
  constexpr kind kinds[] = {
      {"Max address space", "VmSize:", "RLIMIT_AS (ulimit -v)"},
      {"Max data size", "VmData:", "RLIMIT_DATA (ulimit -d)"}};

  const auto limits = read_text(roots.proc + "/self/limits");
  if (!limits) return;
  std::optional<std::string> status;
  for (const kind& k : kinds) {
    const auto limit = field(*limits, k.row);  // "unlimited" is no number
    if (!limit) continue;
    if (!status) status = read_text(roots.proc + "/self/status").value_or("");
    facts.limits.push_back(
        {k.origin, *limit, kib_field(*status, k.used).value_or(0)});
  }
}

}  // namespace

memory_facts read_meminfo(const hardware_roots& roots) {
  memory_facts facts;
  if (const auto text = read_text(roots.proc + "/meminfo")) {
    parse_meminfo(*text, facts);
  }
  return facts;
}

memory_facts read_memory(const hardware_roots& roots) {
  memory_facts facts = read_meminfo(roots);
  read_rlimits(roots, facts);
  return facts;
}

}  // namespace nexus::hwinfo
