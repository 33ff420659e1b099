#include "crypto/primitives.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

namespace nexus {
namespace {

struct evp_free {
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const noexcept { EVP_PKEY_CTX_free(p); }
  void operator()(EVP_CIPHER_CTX* p) const noexcept { EVP_CIPHER_CTX_free(p); }
};

template <class T>
using evp_ptr = std::unique_ptr<T, evp_free>;

// Keeps our failures out of the thread's OpenSSL error queue, which belongs
// to the host.
class quiet_errors {
 public:
  quiet_errors() noexcept { ERR_set_mark(); }
  ~quiet_errors() { ERR_pop_to_mark(); }
  quiet_errors(const quiet_errors&) = delete;
  quiet_errors& operator=(const quiet_errors&) = delete;
};

void need(bool done) {
  if (!done) throw std::bad_alloc();
}

evp_ptr<EVP_PKEY> private_key(std::span<const std::byte, 32> scalar) {
  evp_ptr<EVP_PKEY> key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr, u8(scalar.data()), scalar.size()));
  need(key != nullptr);
  return key;
}

}  // namespace

void prepare_crypto() {
  static const bool done = [] {
    const quiet_errors quiet;
    // Any fetch sets up the provider and its tables.
    EVP_MD* digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_CIPHER* cipher =
        EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
    EVP_KEYMGMT* keys = EVP_KEYMGMT_fetch(nullptr, "X25519", nullptr);
    const bool all = digest != nullptr && cipher != nullptr && keys != nullptr;
    EVP_MD_free(digest);
    EVP_CIPHER_free(cipher);
    EVP_KEYMGMT_free(keys);
    return all;
  }();
  need(done);
}

status fill_random(byte_span out) {
  while (!out.empty()) {
    const std::size_t some = std::min<std::size_t>(out.size(), 256);
    if (::getentropy(out.data(), some) != 0) {
      return {status_code::io_error,
              "cannot read the system's random generator",
              {},
              errno};
    }
    out = out.subspan(some);
  }
  return {};
}

secret_array<32> hmac_sha256(byte_view key, byte_view data) {
  const quiet_errors quiet;
  secret_array<32> mac;
  need(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            u8(data.data()), data.size(), u8(mac.data()), nullptr) != nullptr);
  return mac;
}

secret_array<32> hkdf_sha256(byte_view key, byte_view salt, byte_view info) {
  static constexpr std::array<std::byte, 32> no_salt{};
  const auto prk = hmac_sha256(salt.empty() ? byte_view(no_salt) : salt, key);
  // 32 bytes are one block: T(1) = HMAC(PRK, info || 0x01).
  bytes block(info.begin(), info.end());
  block.push_back(std::byte{1});
  return hmac_sha256(prk.view(), block);
}

result<secret_array<32>> x25519(std::span<const std::byte, 32> scalar,
                                std::span<const std::byte, 32> point) {
  const quiet_errors quiet;
  const auto own = private_key(scalar);
  const evp_ptr<EVP_PKEY> peer(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_X25519, nullptr, u8(point.data()), point.size()));
  need(peer != nullptr);
  const evp_ptr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(own.get(), nullptr));
  need(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
       EVP_PKEY_derive_set_peer(context.get(), peer.get()) == 1);
  secret_array<32> shared;
  std::size_t size = shared.size();
  // OpenSSL refuses an all-zero product by itself; the comparison holds where
  // a provider does not.
  static constexpr std::array<std::byte, 32> zeros{};
  if (EVP_PKEY_derive(context.get(), u8(shared.data()), &size) != 1 ||
      equal_in_constant_time(shared.view(), zeros)) {
    return status{status_code::invalid_data,
                  "the X25519 point is of low order"};
  }
  return shared;
}

std::array<std::byte, 32> x25519_public_key(
    std::span<const std::byte, 32> scalar) {
  const quiet_errors quiet;
  std::array<std::byte, 32> point{};
  std::size_t size = point.size();
  need(EVP_PKEY_get_raw_public_key(private_key(scalar).get(), u8(point.data()),
                                   &size) == 1);
  return point;
}

