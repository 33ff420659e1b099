// ChaCha20-Poly1305 (RFC 8439) over one chunk at a time, without associated
// data. There are two libraries that do it; their bytes are the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace nexus::cpu {

inline constexpr std::size_t cipher_key_bytes = 32;
inline constexpr std::size_t cipher_nonce_bytes = 12;
inline constexpr std::size_t cipher_tag_bytes = 16;

enum class direction { seal, open };
enum class opened { yes, no, broken };  // broken: the library failed

// What goes through a cipher. The two buffers do not overlap, are `bytes` long
// (at most 2^20) and may be NULL where that is 0.
struct cipher_text {
  const std::uint8_t* nonce;  // cipher_nonce_bytes
  const std::uint8_t* input;
  std::uint8_t* output;
  std::size_t bytes;
};

// For one thread at a time.
class chunk_cipher {
 public:
  chunk_cipher() = default;
  virtual ~chunk_cipher() = default;
  chunk_cipher(const chunk_cipher&) = delete;
  chunk_cipher& operator=(const chunk_cipher&) = delete;

  // Such as "openssl".
  virtual const char* name() const noexcept = 0;
  // Sets what is used until forget_key(); the key has to stay where it is as
  // long. False if the library failed.
  virtual bool set_key(const std::uint8_t* key, direction way) noexcept = 0;
  // Clears every copy of the key, and what was made of it.
  virtual void forget_key() noexcept = 0;

  // Writes the ciphertext and the tag. False if the library failed.
  virtual bool seal(const cipher_text& text, std::uint8_t* tag) noexcept = 0;
  // Writes the output whatever the answer: unless that is `yes`, the caller
  // has to wipe it.
  virtual opened open(const cipher_text& text,
                      const std::uint8_t* tag) noexcept = 0;
};

// NULL if OpenSSL offers no ChaCha20-Poly1305 here, or out of memory.
std::unique_ptr<chunk_cipher> make_openssl_cipher();

// Intel's libipsec-mb: a fifth faster where the processor has AVX-512 with
// IFMA. NULL if it cannot be used, or out of memory.
std::unique_ptr<chunk_cipher> make_ipsec_mb_cipher();

// Why make_ipsec_mb_cipher() cannot work here, or NULL if it can. Both load the
// library once per process: about half a millisecond. From any thread.
const char* why_no_ipsec_mb() noexcept;
// Such as "ipsec-mb 1.3", or empty if it cannot be used.
const char* ipsec_mb_name() noexcept;

}  // namespace nexus::cpu
