// The kernel text that graphics cards run, compiled for the host: against the
// vectors of RFC 8439 and against OpenSSL.
#include "kernels/age_chunk.h"
#include "kernels/chacha20.h"
#include "kernels/poly1305.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace nexus {
namespace {

using bytes = std::vector<std::uint8_t>;
using limbs = std::array<nexus_u32, 5>;
using block_words = std::array<nexus_u32, 16>;

bytes from_hex(std::string_view hex) {
  bytes out;
  int half = -1;
  for (const char c : hex) {
    if (c == ' ' || c == ':') continue;
    const int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
    if (half < 0) {
      half = digit;
    } else {
      out.push_back(static_cast<std::uint8_t>(half * 16 + digit));
      half = -1;
    }
  }
  return out;
}

template <std::size_t N>
std::array<nexus_u32, N> words_of(const std::uint8_t* from) {
  std::array<nexus_u32, N> words;
  for (std::size_t i = 0; i < N; ++i) {
    words[i] = static_cast<nexus_u32>(from[4 * i]) |
               static_cast<nexus_u32>(from[4 * i + 1]) << 8 |
               static_cast<nexus_u32>(from[4 * i + 2]) << 16 |
               static_cast<nexus_u32>(from[4 * i + 3]) << 24;
  }
  return words;
}

template <std::size_t N>
bytes bytes_of(const std::array<nexus_u32, N>& words) {
  bytes out;
  for (const nexus_u32 word : words) {
    for (int i = 0; i < 4; ++i) {
      out.push_back(static_cast<std::uint8_t>(word >> (8 * i)));
    }
  }
  return out;
}

bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  bytes out(size);
  for (auto& b : out) b = static_cast<std::uint8_t>(random());
  return out;
}

bytes chacha20(const bytes& key, const bytes& nonce, nexus_u32 counter) {
  block_words out;
  nexus_chacha20_block(out.data(), words_of<8>(key.data()).data(),
                       words_of<3>(nonce.data()).data(), counter);
  return bytes_of(out);
}

// Key stream of OpenSSL, whose IV is the counter, then the nonce.
bytes openssl_chacha20(const bytes& key, const bytes& nonce,
                       nexus_u32 counter) {
  bytes iv = bytes_of(std::array<nexus_u32, 1>{counter});
  iv.insert(iv.end(), nonce.begin(), nonce.end());
  const bytes zeros(64);
  bytes out(64);
  int done = 0;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(context, EVP_chacha20(), nullptr, key.data(), iv.data());
  EVP_EncryptUpdate(context, out.data(), &done, zeros.data(), 64);
  EVP_CIPHER_CTX_free(context);
  return out;
}

// Sums a message of whole blocks, one after the other.
class poly1305 {
 public:
  explicit poly1305(const bytes& key)
      : pad_(words_of<4>(key.data() + 16)), sum_{} {
    nexus_poly1305_clamp(r_.data(), words_of<4>(key.data()).data());
  }
  void append(const bytes& message) {
    for (std::size_t at = 0; at < message.size(); at += 16) {
      const auto w = words_of<4>(message.data() + at);
      nexus_poly1305_append(sum_.data(), r_.data(), w[0], w[1], w[2], w[3]);
    }
  }
  bytes tag() const { return tag_of(sum_); }
  bytes tag_of(const limbs& sum) const {
    std::array<nexus_u32, 4> out;
    nexus_poly1305_finish(out.data(), sum.data(), r_.data(), pad_.data());
    return bytes_of(out);
  }
  const limbs& r() const { return r_; }

 private:
  limbs r_;
  std::array<nexus_u32, 4> pad_;
  limbs sum_;
};

bytes poly1305_tag(const bytes& key, const bytes& message) {
  poly1305 sum(key);
  sum.append(message);
  return sum.tag();
}

bytes openssl_poly1305(const bytes& key, const bytes& message) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "POLY1305", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  bytes tag(16);
  std::size_t size = 0;
  EVP_MAC_init(context, key.data(), key.size(), nullptr);
  EVP_MAC_update(context, message.data(), message.size());
  EVP_MAC_final(context, tag.data(), &size, tag.size());
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return tag;
}

// As the kernels do it: `lanes` of them take turns by groups of 64 bytes, with
// the message moved to the end of the last turn; neighbours join in a tree.
bytes tag_in_lanes(const bytes& key, const bytes& message, std::size_t lanes) {
  const poly1305 sum(key);
  std::vector<limbs> powers;  // r^4, r^8, ..., r^(4 * lanes)
  powers.push_back(sum.r());
  nexus_poly1305_multiply(powers[0].data(), powers[0].data());
  nexus_poly1305_multiply(powers[0].data(), powers[0].data());
  for (std::size_t n = 1; n < lanes; n *= 2) {
    powers.push_back(powers.back());
    nexus_poly1305_multiply(powers.back().data(), powers.back().data());
  }
  const std::size_t groups = message.size() / 64;
  const std::size_t turns = (groups + lanes - 1) / lanes;
  const std::size_t idle = turns * lanes - groups;
  std::vector<limbs> sums(lanes, limbs{});
  for (std::size_t at = idle; at < turns * lanes; ++at) {
    const auto words = words_of<16>(message.data() + 64 * (at - idle));
    nexus_poly1305_append_64(sums[at % lanes].data(), sum.r().data(),
                             powers.back().data(), words.data());
  }
  for (std::size_t step = 1, k = 0; step < lanes; step *= 2, ++k) {
    for (std::size_t i = 0; i < lanes; i += 2 * step) {
      nexus_poly1305_multiply(sums[i].data(), powers[k].data());
      nexus_poly1305_add(sums[i].data(), sums[i + step].data());
    }
  }
  return sum.tag_of(sums[0]);
}

