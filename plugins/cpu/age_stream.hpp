// The jobs age-seal and age-open (nexus/plugin.h) on OpenSSL.
#pragma once

#include <nexus/plugin.h>
#include <openssl/evp.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace nexus::cpu {

inline constexpr std::size_t age_chunk = 65536;  // bytes of plaintext
inline constexpr std::size_t age_tag = 16;
inline constexpr std::size_t age_sealed = age_chunk + age_tag;

// Whether the job is of the pinned form: NEXUS_OK or NEXUS_E_ARGUMENT. Its
// parameter block must have been found to be of a sufficient size.
std::int32_t check_age_seal(const nexus_job& job) noexcept;
std::int32_t check_age_open(const nexus_job& job) noexcept;

// One cipher context, kept between jobs; holds no key between them. For one
// thread at a time.
class age_stream {
 public:
  // NULL if OpenSSL offers no ChaCha20-Poly1305 here, or out of memory.
  static std::unique_ptr<age_stream> create();

  // Run a checked job whose output does not overlap its input. `cancelled` is
  // looked at before every chunk.
  nexus_result seal(const nexus_job& job,
                    const std::atomic<bool>& cancelled) noexcept;
  nexus_result open(const nexus_job& job,
                    const std::atomic<bool>& cancelled) noexcept;

 private:
  struct freeing {
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    void operator()(EVP_CIPHER_CTX* ctx) const { EVP_CIPHER_CTX_free(ctx); }
  };
  // Forgets the key when a job ends, however it ends.
  class keyed;
  struct chunk;
  enum class opened { yes, no, broken };

  age_stream() = default;
  bool seal_chunk(const chunk& c) noexcept;
  opened open_chunk(const chunk& c) noexcept;
  opened try_chunk(const chunk& c, bool final_first, bool& is_final) noexcept;

  std::unique_ptr<EVP_CIPHER, freeing> cipher_;
  std::unique_ptr<EVP_CIPHER_CTX, freeing> context_;
};

}  // namespace nexus::cpu
