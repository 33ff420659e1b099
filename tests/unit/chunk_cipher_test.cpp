// Both libraries against each other, at every length and from every address.
#include "chunk_cipher.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace nexus::cpu {
namespace {

using bytes = std::vector<std::uint8_t>;
constexpr std::uint8_t guard = 0xee;
constexpr std::size_t guard_bytes = 80;

struct secret {
  bytes key = bytes(cipher_key_bytes), nonce = bytes(cipher_nonce_bytes);
};

struct outcome {
  opened answer = opened::broken;
  bytes text, tag;
};

bytes random_bytes(std::mt19937_64& random, std::size_t size) {
  bytes made(size);
  for (auto& b : made) b = static_cast<std::uint8_t>(random());
  return made;
}

secret random_secret(std::mt19937_64& random) {
  return {random_bytes(random, cipher_key_bytes),
          random_bytes(random, cipher_nonce_bytes)};
}

// The addresses of both buffers end in the shifts; what lies around the output
// has to stay as it is.
struct placed {
  placed(const bytes& text, std::size_t in_shift, std::size_t out_shift)
      : input(text.size() + 192), output(text.size() + 192 + guard_bytes) {
    std::fill(output.begin(), output.end(), guard);
    from = at(input) + in_shift;
    to = at(output) + out_shift;
    std::copy(text.begin(), text.end(), from);
  }
  static std::uint8_t* at(bytes& memory) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (64 - address % 64) % 64;
  }
  bool around_untouched(std::size_t size) const {
    const auto first = to - output.data();
    const auto last = first + static_cast<std::ptrdiff_t>(size);
    const auto is_guard = [](std::uint8_t b) { return b == guard; };
    return std::all_of(output.begin(), output.begin() + first, is_guard) &&
           std::all_of(output.begin() + last, output.end(), is_guard);
  }
  bytes input, output;
  std::uint8_t *from = nullptr, *to = nullptr;
};

outcome seal(chunk_cipher& cipher, const secret& with, const bytes& text,
             std::size_t in_shift = 0, std::size_t out_shift = 0) {
  placed memory(text, in_shift, out_shift);
  outcome made;
  made.tag.resize(cipher_tag_bytes);
  EXPECT_TRUE(cipher.set_key(with.key.data(), direction::seal));
  EXPECT_TRUE(
      cipher.seal({with.nonce.data(), memory.from, memory.to, text.size()},
                  made.tag.data()));
  cipher.forget_key();
  EXPECT_TRUE(memory.around_untouched(text.size()));
  made.text.assign(memory.to, memory.to + text.size());
  return made;
}

outcome open(chunk_cipher& cipher, const secret& with, const bytes& text,
             const bytes& tag, std::size_t in_shift = 0,
             std::size_t out_shift = 0) {
  placed memory(text, in_shift, out_shift);
  outcome made;
  EXPECT_TRUE(cipher.set_key(with.key.data(), direction::open));
  made.answer = cipher.open(
      {with.nonce.data(), memory.from, memory.to, text.size()}, tag.data());
  cipher.forget_key();
  EXPECT_TRUE(memory.around_untouched(text.size()));
  made.text.assign(memory.to, memory.to + text.size());
  return made;
}

class EachCipher : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const bool is_openssl = std::string(GetParam()) == "openssl";
    if (!is_openssl && why_no_ipsec_mb() != nullptr) {
      GTEST_SKIP() << "no cipher ipsec-mb: " << why_no_ipsec_mb();
    }
    cipher = is_openssl ? make_openssl_cipher() : make_ipsec_mb_cipher();
    ASSERT_NE(cipher, nullptr);
  }
  std::unique_ptr<chunk_cipher> cipher;
  std::mt19937_64 random{1};
};

class BothCiphers : public testing::Test {
 protected:
  void SetUp() override {
    if (why_no_ipsec_mb() != nullptr) {
      GTEST_SKIP() << "no cipher ipsec-mb: " << why_no_ipsec_mb();
    }
    one = make_openssl_cipher();
    other = make_ipsec_mb_cipher();
    ASSERT_TRUE(one != nullptr && other != nullptr);
  }

