// A lane of a device that only computes tags, in software: OpenSSL's AEAD does
// what a graphics card would.
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "common/age_job.hpp"

namespace nexus::test {

class soft_age_lane final : public common::age_lane {
 public:
  std::int32_t begin(const std::uint8_t* key, const common::job_memory& memory,
                     std::uint32_t tag_count) override {
    std::copy_n(key, key_.size(), key_.begin());
    input_.assign(memory.input, memory.input + memory.input_bytes);
    output_.assign(memory.output_bytes, 0);
    tags_.assign(tag_count * common::age_tag, 0);
    return NEXUS_OK;
  }
  std::int32_t launch(const common::age_launch& what) override {
    for (std::uint32_t i = 0; i < what.chunk_count; ++i) {
      if (!run_chunk(what, what.first_chunk + i)) return NEXUS_E_DEVICE;
    }
    return NEXUS_OK;
  }
  std::int32_t read_tags(std::uint32_t first, std::uint32_t count,
                         std::uint8_t* tags) override {
    std::copy_n(tags_.begin() + first * common::age_tag,
                count * common::age_tag, tags);
    return NEXUS_OK;
  }
  std::int32_t read_output(std::uint64_t bytes, std::uint8_t* output) override {
    std::copy_n(output_.begin(), bytes, output);
    return NEXUS_OK;
  }
  std::int32_t wait() override { return NEXUS_OK; }
  std::int32_t end() override {
    key_ = {};
    return NEXUS_OK;
  }

 private:
  using context = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>;

  bool run_chunk(const common::age_launch& what, std::uint32_t chunk) {
    const std::uint64_t plain_at = chunk * std::uint64_t{common::age_chunk};
    const std::uint64_t sealed_at = chunk * std::uint64_t{common::age_sealed};
    const auto size = static_cast<int>(std::min<std::uint64_t>(
        what.plain_bytes - plain_at, common::age_chunk));
    std::array<std::uint8_t, 12> nonce{};
    for (std::size_t i = 0; i < 8; ++i) {
      nonce[10 - i] =
          static_cast<std::uint8_t>((what.first_number + chunk) >> (8 * i));
    }
    nonce[11] = chunk == what.final_chunk ? 1 : 0;
    const std::uint8_t* in =
        input_.data() + (what.seals ? plain_at : sealed_at);
    std::uint8_t* out = output_.data() + (what.seals ? sealed_at : plain_at);
    if (what.seals) return pass(true, nonce, in, out, size, out + size);
    // The tag of a text is what sealing its plaintext gives.
    std::vector<std::uint8_t> again(static_cast<std::size_t>(size) + 1);
    return pass(false, nonce, in, out, size, nullptr) &&
           pass(true, nonce, out, again.data(), size,
                tags_.data() + chunk * common::age_tag);
  }

  bool pass(bool seals, const std::array<std::uint8_t, 12>& nonce,
            const std::uint8_t* in, std::uint8_t* out, int size,
            std::uint8_t* tag) const {
    const context c(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int n = 0;
    bool well = EVP_CipherInit_ex(c.get(), EVP_chacha20_poly1305(), nullptr,
                                  key_.data(), nonce.data(), seals) == 1;
    if (size > 0) {
      well = well && EVP_CipherUpdate(c.get(), out, &n, in, size) == 1;
    }
    if (tag == nullptr) return well;
    return well && EVP_CipherFinal_ex(c.get(), out + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG,
                               static_cast<int>(common::age_tag), tag) == 1;
  }

  std::array<std::uint8_t, 32> key_{};
  std::vector<std::uint8_t> input_, output_, tags_;
};

}  // namespace nexus::test
