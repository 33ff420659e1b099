#include "reasons.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "schedule.hpp"

namespace nexus::queue {
namespace {

std::string show_dependencies(const std::vector<dependency>& all) {
  std::string text = "waits for ";
  for (const dependency& one : all) {
    if (&one != &all.front()) text += ", ";
    const std::string_view what = one.when == condition::success ? "complete"
                                  : one.when == condition::any   ? "end"
                                                                 : "fail";
    text += fmt::format("job {} to {}", one.id, what);
  }
  return text;
}

// "a GPU", "2 GPUs", "a free GPU with 1024 MiB".
std::string show_wish(const job_request& asked, std::string_view how) {
  std::string text = asked.gpus == 1
                         ? fmt::format("a {}GPU", how)
                         : fmt::format("{} {}GPUs", asked.gpus, how);
  if (asked.gpu_memory > 0)
    text += fmt::format(" with {} MiB", asked.gpu_memory);
  return text;
}

}  // namespace

std::string never_fits(const job_request& asked, const gpu_snapshot& machine) {
  if (asked.gpus == 0 || machine.gpus.empty()) return {};
  const std::size_t fit = suitable_gpus(asked, machine);
  if (fit >= static_cast<std::size_t>(asked.gpus)) return {};
  std::int64_t largest = 0;
  std::size_t usable = 0;
  for (const gpu& one : machine.gpus) {
    if (one.excluded) continue;
    ++usable;
    largest = std::max(largest, one.memory_mib);
  }
  if (usable == 0) return "all GPUs are on the blacklist";
  std::string text = fmt::format("wants {}", show_wish(asked, ""));
  if (largest < asked.gpu_memory) {
    return text + fmt::format("; the largest has {} MiB", largest);
  }
  return text +
         (fit == 1 ? "; there is 1" : fmt::format("; there are {}", fit));
}

reason reason_of(const job& which, const queue_facts& facts) {
  const auto unmet = facts.unmet.find(which.number);
  if (unmet != facts.unmet.end()) {
    return {show_dependencies(unmet->second), true};
  }
  if (!facts.service_runs) return {"the service does not run"};
  if (facts.paused) return {"the queue is paused"};
  if (!facts.has_screen) return {"screen is not installed"};
  if (which.asked.gpus == 0) {
    if (facts.cpu_slots > 0) return {"waits for a free slot"};
    return {"there is no slot without a GPU: set gpus.cpu_slots", true};
  }
  if (facts.snapshot.gpus.empty()) {
    return {facts.snapshot.problem.empty() ? "nobody has looked at the GPUs yet"
                                           : facts.snapshot.problem};
  }
  const std::string never = never_fits(which.asked, facts.snapshot);
  if (!never.empty()) return {never, true};
  return {fmt::format("waits for {}{}", show_wish(which.asked, "free "),
                      which.asked.gpu_memory > 0 ? " free" : "")};
}

}  // namespace nexus::queue