result<secret_array<32>> scrypt(std::string_view passphrase, byte_view salt,
                                int log_n) {
  const quiet_errors quiet;
  constexpr std::uint64_t r = 8;
  constexpr std::uint64_t p = 1;
  const std::uint64_t n = std::uint64_t{1} << log_n;
  // RFC 7914: 128 r (N + 2) bytes of work and 128 r p of blocks.
  const std::uint64_t memory = 128 * r * (n + 2) + 128 * r * p;
  secret_array<32> key;
  if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(), u8(salt.data()),
                     salt.size(), n, r, p, memory, u8(key.data()),
                     key.size()) != 1) {
    return status{status_code::out_of_memory,
                  "cannot get the " + std::to_string(memory >> 20) +
                      " MiB that scrypt needs at cost " + std::to_string(log_n),
                  "free some memory, or use another machine"};
  }
  return key;
}

void seal_chacha20_poly1305(std::span<const std::byte, 32> key,
                            std::span<const std::byte, 12> nonce,
                            byte_view data, byte_span out) {
  const quiet_errors quiet;
  const evp_ptr<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  int size = 0;
  int more = 0;
  need(context != nullptr &&
       EVP_EncryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr,
                          u8(key.data()), u8(nonce.data())) == 1 &&
       EVP_EncryptUpdate(context.get(), u8(out.data()), &size, u8(data.data()),
                         static_cast<int>(data.size())) == 1 &&
       EVP_EncryptFinal_ex(context.get(), u8(out.data()) + size, &more) == 1 &&
       EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG,
                           static_cast<int>(aead_tag_size),
                           u8(out.data()) + data.size()) == 1);
}

bool open_chacha20_poly1305(std::span<const std::byte, 32> key,
                            std::span<const std::byte, 12> nonce,
                            byte_view sealed, byte_span out) {
  const quiet_errors quiet;
  const evp_ptr<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  const byte_view data = sealed.first(sealed.size() - aead_tag_size);
  std::array<std::byte, aead_tag_size> tag{};
  std::ranges::copy(sealed.last(aead_tag_size), tag.begin());
  int size = 0;
  int more = 0;
  need(context != nullptr &&
       EVP_DecryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr,
                          u8(key.data()), u8(nonce.data())) == 1 &&
       EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG,
                           static_cast<int>(tag.size()), tag.data()) == 1 &&
       EVP_DecryptUpdate(context.get(), u8(out.data()), &size, u8(data.data()),
                         static_cast<int>(data.size())) == 1);
  if (EVP_DecryptFinal_ex(context.get(), u8(out.data()) + size, &more) == 1) {
    return true;
  }
  wipe(out);
  return false;
}

chacha20_stream::chacha20_stream(std::span<const std::byte, 32> key)
    : context_(EVP_CIPHER_CTX_new()) {
  const quiet_errors quiet;
  const bool made = context_ != nullptr &&
                    EVP_EncryptInit_ex(context_, EVP_chacha20(), nullptr,
                                       u8(key.data()), nullptr) == 1;
  if (made) return;
  EVP_CIPHER_CTX_free(context_);
  throw std::bad_alloc();
}

chacha20_stream::~chacha20_stream() {
  EVP_CIPHER_CTX_free(context_);
}

void chacha20_stream::apply(std::span<const std::byte, 12> nonce,
                            std::uint32_t counter, byte_view data,
                            byte_span out) {
  const quiet_errors quiet;
  // OpenSSL's own order: the counter, least byte first, ahead of the nonce.
  std::array<std::byte, 16> start{};
  for (std::size_t i = 0; i < 4; ++i)
    start[i] = static_cast<std::byte>(counter >> 8 * i);
  std::ranges::copy(nonce, start.begin() + 4);
  int size = 0;
  need(EVP_EncryptInit_ex(context_, nullptr, nullptr, nullptr,
                          u8(start.data())) == 1 &&
       EVP_EncryptUpdate(context_, u8(out.data()), &size, u8(data.data()),
                         static_cast<int>(data.size())) == 1);
}

}  // namespace nexus
