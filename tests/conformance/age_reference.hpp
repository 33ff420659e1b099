// The slow and obvious other side: age's STREAM chunk by chunk on OpenSSL,
// with nonces made in a way of its own. Shares nothing with any plugin.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace conformance {

using bytes = std::vector<std::uint8_t>;
using view = std::span<const std::uint8_t>;
using age_key = std::array<std::uint8_t, 32>;
using aead_nonce = std::array<std::uint8_t, 12>;

inline constexpr std::size_t plain_chunk = 65536;
inline constexpr std::size_t tag_bytes = 16;
inline constexpr std::size_t sealed_chunk = plain_chunk + tag_bytes;

// ChaCha20-Poly1305 of RFC 8439: the ciphertext, then the tag.
bytes aead_seal(const age_key& key, const aead_nonce& nonce, view aad,
                view plain);
// Empty if it does not authenticate.
std::optional<bytes> aead_open(const age_key& key, const aead_nonce& nonce,
                               view aad, view sealed);

// The chunk's number and final flag as one number of 96 bits, big-endian.
aead_nonce chunk_nonce(std::uint64_t number, bool is_final);
bytes seal_chunk(const age_key& key, std::uint64_t number, bool is_final,
                 view plain);
// Chunks of 64 KiB; the last one is final if `last`.
bytes seal_stream(const age_key& key, std::uint64_t first, bool last,
                  view plain);

// Bytes that differ from place to place and from seed to seed.
bytes pattern(std::size_t size, std::uint32_t seed = 1);

}  // namespace conformance
