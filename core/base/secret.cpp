#include <openssl/crypto.h>
#include <nexus/secret.hpp>

namespace nexus {

void wipe(void* data, std::size_t size) noexcept {
  OPENSSL_cleanse(data, size);
}

bool equal_in_constant_time(std::span<const std::byte> a,
                            std::span<const std::byte> b) noexcept {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace nexus
