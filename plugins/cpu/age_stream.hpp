// The jobs age-seal and age-open (nexus/plugin.h).
#pragma once

#include <nexus/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "chunk_cipher.hpp"

namespace nexus::cpu {

inline constexpr std::size_t age_chunk = 65536;  // bytes of plaintext
inline constexpr std::size_t age_tag = 16;
inline constexpr std::size_t age_sealed = age_chunk + age_tag;

// Whether the job is of the pinned form: NEXUS_OK or NEXUS_E_ARGUMENT. Its
// parameter block must have been found to be of a sufficient size.
std::int32_t check_age_seal(const nexus_job& job) noexcept;
std::int32_t check_age_open(const nexus_job& job) noexcept;

// fastest: OpenSSL at first, then libipsec-mb where it can be used and the
// process has seen enough work for that to pay. ipsec_mb: from the first job
// on, and OpenSSL where it cannot be used.
enum class cipher_choice { fastest, openssl, ipsec_mb };

// "openssl" or "ipsec-mb"; fastest if it is unknown or NULL.
cipher_choice parse_cipher_choice(const char* name) noexcept;

// The ciphers of one lane, kept between jobs; they hold no key between them.
// For one thread at a time.
class age_stream {
 public:
  // NULL if OpenSSL offers no ChaCha20-Poly1305 here, or out of memory.
  static std::unique_ptr<age_stream> create(
      cipher_choice choice = cipher_choice::fastest);

  // Run a checked job whose output does not overlap its input. `cancelled` is
  // looked at before every chunk.
  nexus_result seal(const nexus_job& job,
                    const std::atomic<bool>& cancelled) noexcept;
  nexus_result open(const nexus_job& job,
                    const std::atomic<bool>& cancelled) noexcept;

  // What the last job ran on, such as "openssl"; empty before the first.
  const char* last_cipher() const noexcept { return last_cipher_; }

 private:
  class keyed;
  struct chunk;

  explicit age_stream(cipher_choice choice) : choice_(choice) {}
  chunk_cipher& cipher_for(const nexus_job& job) noexcept;
  static bool seal_chunk(chunk_cipher& cipher, const chunk& c) noexcept;
  static opened open_chunk(chunk_cipher& cipher, const chunk& c) noexcept;
  static opened try_chunk(chunk_cipher& cipher, const chunk& c,
                          bool final_first, bool& is_final) noexcept;

  const cipher_choice choice_;
  std::unique_ptr<chunk_cipher> openssl_;
  std::unique_ptr<chunk_cipher> faster_;
  bool looked_ = false;  // for faster_
  const char* last_cipher_ = "";
};

}  // namespace nexus::cpu
