#include "pinned_memory.hpp"

#include <map>
#include <mutex>

namespace nexus::cuda {
namespace {

struct registry {
  std::mutex mutex;
  std::map<void*, std::uint32_t> users;
};

registry& all() {
  static registry only;
  return only;
}

}  // namespace

cudaError_t pin(void* memory, std::uint64_t bytes) {
  registry& pinned = all();
  const std::lock_guard lock(pinned.mutex);
  const auto at = pinned.users.try_emplace(memory, 0).first;
  if (at->second == 0) {
    const cudaError_t code =
        cudaHostRegister(memory, bytes, cudaHostRegisterPortable);
    if (code != cudaSuccess) {
      cudaGetLastError();  // or the next launch would find it
      pinned.users.erase(at);
      return code;
    }
  }
  ++at->second;
  return cudaSuccess;
}

void unpin(void* memory) noexcept {
  registry& pinned = all();
  const std::lock_guard lock(pinned.mutex);
  const auto at = pinned.users.find(memory);
  if (at == pinned.users.end() || --at->second != 0) return;
  pinned.users.erase(at);
  cudaHostUnregister(memory);
}

}  // namespace nexus::cuda
