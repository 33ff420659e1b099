#include "crypto/primitives.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <string>

namespace nexus {
namespace {

bytes from_hex(std::string_view hex) {
  bytes out;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    out.push_back(static_cast<std::byte>(
        std::stoi(std::string(hex.substr(0, 2)), nullptr, 16)));
  }
  return out;
}

template <std::size_t N>
std::array<std::byte, N> array_of(std::string_view hex) {
  const bytes data = from_hex(hex);
  EXPECT_EQ(data.size(), N);
  std::array<std::byte, N> out{};
  std::copy_n(data.begin(), std::min(N, data.size()), out.begin());
  return out;
}

bytes copy(byte_view data) {
  return {data.begin(), data.end()};
}

TEST(Primitives, RandomBytesDifferAndFillLongBuffers) {
  bytes a(1000);
  bytes b(1000);
  ASSERT_TRUE(fill_random(a).ok());
  ASSERT_TRUE(fill_random(b).ok());
  EXPECT_NE(a, b);
  // 20 zeros at the end of 1000 bytes: once in 2^160 runs.
  EXPECT_FALSE(std::all_of(a.end() - 20, a.end(),
                           [](std::byte x) { return x == std::byte{0}; }));
  EXPECT_TRUE(fill_random({}).ok());
}

// RFC 4231, test case 2.
TEST(Primitives, HmacFollowsThePublishedVector) {
  const auto mac =
      hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"));
  EXPECT_EQ(copy(mac.view()), from_hex("5bdcc146bf60754e6a042426089575c7"
                                       "5a003f089d2739839dec58b964ec3843"));
}

// RFC 5869, appendix A, cases 1 and 3: the first 32 bytes.
TEST(Primitives, HkdfFollowsThePublishedVectors) {
  const bytes key = from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
  EXPECT_EQ(copy(hkdf_sha256(key, from_hex("000102030405060708090a0b0c"),
                             from_hex("f0f1f2f3f4f5f6f7f8f9"))
                     .view()),
            from_hex("3cb25f25faacd57a90434f64d0362f2a"
                     "2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
  EXPECT_EQ(copy(hkdf_sha256(key, {}, {}).view()),
            from_hex("8da4e775a563c18f715f802a063c5a31"
                     "b8a11f5c5ee1879ec3454e5f3c738d2d"));
}

TEST(Primitives, X25519RefusesPointsOfLowOrder) {
  const auto scalar = array_of<32>(
      "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  // Zero, one, and the point of order eight.
  for (const char* hex :
       {"0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"}) {
    const auto shared = x25519(scalar, array_of<32>(hex));
    ASSERT_FALSE(shared.ok()) << hex;
    EXPECT_EQ(shared.error().code(), status_code::invalid_data);
  }
}

// RFC 7748, sections 5.2 and 6.1.
TEST(Primitives, X25519FollowsThePublishedVectors) {
  const auto shared = x25519(
      array_of<32>(
          "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
      array_of<32>(
          "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  ASSERT_TRUE(shared.ok());
  EXPECT_EQ(
      copy(shared.value().view()),
      from_hex(
          "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
  EXPECT_EQ(
      x25519_public_key(
          array_of<32>("77076d0a7318a57d3c16c17251b26645df4c2f87ebc099"
                       "2ab177fba51db92c2a")),
      array_of<32>(
          "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
}

// RFC 7914, section 12, the case with r = 8 and p = 1: the first 32 bytes.
TEST(Primitives, ScryptFollowsThePublishedVector) {
  const auto key = scrypt("pleaseletmein", as_bytes("SodiumChloride"), 14);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(
      copy(key.value().view()),
      from_hex(
          "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"));
}

constexpr const char* aead_key =
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
constexpr const char* aead_nonce = "070000004041424344454647";

// The beginning of RFC 8439, section 2.8.2; the tag is that without the
// associated data, computed by another implementation.
constexpr const char* sealed_hex =
    "d31a8d34648e60db7b86afbc53ef7ec2f0050f4cdbfd3d0516891fac84845941";

TEST(Primitives, OpeningRefusesEveryFlippedBitAndWipes) {
  const auto key = array_of<32>(aead_key);
  const auto nonce = array_of<12>(aead_nonce);
  for (std::size_t bit = 0; bit < 32 * 8; ++bit) {
    bytes sealed = from_hex(sealed_hex);
    sealed[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    bytes out(16, std::byte{7});
    EXPECT_FALSE(open_chacha20_poly1305(key, nonce, sealed, out)) << bit;
    EXPECT_EQ(out, bytes(16));
  }
}

TEST(Primitives, SealingFollowsThePublishedVectorAndOpens) {
  const auto key = array_of<32>(aead_key);
  const auto nonce = array_of<12>(aead_nonce);
  bytes sealed(32);
  seal_chacha20_poly1305(key, nonce, as_bytes("Ladies and Gentl"), sealed);
  EXPECT_EQ(sealed, from_hex(sealed_hex));
  bytes out(16);
  EXPECT_TRUE(open_chacha20_poly1305(key, nonce, sealed, out));
  EXPECT_EQ(as_text(out), "Ladies and Gentl");
}

TEST(Primitives, TheStreamIsWhatIsSealedFromAnyBlockOn) {
  const auto key = array_of<32>(aead_key);
  const auto nonce = array_of<12>(aead_nonce);
  bytes text(1000);
  ASSERT_TRUE(fill_random(text).ok());
  bytes sealed(text.size() + aead_tag_size);
  seal_chacha20_poly1305(key, nonce, text, sealed);
  chacha20_stream stream(key);
  for (const std::uint32_t block : {15u, 0u, 7u, 7u}) {
    const auto rest = byte_view(text).subspan(block * 64);
    bytes out(rest.size());
    stream.apply(nonce, 1 + block, rest, out);
    EXPECT_EQ(out, copy(byte_view(sealed).subspan(block * 64, rest.size())));
  }
}

TEST(Primitives, FailuresLeaveNothingInTheErrorQueueOfTheHost) {
  ERR_clear_error();
  bytes out(16);
  EXPECT_FALSE(open_chacha20_poly1305(
      array_of<32>(aead_key), array_of<12>(aead_nonce), bytes(32), out));
  const std::array<std::byte, 32> zeros{};
  EXPECT_FALSE(x25519(array_of<32>(aead_key), zeros).ok());
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace nexus
