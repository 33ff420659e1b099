#include "pinned_memory.hpp"

#include <map>
#include <mutex>

namespace nexus::cuda {
namespace {

struct registry {
  std::mutex mutex;
  struct piece {
    std::uint64_t bytes = 0;
    std::uint32_t users = 0;
  };
  std::map<void*, piece> pieces;
};

registry& all() {
  static registry only;
  return only;
}

}  // namespace

cudaError_t pin(void* memory, std::uint64_t bytes) {
  registry& pinned = all();
  const std::lock_guard lock(pinned.mutex);
  const auto at = pinned.pieces.try_emplace(memory).first;
  if (at->second.users == 0) {
    cudaError_t code =
        cudaHostRegister(memory, bytes, cudaHostRegisterPortable);
    if (code != cudaSuccess) {
      // Inputs in a helper process cannot be written there. Not all platforms
      // know this.
      (void)cudaGetLastError();
      code = cudaHostRegister(
          memory, bytes, cudaHostRegisterPortable | cudaHostRegisterReadOnly);
    }
    if (code != cudaSuccess) {
      pinned.pieces.erase(at);
      return code;
    }
    at->second.bytes = bytes;
  }
  if (at->second.bytes < bytes) return cudaErrorHostMemoryAlreadyRegistered;
  ++at->second.users;
  return cudaSuccess;
}

void unpin(void* memory) noexcept {
  registry& pinned = all();
  const std::lock_guard lock(pinned.mutex);
  const auto at = pinned.pieces.find(memory);
  if (at == pinned.pieces.end() || --at->second.users != 0) return;
  pinned.pieces.erase(at);
  cudaHostUnregister(memory);
}

}  // namespace nexus::cuda
