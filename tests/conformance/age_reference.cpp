#include "age_reference.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace conformance {
namespace {

using context = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>;

context make_context() {
  return {EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
}

}  // namespace

bytes aead_seal(const age_key& key, const aead_nonce& nonce, view aad,
                view plain) {
  const context ctx = make_context();
  bytes out(plain.size() + tag_bytes);
  int n = 0;
  EVP_EncryptInit_ex(ctx.get(), EVP_chacha20_poly1305(), nullptr, key.data(),
                     nonce.data());
  EVP_EncryptUpdate(ctx.get(), nullptr, &n, aad.data(),
                    static_cast<int>(aad.size()));
  EVP_EncryptUpdate(ctx.get(), out.data(), &n, plain.data(),
                    static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(ctx.get(), out.data() + plain.size(), &n);
  EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes,
                      out.data() + plain.size());
  return out;
}

std::optional<bytes> aead_open(const age_key& key, const aead_nonce& nonce,
                               view aad, view sealed) {
  if (sealed.size() < tag_bytes) return std::nullopt;
  const context ctx = make_context();
  const view body = sealed.first(sealed.size() - tag_bytes);
  bytes tag(sealed.end() - tag_bytes, sealed.end());
  bytes out(body.size() + 1);
  int n = 0;
  EVP_DecryptInit_ex(ctx.get(), EVP_chacha20_poly1305(), nullptr, key.data(),
                     nonce.data());
  EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data());
  EVP_DecryptUpdate(ctx.get(), nullptr, &n, aad.data(),
                    static_cast<int>(aad.size()));
  EVP_DecryptUpdate(ctx.get(), out.data(), &n, body.data(),
                    static_cast<int>(body.size()));
  if (EVP_DecryptFinal_ex(ctx.get(), out.data() + body.size(), &n) != 1) {
    return std::nullopt;
  }
  out.resize(body.size());
  return out;
}

aead_nonce chunk_nonce(std::uint64_t number, bool is_final) {
  __extension__ using wide = unsigned __int128;
  wide value = static_cast<wide>(number) * 256 + (is_final ? 1 : 0);
  aead_nonce nonce{};
  for (auto byte = nonce.rbegin(); byte != nonce.rend(); ++byte) {
    *byte = static_cast<std::uint8_t>(value % 256);
    value /= 256;
  }
  return nonce;
}

bytes seal_chunk(const age_key& key, std::uint64_t number, bool is_final,
                 view plain) {
  return aead_seal(key, chunk_nonce(number, is_final), {}, plain);
}

bytes seal_stream(const age_key& key, std::uint64_t first, bool last,
                  view plain) {
  bytes out;
  if (plain.empty() && last) return seal_chunk(key, first, true, plain);
  for (std::size_t at = 0; at < plain.size(); at += plain_chunk) {
    const view piece =
        plain.subspan(at, std::min(plain_chunk, plain.size() - at));
    const bool ends = at + piece.size() == plain.size();
    const bytes sealed = seal_chunk(key, first++, last && ends, piece);
    out.insert(out.end(), sealed.begin(), sealed.end());
  }
  return out;
}

bytes pattern(std::size_t size, std::uint32_t seed) {
  bytes out(size);
  std::uint32_t x = seed * 2654435761u + 1;
  for (std::uint8_t& byte : out) {
    x = x * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>(x >> 24);
  }
  return out;
}

}  // namespace conformance
