#include "engine/import_cache.hpp"

namespace nexus {

nexus_buffer*& import_cache::place(std::byte* memory, device& by, bool& fresh) {
  const auto [at, added] = made_.try_emplace({memory, &by}, nullptr);
  fresh = added;
  return at->second;
}

void import_cache::forget(std::byte* memory) noexcept {
  auto at = made_.lower_bound({memory, nullptr});
  while (at != made_.end() && at->first.first == memory) {
    if (at->second != nullptr) at->first.second->release_buffer(at->second);
    at = made_.erase(at);
  }
}

}  // namespace nexus