TEST(Poly1305Kernel, DistinguishesMessagesThatDifferInOneBit) {
  const bytes key = random_bytes(32, 1);
  bytes message = random_bytes(64, 2);
  const bytes before = poly1305_tag(key, message);
  message[63] ^= 0x80;
  EXPECT_NE(poly1305_tag(key, message), before);
}

// RFC 8439, appendix A.3, vectors 7 to 11: sums next to the modulus, and those
// of its blocks of 16 bytes that leave the last carries to be made.
TEST(Poly1305Kernel, ReducesAtTheModulus) {
  const std::string ff(32, 'f'), zeros(30, '0');
  struct vector {
    std::string key, message, tag;
  };
  const vector vectors[] = {
      {"02" + zeros + "00" + zeros, ff, "03" + zeros},
      {"02" + zeros + ff, "02" + zeros, "03" + zeros},
      {"01" + zeros + "00" + zeros,
       ff + "f0" + std::string(30, 'f') + "11" + zeros, "05" + zeros},
      {"01" + zeros + "00" + zeros,
       ff + "fb" + "fefefefefefefefefefefefefefefe" +
           "01010101010101010101010101010101",
       "00" + zeros},
      {"02" + zeros + "00" + zeros, "fd" + std::string(30, 'f'),
       "fa" + std::string(30, 'f')},
  };
  for (const vector& v : vectors) {
    SCOPED_TRACE(v.message);
    EXPECT_EQ(poly1305_tag(from_hex(v.key), from_hex(v.message)),
              from_hex(v.tag));
  }
}

TEST(Poly1305Kernel, MatchesOpensslOnEveryNumberOfBlocks) {
  for (unsigned blocks = 0; blocks < 100; ++blocks) {
    SCOPED_TRACE(blocks);
    const bytes key = random_bytes(32, 1000 + blocks);
    const bytes message = random_bytes(16 * blocks, blocks);
    EXPECT_EQ(poly1305_tag(key, message), openssl_poly1305(key, message));
  }
}

TEST(Poly1305Kernel, CarriesWhenEveryBitIsSet) {
  const bytes key(32, 0xff), message(1024, 0xff);
  EXPECT_EQ(poly1305_tag(key, message), openssl_poly1305(key, message));
  EXPECT_EQ(tag_in_lanes(key, message, 8), openssl_poly1305(key, message));
}

TEST(Poly1305Kernel, SumsTheSameInAnyNumberOfLanes) {
  const bytes key = random_bytes(32, 5);
  for (const std::size_t lanes : {1u, 2u, 4u, 32u, 256u}) {
    for (const std::size_t groups : {0u, 1u, 3u, 31u, 32u, 33u, 700u, 1024u}) {
      SCOPED_TRACE(testing::Message() << lanes << " lanes, " << groups);
      const bytes message =
          random_bytes(64 * groups, static_cast<unsigned>(groups));
      EXPECT_EQ(tag_in_lanes(key, message, lanes),
                openssl_poly1305(key, message));
    }
  }
}

TEST(Chacha20Kernel, MatchesTheVectorOfRfc8439) {  // section 2.3.2
  bytes key(32);
  for (std::size_t i = 0; i < 32; ++i) key[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(chacha20(key, from_hex("000000090000004a00000000"), 1),
            from_hex("10f1e7e4d13b5915500fdd1fa32071c4"
                     "c7d1f4c733c068030422aa9ac3d46c4e"
                     "d2826446079faa0914c2d705d98b02a2"
                     "b5129cd1de164eb9cbd083e8a2503c4e"));
}

TEST(Chacha20Kernel, MatchesOpenssl) {
  for (unsigned i = 0; i < 50; ++i) {
    const bytes key = random_bytes(32, i), nonce = random_bytes(12, 100 + i);
    const nexus_u32 counter = i == 0 ? ~0u : i * 0x1234567u;
    EXPECT_EQ(chacha20(key, nonce, counter),
              openssl_chacha20(key, nonce, counter));
  }
}

TEST(AgeChunkKernel, BuildsNoncesOfElevenBytesAndAFlag) {
  std::array<nexus_u32, 3> nonce;
  nexus_age_nonce(nonce.data(), 0x0102030405060708, 1);
  EXPECT_EQ(bytes_of(nonce), from_hex("000000 0102030405060708 01"));
  nexus_age_nonce(nonce.data(), 0xf1f2f3f4f5f6f7f8, 0);
  EXPECT_EQ(bytes_of(nonce), from_hex("000000 f1f2f3f4f5f6f7f8 00"));
}

}  // namespace
}  // namespace nexus
