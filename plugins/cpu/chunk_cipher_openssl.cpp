#include <openssl/err.h>
#include <openssl/evp.h>

#include <new>

#include "chunk_cipher.hpp"

namespace nexus::cpu {
namespace {

struct freeing {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* ctx) const { EVP_CIPHER_CTX_free(ctx); }
};

class openssl_cipher final : public chunk_cipher {
 public:
  bool create() noexcept {
    cipher_.reset(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
    context_.reset(EVP_CIPHER_CTX_new());
    ERR_clear_error();
    return cipher_ != nullptr && context_ != nullptr;
  }

  const char* name() const noexcept override { return "openssl"; }

  bool set_key(const std::uint8_t* key, direction way) noexcept override {
    return EVP_CipherInit_ex(context_.get(), cipher_.get(), nullptr, key,
                             nullptr, way == direction::seal ? 1 : 0) == 1;
  }

  // Frees OpenSSL's inner state, which clears it; the context stays usable.
  void forget_key() noexcept override {
    EVP_CIPHER_CTX_reset(context_.get());
    ERR_clear_error();
  }

  bool seal(const cipher_text& text, std::uint8_t* tag) noexcept override {
    EVP_CIPHER_CTX* ctx = context_.get();
    int done = 0;
    if (EVP_EncryptInit_ex(ctx, nullptr, nullptr, nullptr, text.nonce) != 1) {
      return false;
    }
    if (text.bytes > 0 &&
        EVP_EncryptUpdate(ctx, text.output, &done, text.input,
                          static_cast<int>(text.bytes)) != 1) {
      return false;
    }
    return EVP_EncryptFinal_ex(ctx, tag, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, cipher_tag_bytes,
                               tag) == 1;
  }

  opened open(const cipher_text& text,
              const std::uint8_t* tag) noexcept override {
    EVP_CIPHER_CTX* ctx = context_.get();
    int done = 0;
    // SET_TAG reads only; its parameter is not const for history's sake.
    if (EVP_DecryptInit_ex(ctx, nullptr, nullptr, nullptr, text.nonce) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, cipher_tag_bytes,
                            const_cast<std::uint8_t*>(tag)) != 1) {
      return opened::broken;
    }
    if (text.bytes > 0 &&
        EVP_DecryptUpdate(ctx, text.output, &done, text.input,
                          static_cast<int>(text.bytes)) != 1) {
      return opened::broken;
    }
    unsigned char nothing[cipher_tag_bytes];
    return EVP_DecryptFinal_ex(ctx, nothing, &done) == 1 ? opened::yes
                                                         : opened::no;
  }

 private:
  std::unique_ptr<EVP_CIPHER, freeing> cipher_;
  std::unique_ptr<EVP_CIPHER_CTX, freeing> context_;
};

}  // namespace

std::unique_ptr<chunk_cipher> make_openssl_cipher() {
  std::unique_ptr<openssl_cipher> made(new (std::nothrow) openssl_cipher);
  if (!made || !made->create()) return nullptr;
  return made;
}

}  // namespace nexus::cpu
