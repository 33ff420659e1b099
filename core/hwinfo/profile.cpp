// Arithmetic only: everything about the machine comes in.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <nexus/hardware.hpp>

#include "hwinfo/size.hpp"

namespace nexus {
namespace {

using hwinfo::size_text;

// Taken where nothing at all is known about memory.
constexpr std::uint64_t assumed_headroom_bytes = std::uint64_t{1} << 30;
// From so many processors on, one is left to the rest of the machine.
constexpr std::uint64_t processors_to_spare_one = 4;

struct figure {
  std::uint64_t value = 0;
  std::string reason;
};

// "1.5", "50": up to two decimals, whatever the locale.
std::string decimal(double value) {
  std::array<char, 64> text;
  const auto written = std::to_chars(text.data(), text.data() + text.size(),
                                     value, std::chars_format::fixed, 2);
  std::string out(text.data(), written.ptr);
  while (out.ends_with('0')) out.pop_back();
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string counted(std::uint64_t n, const char* noun) {
  return std::to_string(n) + ' ' + noun + (n == 1 ? "" : "s");
}

// The least that is free under any limit, and whose limit that is.
figure headroom_of(const hardware& machine) {
  figure least{UINT64_MAX, {}};
  if (machine.memory_available_bytes != 0) {
    least = {machine.memory_available_bytes,
             size_text(machine.memory_available_bytes) + " available"};
  }
  for (const memory_limit& m : machine.memory_limits) {
    const std::uint64_t left =
        m.limit_bytes - std::min(m.limit_bytes, m.used_bytes);
    if (left >= least.value) continue;
    least = {left, size_text(left) + " left of " + size_text(m.limit_bytes) +
                       " under " + m.origin};
  }
  if (least.reason.empty()) {
    least = {assumed_headroom_bytes,
             size_text(assumed_headroom_bytes) +
                 " assumed, since the memory of this machine cannot be read"};
  }
  return least;
}

figure budget_of(const hardware& machine, const profile_request& request) {
  const figure headroom = headroom_of(machine);
  if (request.memory_bytes) {
    figure asked{*request.memory_bytes,
                 size_text(*request.memory_bytes) + " asked for"};
    if (asked.value > headroom.value) {
      asked.reason += ", although only " + headroom.reason;
    }
    return asked;
  }
  // As long double every 64-bit number is exact on x86-64, so that a fraction
  // of 1 cannot round up beyond the range.
  const auto share = static_cast<long double>(headroom.value) *
                     static_cast<long double>(request.memory_fraction);
  const std::uint64_t bytes = request.memory_fraction >= 1
                                  ? headroom.value
                                  : static_cast<std::uint64_t>(share);
  return {bytes,
          decimal(request.memory_fraction * 100) + "% of " + headroom.reason};
}

// Of what the workers leave of the budget.
figure inflight_of(const figure& budget, std::uint64_t workers,
                   const profile_request& request) {
  const std::uint64_t each = request.segment_working_set_bytes;
  if (each == 0) return {request.max_inflight, "the most allowed"};
  const std::uint64_t left =
      budget.value - workers * request.worker_working_set_bytes;
  const std::uint64_t fits = left / each;
  const std::string room = size_text(left) + " hold " +
                           counted(fits, "segment") + " of " + size_text(each);
  if (fits <= request.max_inflight) return {fits, room};
  return {request.max_inflight, "the most allowed; " + room};
}

void limit_to(figure& workers, std::uint64_t most, const std::string& why) {
  if (most >= workers.value) return;
  workers.value = most;
  workers.reason += ", " + why;
}

figure workers_of(const hardware& machine, const figure& budget,
                  const profile_request& request) {
  figure workers{machine.allowed_processors,
                 counted(machine.allowed_processors, "processor") + " allowed"};
  if (workers.value == 0) workers = {1, "the processors cannot be counted"};
  if (machine.cpu_quota && *machine.cpu_quota < 1e9) {
    const double whole = std::max(1.0, std::ceil(*machine.cpu_quota));
    limit_to(workers, static_cast<std::uint64_t>(whole),
             "a quota of " + decimal(*machine.cpu_quota) + " by " +
                 machine.cpu_quota_origin);
  }
  if (request.max_threads) {
    // Whoever names a number has decided what to leave free.
    limit_to(workers, *request.max_threads,
             "at most " + std::to_string(*request.max_threads) + " asked for");
  } else if (workers.value >= processors_to_spare_one) {
    limit_to(workers, workers.value - 1, "one left free");
  }
  if (const std::uint64_t each = request.worker_working_set_bytes; each != 0) {
    // Each needs a segment to work on, too.
    const std::uint64_t whole = each + request.segment_working_set_bytes;
    const std::uint64_t fits = budget.value / whole;
    limit_to(workers, fits,
             size_text(budget.value) + " hold " + std::to_string(fits) +
                 " that take " + size_text(whole) + " each");
  }
  return workers;
}

status check(const profile_request& request) {
  const auto refuse = [](const char* what) {
    return status(status_code::invalid_argument, what);
  };
  // Written so that a NaN is refused too.
  if (!(request.memory_fraction > 0 && request.memory_fraction <= 1)) {
    return refuse("the memory fraction is not above 0 and at most 1");
  }
  if (request.max_inflight == 0) {
    return refuse("at most 0 segments in flight leave nothing to do");
  }
  if (request.max_threads == 0u) {
    return refuse("at most 0 threads leave nothing to work with");
  }
  return {};
}

status too_small(const figure& budget, std::uint64_t needed) {
  const auto exact = [](std::uint64_t n) {
    const std::string plain = counted(n, "byte");
    const std::string text = size_text(n);
    return text == plain ? text : text + " (" + plain + ")";
  };
  return {status_code::out_of_memory,
          "one segment needs " + exact(needed) +
              " of memory, but the budget is " + exact(budget.value) + ": " +
              budget.reason,
          "allow more memory, free some, or make the segments smaller"};
}

}  // namespace

result<parallelism_profile> make_profile(const hardware& machine,
                                         const profile_request& request) {
  if (status bad = check(request); !bad.ok()) return bad;
  const figure budget = budget_of(machine, request);
  const std::uint64_t least =
      request.segment_working_set_bytes + request.worker_working_set_bytes;
  if (budget.value < least) return too_small(budget, least);
  const figure workers = workers_of(machine, budget, request);
  const figure inflight = inflight_of(budget, workers.value, request);

  parallelism_profile profile;
  profile.cpu_workers = static_cast<std::uint32_t>(workers.value);
  profile.gpu_workers = request.gpu_devices;
  profile.inflight_segments = static_cast<std::uint32_t>(inflight.value);
  profile.budget_bytes = budget.value;
  profile.reasons = {
      {"cpu_workers", workers.reason},
      {"gpu_workers",
       request.gpu_devices == 0 ? "no GPU in use" : "one for each GPU in use"},
      {"inflight_segments", inflight.reason},
      {"budget_bytes", budget.reason}};
  return profile;
}

std::vector<worker_binding> bind_workers(const hardware& machine,
                                         std::uint32_t workers) {
  std::vector<const numa_node*> nodes;  // those where something may run
  for (const numa_node& n : machine.nodes) {
    if (!n.processors.empty()) nodes.push_back(&n);
  }
  if (nodes.size() < 2) {
    const std::uint32_t node = nodes.empty() ? 0 : nodes.front()->os_index;
    return std::vector<worker_binding>(workers, {node, {}});
  }
  // Highest averages (D'Hondt): the next worker goes where the processors per
  // worker stay highest, so any number of workers is in proportion, and none
  // shares a processor before every one has a worker.
  std::vector<std::uint64_t> placed(nodes.size(), 0);
  std::vector<worker_binding> bindings;
  for (std::uint32_t w = 0; w < workers; ++w) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      if (nodes[i]->processors.size() * (placed[best] + 1) >
          nodes[best]->processors.size() * (placed[i] + 1)) {
        best = i;
      }
    }
    ++placed[best];
    bindings.push_back({nodes[best]->os_index, nodes[best]->processors});
  }
  return bindings;
}

}  // namespace nexus
