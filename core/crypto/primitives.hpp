// The few primitives that headers and keys need, on top of OpenSSL. Secrets
// go in by view and come out in memory that is wiped; nothing is kept between
// calls, and every function may be called from any thread.
//
// A function without an error channel throws std::bad_alloc where OpenSSL has
// no memory, which is all that can go wrong in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nexus/secret.hpp>
#include <nexus/status.hpp>
#include <span>
#include <string_view>

#include "base/bytes.hpp"

struct evp_cipher_ctx_st;

namespace nexus {

// Sets up OpenSSL. Called before threads start: set up on one of theirs while
// memory is short, it crashes instead of failing. Throws std::bad_alloc.
void prepare_crypto();

// Fills out from the system's random generator. io_error where that fails.
[[nodiscard]] status fill_random(byte_span out);

// RFC 2104 with SHA-256.
[[nodiscard]] secret_array<32> hmac_sha256(byte_view key, byte_view data);

// RFC 5869 with SHA-256 and an output of 32 bytes. An empty salt is the same
// as one of 32 zeros.
[[nodiscard]] secret_array<32> hkdf_sha256(byte_view key, byte_view salt,
                                           byte_view info);

// RFC 7748: scalar times point. invalid_data where the product is all zeros,
// which tells a point of low order.
[[nodiscard]] result<secret_array<32>> x25519(
    std::span<const std::byte, 32> scalar,
    std::span<const std::byte, 32> point);

// RFC 7748: scalar times the base point.
[[nodiscard]] std::array<std::byte, 32> x25519_public_key(
    std::span<const std::byte, 32> scalar);

// RFC 7914 with r = 8, p = 1, N = 2^log_n and an output of 32 bytes. Takes
// 2^log_n KiB of memory for the time of the call; out_of_memory where those
// are not to be had. log_n: 1 to 30.
[[nodiscard]] result<secret_array<32>> scrypt(std::string_view passphrase,
                                              byte_view salt, int log_n);

inline constexpr std::size_t aead_tag_size = 16;

// RFC 8439 ChaCha20-Poly1305, without associated data. out: the size of data
// and a tag more; not overlapping data. The nonce must be new for the key.
void seal_chacha20_poly1305(std::span<const std::byte, 32> key,
                            std::span<const std::byte, 12> nonce,
                            byte_view data, byte_span out);

// False where the tag does not fit, and then out holds zeros. sealed: at least
// a tag; out: a tag less than that, not overlapping it.
[[nodiscard]] bool open_chacha20_poly1305(std::span<const std::byte, 32> key,
                                          std::span<const std::byte, 12> nonce,
                                          byte_view sealed, byte_span out);

// What the first bytes of data are sealed with, and from any of their 64-byte
// blocks on: RFC 8439, section 2.4. Of one thread at a time.
class chacha20_stream {
 public:
  explicit chacha20_stream(std::span<const std::byte, 32> key);
  ~chacha20_stream();
  chacha20_stream(const chacha20_stream&) = delete;
  chacha20_stream& operator=(const chacha20_stream&) = delete;

  // out = data with the stream from block `counter` on, which for what is
  // sealed is 1 plus the number of the block in the data.
  void apply(std::span<const std::byte, 12> nonce, std::uint32_t counter,
             byte_view data, byte_span out);

 private:
  evp_cipher_ctx_st* const context_;
};

}  // namespace nexus