  // The same ciphertext and tag, and each opens what the other has sealed.
  void agree(const secret& with, const bytes& text) {
    const auto shift = [this] { return random() % 64; };
    const outcome a = seal(*one, with, text, shift(), shift());
    const outcome b = seal(*other, with, text, shift(), shift());
    ASSERT_EQ(a.text, b.text) << text.size() << " bytes";
    ASSERT_EQ(a.tag, b.tag) << text.size() << " bytes";
    const outcome c = open(*one, with, b.text, b.tag, shift(), shift());
    const outcome d = open(*other, with, a.text, a.tag, shift(), shift());
    ASSERT_EQ(c.answer, opened::yes) << text.size() << " bytes";
    ASSERT_EQ(d.answer, opened::yes) << text.size() << " bytes";
    ASSERT_EQ(c.text, text);
    ASSERT_EQ(d.text, text);
  }

  std::unique_ptr<chunk_cipher> one, other;
  std::mt19937_64 random{2};
};

// Bytes i mod 251; the tag is from the formulas of RFC 8439, written anew.
TEST_P(EachCipher, GivesTheKnownTag) {
  secret with;
  for (std::size_t i = 0; i < cipher_key_bytes; ++i) {
    with.key[i] = static_cast<std::uint8_t>(0x80 + i);
  }
  with.nonce = {7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
  bytes text(2085);
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<std::uint8_t>(i % 251);
  }
  const bytes expected = {0x08, 0xc7, 0x76, 0x11, 0x91, 0xc1, 0x2b, 0x21,
                          0x7c, 0x5a, 0x63, 0xb3, 0x4f, 0x83, 0x73, 0x08};
  EXPECT_EQ(seal(*cipher, with, text).tag, expected);
}

