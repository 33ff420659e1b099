#include "schedule.hpp"

#include <algorithm>

namespace nexus::queue {
namespace {

bool holds(const std::vector<std::string>& taken, const std::string& key) {
  return std::ranges::find(taken, key) != taken.end();
}

}  // namespace

std::vector<unit> free_gpus(const gpu_snapshot& snapshot,
                            const std::vector<std::string>& taken) {
  std::vector<unit> units;
  for (const gpu& one : snapshot.gpus) {
    if (one.blocked.empty() && !holds(taken, one.uuid)) {
      units.push_back({one.uuid, one.index, one.memory_mib - one.used_mib});
    }
  }
  return units;
}

std::vector<unit> free_slots(std::int64_t slots,
                             const std::vector<std::string>& taken) {
  std::vector<unit> units;
  for (std::int64_t i = 0; i < slots; ++i) {
    const std::string key = "slot:" + std::to_string(i);
    if (!holds(taken, key)) units.push_back({key, {}, 0});
  }
  return units;
}

std::size_t suitable_gpus(const job_request& asked,
                          const gpu_snapshot& machine) {
  return static_cast<std::size_t>(
      std::ranges::count_if(machine.gpus, [&](const gpu& one) {
        return !one.excluded && one.memory_mib >= asked.gpu_memory;
      }));
}

std::vector<placement> place(const std::vector<job>& queue,
                             std::vector<unit> gpus, std::vector<unit> slots,
                             const gpu_snapshot& machine) {
  std::vector<placement> placed;
  for (const job& which : queue) {
    if (gpus.empty() && slots.empty()) break;
    const job_request& asked = which.asked;
    const bool without = asked.gpus == 0;
    const auto needed =
        without ? std::size_t{1} : static_cast<std::size_t>(asked.gpus);
    if (!without && suitable_gpus(asked, machine) < needed) continue;
    auto& from = without ? slots : gpus;
    std::vector<unit> taken;
    std::erase_if(from, [&](const unit& one) {
      const bool take = taken.size() < needed &&
                        (without || one.free_mib >= asked.gpu_memory);
      if (take) taken.push_back(one);
      return take;
    });
    // Too few: they are kept, for this job.
    if (taken.size() == needed) placed.push_back({which, std::move(taken)});
  }
  return placed;
}

}  // namespace nexus::queue
