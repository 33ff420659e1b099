// A device that is slow and plain: what plugin.h says of the age and armor
// jobs, on OpenSSL's AEAD, sharing no code with the library or its plugins.
#pragma once

#include <nexus/plugin.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>
#include <nexus/operation.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::test {

struct naive_result {
  std::vector<std::byte> output;
  bool data_error = false;
  std::uint64_t error_offset = 0;
  std::uint32_t flags = 0;
  std::vector<std::byte> tags;
};

inline const unsigned char* raw(const std::byte* p) {
  return reinterpret_cast<const unsigned char*>(p);
}

// One age chunk. Opening: ok tells whether the tag was right.
inline std::vector<std::byte> naive_chunk(bool seal, const std::uint8_t* key,
                                          std::uint64_t index, bool final,
                                          std::span<const std::byte> in,
                                          bool& ok) {
  unsigned char nonce[12] = {};
  for (int i = 0; i < 8; ++i) {
    nonce[10 - i] = static_cast<unsigned char>(index >> (8 * i));
  }
  nonce[11] = final ? 1 : 0;
  ok = seal || in.size() >= 16;
  if (!ok) return {};
  const std::size_t size = seal ? in.size() : in.size() - 16;
  std::vector<std::byte> out(size + 16);
  auto* text = reinterpret_cast<unsigned char*>(out.data());
  std::array<unsigned char, 16> tag{};
  if (!seal) std::memcpy(tag.data(), in.data() + size, 16);
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> c(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int n = 0;
  EVP_CipherInit_ex(c.get(), EVP_chacha20_poly1305(), nullptr, key, nonce,
                    seal ? 1 : 0);
  if (size != 0) {
    EVP_CipherUpdate(c.get(), text, &n, raw(in.data()), static_cast<int>(size));
  }
  if (!seal) {
    EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data());
  }
  ok = EVP_CipherFinal_ex(c.get(), text + n, &n) == 1;
  if (seal) {
    EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data());
    std::memcpy(out.data() + size, tag.data(), 16);
  } else {
    out.resize(ok ? size : 0);
  }
  return out;
}

inline naive_result naive_seal(const nexus_age_params& p,
                               std::span<const std::byte> in) {
  naive_result r;
  std::uint64_t index = p.first_chunk;
  bool ok = true;
  const bool last = (p.flags & NEXUS_AGE_LAST) != 0;
  for (bool more = last || !in.empty(); more; more = !in.empty()) {
    const auto chunk = in.first(std::min<std::size_t>(in.size(), 65536));
    in = in.subspan(chunk.size());
    const auto sealed =
        naive_chunk(true, p.key, index++, last && in.empty(), chunk, ok);
    r.output.insert(r.output.end(), sealed.begin(), sealed.end());
  }
  return r;
}

inline naive_result naive_open(const nexus_age_params& p,
                               std::span<const std::byte> in) {
  naive_result r;
  for (std::size_t at = 0; at < in.size(); at += 65552) {
    const auto chunk =
        in.subspan(at, std::min<std::size_t>(in.size() - at, 65552));
    const std::uint64_t index = p.first_chunk + at / 65552;
    bool ok = false;
    bool final = false;
    std::vector<std::byte> text;
    if (chunk.size() == 65552) {
      text = naive_chunk(false, p.key, index, false, chunk, ok);
    }
    if (!ok) {
      text = naive_chunk(false, p.key, index, true, chunk, ok);
      final = ok;
    }
    r.data_error = !ok;
    if (!ok) r.error_offset = at;
    r.output.insert(r.output.end(), text.begin(), text.end());
    if (final) r.flags = NEXUS_RESULT_FINAL_CHUNK;
    if (final || !ok) break;
  }
  return r;
}

// What a device computes that leaves the comparing to its host: plaintext and
// tag of every chunk, as it is tried first, whatever the tags say.
inline naive_result naive_open_tags(const nexus_age_params& p,
                                    std::span<const std::byte> in) {
  naive_result r;
  r.flags = NEXUS_RESULT_TAGS;
  for (std::size_t at = 0; at < in.size(); at += 65552) {
    const auto chunk =
        in.subspan(at, std::min<std::size_t>(in.size() - at, 65552));
    const std::uint64_t index = p.first_chunk + at / 65552;
    if (chunk.size() < 16 || (chunk.size() == 16 && index != 0)) break;
    const bool full = chunk.size() == 65552;
    const bool last = at + chunk.size() == in.size();
    const bool final = !full || (last && (p.flags & NEXUS_AGE_LAST) != 0);
    // Its own inverse, but for the tag: sealing what was sealed opens it, and
    // sealing what came out gives the tag.
    bool ok = true;
    auto text = naive_chunk(true, p.key, index, final,
                            chunk.first(chunk.size() - 16), ok);
    text.resize(chunk.size() - 16);
    const auto again = naive_chunk(true, p.key, index, final, text, ok);
    r.output.insert(r.output.end(), text.begin(), text.end());
    r.tags.insert(r.tags.end(), again.end() - 16, again.end());
  }
  return r;
}

inline naive_result naive_armor_encode(std::span<const std::byte> in) {
  naive_result r;
  while (!in.empty()) {
    const auto line = in.first(std::min<std::size_t>(in.size(), 48));
    in = in.subspan(line.size());
    unsigned char text[66];
    const int n =
        EVP_EncodeBlock(text, raw(line.data()), static_cast<int>(line.size()));
    for (int i = 0; i < n; ++i) r.output.push_back(std::byte{text[i]});
    r.output.push_back(std::byte{'\n'});
  }
  return r;
}

inline naive_result naive_armor_decode(bool crlf,
                                       std::span<const std::byte> in) {
  static const std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view ending = crlf ? "\r\n" : "\n";
  const std::string_view text(reinterpret_cast<const char*>(in.data()),
                              in.size());
  const std::size_t line_size = 64 + ending.size();
  naive_result r;
  for (std::size_t at = 0; at < text.size(); at += line_size) {
    const std::string_view line = text.substr(at, line_size);
    r.data_error =
        line.size() < line_size || line.substr(64) != ending ||
        line.substr(0, 64).find_first_not_of(alphabet) != std::string::npos;
    r.error_offset = r.data_error ? at : 0;
    if (r.data_error) break;
    unsigned char out[48];
    EVP_DecodeBlock(out, reinterpret_cast<const unsigned char*>(line.data()),
                    64);
    for (unsigned char c : out) r.output.push_back(std::byte{c});
  }
  return r;
}

inline naive_result naive_job(std::string_view job,
                              const std::vector<std::byte>& params,
                              std::span<const std::byte> input) {
  if (job == NEXUS_JOB_ARMOR_ENCODE) return naive_armor_encode(input);
  if (job == NEXUS_JOB_ARMOR_DECODE) {
    nexus_armor_params p{};
    std::memcpy(&p, params.data(), std::min(params.size(), sizeof p));
    return naive_armor_decode((p.flags & NEXUS_ARMOR_CRLF) != 0, input);
  }
  nexus_age_params p{};
  std::memcpy(&p, params.data(), std::min(params.size(), sizeof p));
  return job == NEXUS_JOB_AGE_SEAL ? naive_seal(p, input)
                                   : naive_open(p, input);
}

}  // namespace nexus::test
