// libipsec-mb is loaded where it is found, never linked: the plugin runs
// without it. Its functions for ChaCha20-Poly1305 take no manager, only a
// context of the caller's, so one table of them serves every thread.
#include "chunk_cipher.hpp"

#if defined(NEXUS_HAVE_IPSEC_MB) && defined(__x86_64__)

#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <type_traits>

namespace nexus::cpu {
namespace {

// The library's soname; CMake accepts headers of this major version alone.
constexpr char file_name[] = "libIPSec_MB.so.1";

using context = chacha20_poly1305_context_data;

struct functions {
  chacha_poly_init_t init;
  chacha_poly_enc_dec_update_t encrypt;
  chacha_poly_enc_dec_update_t decrypt;
  chacha_poly_finalize_t finalize;
};

// The tag over the text, and its ciphertext or plaintext. With no associated
// data `aad` is NULL.
void run(const functions& use, direction way, context& ctx,
         const std::uint8_t* key, const cipher_text& text, std::uint8_t* tag,
         const std::uint8_t* aad = nullptr, std::size_t aad_bytes = 0) {
  use.init(key, &ctx, text.nonce, aad, aad_bytes);
  if (text.bytes > 0) {
    const auto update = way == direction::seal ? use.encrypt : use.decrypt;
    update(key, &ctx, text.output, text.input, text.bytes);
  }
  use.finalize(&ctx, tag, cipher_tag_bytes);
}

// ---- known answers ---------------------------------------------------------

constexpr std::uint8_t test_key[cipher_key_bytes] = {
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
    0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f};
constexpr std::uint8_t test_nonce[cipher_nonce_bytes] = {
    0x07, 0x00, 0x00, 0x00, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};

// RFC 8439, section 2.8.2.
constexpr char rfc_text[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one "
    "tip for the future, sunscreen would be it.";
constexpr std::uint8_t rfc_aad[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
constexpr std::uint8_t rfc_tag[cipher_tag_bytes] = {
    0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
    0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};

// Long enough for the widest loops: bytes i mod 251 under the same key and
// nonce; the tag was computed by the formulas of RFC 8439.
constexpr std::size_t long_bytes = 2085;
constexpr std::uint8_t long_tag[cipher_tag_bytes] = {
    0x08, 0xc7, 0x76, 0x11, 0x91, 0xc1, 0x2b, 0x21,
    0x7c, 0x5a, 0x63, 0xb3, 0x4f, 0x83, 0x73, 0x08};

// Whether sealing gives this tag, and opening the text and the tag again.
bool answers(const functions& use, const std::uint8_t* plain, std::size_t bytes,
             const std::uint8_t* aad, std::size_t aad_bytes,
             const std::uint8_t* expected) noexcept {
  std::uint8_t sealed[long_bytes], again[long_bytes];
  std::uint8_t tag[cipher_tag_bytes] = {};
  context ctx{};
  run(use, direction::seal, ctx, test_key, {test_nonce, plain, sealed, bytes},
      tag, aad, aad_bytes);
  if (std::memcmp(tag, expected, sizeof tag) != 0) return false;
  std::memset(tag, 0, sizeof tag);
  run(use, direction::open, ctx, test_key, {test_nonce, sealed, again, bytes},
      tag, aad, aad_bytes);
  return std::memcmp(tag, expected, sizeof tag) == 0 &&
         std::memcmp(again, plain, bytes) == 0;
}

bool answers_right(const functions& use) noexcept {
  std::uint8_t text[long_bytes];
  for (std::size_t i = 0; i < long_bytes; ++i) {
    text[i] = static_cast<std::uint8_t>(i % 251);
  }
  const auto* rfc = reinterpret_cast<const std::uint8_t*>(rfc_text);
  return answers(use, rfc, sizeof rfc_text - 1, rfc_aad, sizeof rfc_aad,
                 rfc_tag) &&
         answers(use, text, long_bytes, nullptr, 0, long_tag);
}

// ---- loading ---------------------------------------------------------------

// Whether processor and system have what the fast loops need: without IFMA the
// library's Poly1305 is slower than OpenSSL's.
bool processor_suits() noexcept {
  return __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512ifma") != 0;
}

// The function, or NULL; its type is what the header declares.
template <typename F>
bool look_up(void* library, const char* name, F*& function) noexcept {
  static_assert(std::is_function_v<F>);
  function = reinterpret_cast<F*>(dlsym(library, name));
  return function != nullptr;
}

// Takes the table out of a manager made for the moment. NULL, or why not.
const char* take_functions(void* library, functions& table) noexcept {
  decltype(alloc_mb_mgr)* make = nullptr;
  decltype(free_mb_mgr)* destroy = nullptr;
  decltype(init_mb_mgr_avx512)* init = nullptr;
  if (!look_up(library, "alloc_mb_mgr", make) ||
      !look_up(library, "free_mb_mgr", destroy) ||
      !look_up(library, "init_mb_mgr_avx512", init)) {
    return "the library lacks functions";
  }
  IMB_MGR* manager = make(0);
  if (manager == nullptr) return "the library makes no manager";
  const char* why = nullptr;
  constexpr std::uint64_t fast = IMB_CPUFLAGS_AVX512_T2;
  if ((manager->features & fast) != fast) {
    why = "the processor lacks what the library is fast with";
  } else {
    init(manager);
    table = {manager->chacha20_poly1305_init,
             manager->chacha20_poly1305_enc_update,
             manager->chacha20_poly1305_dec_update,
             manager->chacha20_poly1305_finalize};
    if (manager->imb_errno != 0 || table.init == nullptr ||
        table.encrypt == nullptr || table.decrypt == nullptr ||
        table.finalize == nullptr) {
      why = "the library's own test failed";
    }
  }
  destroy(manager);
  return why;
}

struct loaded {
  functions table{};
  char name[24] = "";
  const char* why_not = nullptr;
};

loaded load() noexcept {
  loaded made;
  if (!processor_suits()) {
    made.why_not = "the processor has no AVX-512 with IFMA";
    return made;
  }
  // Never closed again: the table points into it.
  void* library = dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
  decltype(imb_get_version)* version = nullptr;
  if (library == nullptr) {
    made.why_not = "libIPSec_MB.so.1 is not installed";
  } else if (!look_up(library, "imb_get_version", version) ||
             version() >> 8 != IMB_VERSION_NUM >> 8) {
    // A later minor version may change the structs that the header describes.
    made.why_not = "the library is of another version than its header was";
  } else {
    made.why_not = take_functions(library, made.table);
  }
  if (made.why_not == nullptr && !answers_right(made.table)) {
    made.why_not = "the library computes wrong tags";
  }
  if (made.why_not == nullptr) {
    std::snprintf(made.name, sizeof made.name, "ipsec-mb %u.%u",
                  version() >> 16 & 0xff, version() >> 8 & 0xff);
  }
  return made;
}

const loaded& library() noexcept {
  static const loaded only = load();
  return only;
}

// ---- the cipher ------------------------------------------------------------

class ipsec_mb_cipher final : public chunk_cipher {
 public:
  ~ipsec_mb_cipher() override { ipsec_mb_cipher::forget_key(); }

  const char* name() const noexcept override { return library().name; }

  bool set_key(const std::uint8_t* key, direction) noexcept override {
    key_ = key;
    return true;
  }

  void forget_key() noexcept override {
    key_ = nullptr;
    OPENSSL_cleanse(&context_, sizeof context_);
  }

  bool seal(const cipher_text& text, std::uint8_t* tag) noexcept override {
    run(use_, direction::seal, context_, key_, text, tag);
    return true;
  }

  opened open(const cipher_text& text,
              const std::uint8_t* tag) noexcept override {
    std::uint8_t computed[cipher_tag_bytes] = {};
    run(use_, direction::open, context_, key_, text, computed);
    return CRYPTO_memcmp(computed, tag, sizeof computed) == 0 ? opened::yes
                                                              : opened::no;
  }

 private:
  const functions use_ = library().table;
  const std::uint8_t* key_ = nullptr;
  context context_{};
};

}  // namespace

const char* why_no_ipsec_mb() noexcept {
  return library().why_not;
}

const char* ipsec_mb_name() noexcept {
  return library().name;
}

std::unique_ptr<chunk_cipher> make_ipsec_mb_cipher() {
  if (why_no_ipsec_mb() != nullptr) return nullptr;
  return std::unique_ptr<chunk_cipher>(new (std::nothrow) ipsec_mb_cipher);
}

}  // namespace nexus::cpu

#else

namespace nexus::cpu {

const char* why_no_ipsec_mb() noexcept {
  return "this build has no support for it";
}

const char* ipsec_mb_name() noexcept {
  return "";
}

std::unique_ptr<chunk_cipher> make_ipsec_mb_cipher() {
  return nullptr;
}

}  // namespace nexus::cpu

#endif
