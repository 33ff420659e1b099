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
      units.push_back({one.uuid, one.index});
    }
  }
  return units;
}

std::vector<unit> free_slots(std::int64_t slots,
                             const std::vector<std::string>& taken) {
  std::vector<unit> units;
  for (std::int64_t i = 0; i < slots; ++i) {
    const std::string key = "slot:" + std::to_string(i);
    if (!holds(taken, key)) units.push_back({key, {}});
  }
  return units;
}

std::vector<placement> place(const std::vector<job>& queue,
                             std::vector<unit> gpus, std::vector<unit> slots) {
  std::vector<placement> placed;
  for (const job& which : queue) {
    if (gpus.empty() && slots.empty()) break;
    const bool without = which.asked.gpus == 0;
    auto& from = without ? slots : gpus;
    const auto needed =
        without ? std::size_t{1} : static_cast<std::size_t>(which.asked.gpus);
    if (from.size() < needed) {
      from.clear();
      continue;
    }
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(needed);
    placed.push_back({which, {from.begin(), end}});
    from.erase(from.begin(), end);
  }
  return placed;
}

}  // namespace nexus::queue