TEST_P(EachCipher, RefusesEveryChangedBitOfATag) {
  for (const std::size_t size : {0u, 1u, 15u, 64u, 1000u, 65536u}) {
    const secret with = random_secret(random);
    const outcome sealed = seal(*cipher, with, random_bytes(random, size));
    for (std::size_t bit = 0; bit < 8 * cipher_tag_bytes; ++bit) {
      bytes tag = sealed.tag;
      tag[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      ASSERT_EQ(open(*cipher, with, sealed.text, tag).answer, opened::no)
          << size << " bytes, bit " << bit;
    }
    EXPECT_EQ(open(*cipher, with, sealed.text, sealed.tag).answer, opened::yes);
  }
}

TEST_P(EachCipher, RefusesAChangedByteAnywhere) {
  const secret with = random_secret(random);
  for (const std::size_t size : {1u, 31u, 64u, 257u, 1337u}) {
    const outcome sealed = seal(*cipher, with, random_bytes(random, size));
    for (std::size_t at = 0; at < size; ++at) {
      bytes text = sealed.text;
      text[at] ^= static_cast<std::uint8_t>(1 + random() % 255);
      ASSERT_EQ(open(*cipher, with, text, sealed.tag).answer, opened::no)
          << size << " bytes, at " << at;
    }
  }
}

TEST_P(EachCipher, RefusesAnotherKeyNonceOrLength) {
  const secret with = random_secret(random);
  const outcome sealed = seal(*cipher, with, random_bytes(random, 500));
  secret other = with;
  other.key[31] ^= 0x80;
  EXPECT_EQ(open(*cipher, other, sealed.text, sealed.tag).answer, opened::no);
  other = with;
  other.nonce[11] ^= 1;
  EXPECT_EQ(open(*cipher, other, sealed.text, sealed.tag).answer, opened::no);
  bytes longer = sealed.text;
  longer.push_back(0);
  EXPECT_EQ(open(*cipher, with, longer, sealed.tag).answer, opened::no);
}

TEST_P(EachCipher, SealsManyChunksUnderOneKey) {
  const secret with = random_secret(random);
  const bytes text = random_bytes(random, 3000);
  std::vector<outcome> alone, in_a_row;
  secret each = with;
  for (std::uint8_t i = 0; i < 5; ++i) {
    each.nonce[0] = i;
    alone.push_back(seal(*cipher, each, text));
  }
  ASSERT_TRUE(cipher->set_key(with.key.data(), direction::seal));
  for (std::uint8_t i = 0; i < 5; ++i) {
    each.nonce[0] = i;
    outcome made{opened::yes, bytes(text.size()), bytes(cipher_tag_bytes)};
    ASSERT_TRUE(cipher->seal(
        {each.nonce.data(), text.data(), made.text.data(), text.size()},
        made.tag.data()));
    EXPECT_EQ(made.text, alone[i].text);
    EXPECT_EQ(made.tag, alone[i].tag);
  }
  cipher->forget_key();
}

INSTANTIATE_TEST_SUITE_P(, EachCipher, testing::Values("openssl", "ipsec_mb"),
                         [](const auto& which) { return which.param; });

TEST_F(BothCiphers, AgreeOnEveryLengthUpTo4096) {
  const secret with = random_secret(random);
  const bytes text = random_bytes(random, 4096);
  for (std::size_t size = 0; size <= text.size(); ++size) {
    agree(with, bytes(text.begin(),
                      text.begin() + static_cast<std::ptrdiff_t>(size)));
    if (HasFatalFailure()) return;
  }
}

TEST_F(BothCiphers, AgreeAroundTheLengthOfAChunk) {
  const secret with = random_secret(random);
  const bytes text = random_bytes(random, 65536 + 80);
  for (std::size_t size = 65536 - 80; size <= text.size(); ++size) {
    agree(with, bytes(text.begin(),
                      text.begin() + static_cast<std::ptrdiff_t>(size)));
    if (HasFatalFailure()) return;
  }
}

TEST_F(BothCiphers, AgreeOnWhateverComes) {
  for (int i = 0; i < 3000; ++i) {
    // Short ones often, long ones sometimes.
    const std::size_t most = std::size_t{1} << random() % 18;
    const bytes text = random() % 8 == 0
                           ? bytes(random() % most, 0xff)
                           : random_bytes(random, random() % most);
    const secret with = random() % 16 == 0
                            ? secret{bytes(cipher_key_bytes, 0xff),
                                     bytes(cipher_nonce_bytes, 0xff)}
                            : random_secret(random);
    agree(with, text);
    if (HasFatalFailure()) return;
  }
}

TEST_F(BothCiphers, AgreeOnForgeries) {
  for (int i = 0; i < 3000; ++i) {
    const secret with = random_secret(random);
    outcome sealed = seal(*one, with, random_bytes(random, random() % 2000));
    const bool forged = random() % 2 == 0;
    if (forged) sealed.tag[random() % cipher_tag_bytes] ^= 0x10;
    const opened expected = forged ? opened::no : opened::yes;
    ASSERT_EQ(open(*one, with, sealed.text, sealed.tag).answer, expected);
    ASSERT_EQ(open(*other, with, sealed.text, sealed.tag).answer, expected);
  }
}

TEST_F(BothCiphers, AgreeOnManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    threads.emplace_back([seed] {
      std::mt19937_64 mine(seed);
      const auto a = make_openssl_cipher(), b = make_ipsec_mb_cipher();
      ASSERT_TRUE(a != nullptr && b != nullptr);
      for (int i = 0; i < 200; ++i) {
        const secret with = random_secret(mine);
        const bytes text = random_bytes(mine, mine() % 20000);
        const outcome made = seal(*b, with, text);
        ASSERT_EQ(made.tag, seal(*a, with, text).tag);
        ASSERT_EQ(open(*b, with, made.text, made.tag).answer, opened::yes);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

// OpenSSL keeps its state elsewhere; this one has it inside.
TEST_F(BothCiphers, LeaveNothingOfTheKeyBehind) {
  void* object = dynamic_cast<void*>(other.get());
  const auto snapshot = [object] {
    const auto* at = static_cast<const std::uint8_t*>(object);
    return bytes(at, at + malloc_usable_size(object));
  };
  other->forget_key();  // and so clears padding, too
  const bytes before = snapshot();
  const secret with = random_secret(random);
  const bytes text = random_bytes(random, 1001);
  bytes sealed(text.size()), tag(cipher_tag_bytes);
  ASSERT_TRUE(other->set_key(with.key.data(), direction::seal));
  ASSERT_TRUE(
      other->seal({with.nonce.data(), text.data(), sealed.data(), text.size()},
                  tag.data()));
  EXPECT_NE(snapshot(), before) << "the look itself fails";
  other->forget_key();
  EXPECT_EQ(snapshot(), before);
}

TEST(IpsecMb, HasANameOrAReason) {
  const bool usable = why_no_ipsec_mb() == nullptr;
  EXPECT_EQ(std::string(ipsec_mb_name()).rfind("ipsec-mb ", 0) == 0, usable);
  EXPECT_EQ(make_ipsec_mb_cipher() != nullptr, usable);
  // Here that would be our fault, not the machine's.
  if (!usable) {
    EXPECT_STRNE(why_no_ipsec_mb(), "the library computes wrong tags");
  }
}

}  // namespace
}  // namespace nexus::cpu
