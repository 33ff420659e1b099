// age-seal and age-open on every device, against OpenSSL.
#include <algorithm>
#include <string_view>

#include "device_fixture.hpp"

namespace conformance {
namespace {

age_key make_key(std::uint8_t seed) {
  age_key key;
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(seed + 7 * i);
  }
  return key;
}
const age_key some_key = make_key(3);

std::vector<std::size_t> lengths(const nexus_device_info& device) {
  std::vector<std::size_t> all;
  // A card takes its time for each job.
  const std::size_t step = device.kind == NEXUS_DEVICE_CPU ? 1 : 61;
  for (std::size_t n = 0; n <= 130; ++n) all.push_back(n);
  for (std::size_t n = 131; n < 4096; n += step) all.push_back(n);
  for (const std::size_t n :
       {std::size_t{4096}, plain_chunk - 1, plain_chunk, plain_chunk + 1,
        plain_chunk + 15, plain_chunk + 16, plain_chunk + 17,
        2 * plain_chunk - 1, 2 * plain_chunk, 2 * plain_chunk + 1,
        257 * plain_chunk, 257 * plain_chunk + 1}) {
    all.push_back(n);
  }
  return all;
}

bytes from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(
        static_cast<std::uint8_t>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return out;
}

bytes joined(std::initializer_list<bytes> parts) {
  bytes all;
  for (const bytes& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class AgeDeviceTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
    SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_OPEN);
  }

  outcome seal(view plain, std::uint64_t first, bool last) {
    const nexus_age_params params = age_params(some_key, first, last);
    return run(age_request(NEXUS_JOB_AGE_SEAL, plain, params));
  }
  // Twice: the device compares, or may leave that to the host. Both come to the
  // same.
  outcome open(view sealed, std::uint64_t first, bool last) {
    const nexus_age_params params = age_params(some_key, first, last);
    request wanted = age_request(NEXUS_JOB_AGE_OPEN, sealed, params);
    const outcome alone = run(wanted);
    EXPECT_FALSE(alone.host_compared);
    wanted.gives_tags = true;
    const outcome shared = run(wanted);
    EXPECT_EQ(shared.status, alone.status);
    EXPECT_EQ(shared.final_chunk, alone.final_chunk);
    EXPECT_EQ(shared.error_offset, alone.error_offset);
    EXPECT_EQ(shared.output, alone.output);
    return alone;
  }
  void expect_opened(const outcome& end, view plain, bool is_final) {
    EXPECT_EQ(end.status, NEXUS_OK);
    EXPECT_EQ(end.final_chunk, is_final);
    EXPECT_TRUE(std::ranges::equal(end.output, plain));
  }
  // The good prefix is there, and the chunk that failed has left nothing.
  void expect_failed_at(const outcome& end, view plain, std::size_t chunk) {
    EXPECT_EQ(end.status, NEXUS_E_DATA);
    EXPECT_FALSE(end.final_chunk);
    EXPECT_EQ(end.error_offset, chunk * sealed_chunk);
    ASSERT_EQ(end.output.size(), chunk * plain_chunk);
    EXPECT_TRUE(
        std::ranges::equal(end.output, plain.first(chunk * plain_chunk)));
    if (end.host_compared) return;
    const view rest = view(end.room).subspan(chunk * plain_chunk);
    const view secret = plain.subspan(chunk * plain_chunk);
    if (secret.size() < 16 || rest.size() < 16) return;
    EXPECT_FALSE(std::ranges::equal(rest.first(16), secret.first(16)))
        << "plaintext that failed to authenticate is left in the output";
  }
};

TEST(AgeReference, MatchesTheVectorOfRfc8439) {  // section 2.8.2
  age_key key;
  for (std::size_t i = 0; i < 32; ++i) {
    key[i] = static_cast<std::uint8_t>(0x80 + i);
  }
  const aead_nonce nonce = {7,    0,    0,    0,    0x40, 0x41,
                            0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
  const bytes aad = from_hex("50515253c0c1c2c3c4c5c6c7");
  const std::string_view text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one "
      "tip for the future, sunscreen would be it.";
  const bytes plain(text.begin(), text.end());
  const bytes expected = from_hex(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
      "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
      "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
      "3ff4def08e4b7a9de576d26586cec64b6116"
      "1ae10b594f09e26a7e902ecbd0600691");
  EXPECT_EQ(aead_seal(key, nonce, aad, plain), expected);
  EXPECT_EQ(aead_open(key, nonce, aad, expected), plain);
}

TEST(AgeReference, BuildsNoncesOfElevenBytesAndAFlag) {
  const aead_nonce expected = {0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1};
  EXPECT_EQ(chunk_nonce(0x0102030405060708, true), expected);
}

TEST_P(AgeDeviceTest, RejectsAWrongTagAtEveryChunk) {
  const bytes plain = pattern(4 * plain_chunk + 100);
  const bytes sealed = seal_stream(some_key, 9, true, plain);
  for (std::size_t chunk = 0; chunk < 5; ++chunk) {
    const std::size_t end = std::min((chunk + 1) * sealed_chunk, sealed.size());
    for (const std::size_t back : {std::size_t{1}, std::size_t{16}}) {
      SCOPED_TRACE(testing::Message() << "chunk " << chunk << " -" << back);
      bytes bad = sealed;
      bad[end - back] ^= 0x80;
      expect_failed_at(open(bad, 9, true), plain, chunk);
    }
  }
}

TEST_P(AgeDeviceTest, RejectsAFlippedBitInEveryChunk) {
  const bytes plain = pattern(3 * plain_chunk);
  const bytes sealed = seal_stream(some_key, 0, true, plain);
  for (std::size_t chunk = 0; chunk < 3; ++chunk) {
    for (const std::size_t at :
         {std::size_t{0}, std::size_t{777}, plain_chunk - 1}) {
      SCOPED_TRACE(testing::Message() << "chunk " << chunk << " +" << at);
      bytes bad = sealed;
      bad[chunk * sealed_chunk + at] ^= 1;
      expect_failed_at(open(bad, 0, true), plain, chunk);
      expect_failed_at(open(bad, 0, false), plain, chunk);
    }
  }
}

TEST_P(AgeDeviceTest, RejectsChunksOutOfPlace) {
  const bytes plain = pattern(3 * plain_chunk);
  const bytes sealed = seal_stream(some_key, 5, true, plain);
  bytes swapped = sealed;
  std::swap_ranges(swapped.begin(), swapped.begin() + sealed_chunk,
                   swapped.begin() + sealed_chunk);
  expect_failed_at(open(swapped, 5, true), plain, 0);
  expect_failed_at(open(sealed, 4, true), plain, 0);
  expect_failed_at(open(sealed, 5 + (std::uint64_t{1} << 32), true), plain, 0);
  const view from_second = view(sealed).subspan(sealed_chunk);
  expect_failed_at(open(from_second, 5, true), plain, 0);
}

TEST_P(AgeDeviceTest, RejectsAnotherKey) {
  const bytes plain = pattern(plain_chunk + 5);
  const bytes sealed = seal_stream(make_key(4), 0, true, plain);
  expect_failed_at(open(sealed, 0, true), plain, 0);
}

TEST_P(AgeDeviceTest, RejectsAChunkTooShortForItsTag) {
  const bytes plain = pattern(plain_chunk);
  for (std::size_t size = 1; size < tag_bytes; ++size) {
    SCOPED_TRACE(size);
    expect_failed_at(open(pattern(size), 0, true), plain, 0);
    const bytes after =
        joined({seal_stream(some_key, 0, false, plain), pattern(size)});
    expect_failed_at(open(after, 0, true), plain, 1);
  }
}

TEST_P(AgeDeviceTest, RejectsAChunkCutShort) {
  const bytes plain = pattern(2 * plain_chunk);
  const bytes sealed = seal_stream(some_key, 0, true, plain);
  for (const std::size_t cut : {1u, 15u, 16u, 17u, 1000u, 65535u}) {
    SCOPED_TRACE(cut);
    expect_failed_at(open(view(sealed).first(sealed.size() - cut), 0, true),
                     plain, 1);
  }
}

TEST_P(AgeDeviceTest, RejectsAShortChunkThatIsNotFinal) {
  const bytes plain = pattern(1000);
  const bytes sealed = seal_chunk(some_key, 0, false, plain);
  expect_failed_at(open(sealed, 0, true), plain, 0);
  expect_failed_at(open(sealed, 0, false), plain, 0);
}

TEST_P(AgeDeviceTest, RejectsAnEmptyChunkAnywhereButAtTheBeginning) {
  const bytes plain = pattern(plain_chunk);
  const bytes sealed = joined({seal_chunk(some_key, 0, false, plain),
                               seal_chunk(some_key, 1, true, {})});
  expect_failed_at(open(sealed, 0, true), plain, 1);
  expect_failed_at(open(seal_chunk(some_key, 7, true, {}), 7, true), plain, 0);
  expect_failed_at(open(seal_chunk(some_key, 0, false, {}), 0, true), plain, 0);
}

TEST_P(AgeDeviceTest, EndsWithTheFinalChunkAndLeavesTheRest) {
  const bytes plain = pattern(2 * plain_chunk);
  const bytes rest = pattern(plain_chunk, 8);
  const bytes sealed = joined({seal_stream(some_key, 0, true, plain),
                               seal_stream(some_key, 2, true, rest)});
  for (const bool last : {false, true}) {
    SCOPED_TRACE(last);
    expect_opened(open(sealed, 0, last), plain, true);
  }
}

TEST_P(AgeDeviceTest, FindsAFullFinalChunkWithAndWithoutTheHint) {
  const bytes plain = pattern(2 * plain_chunk);
  const bytes sealed = seal_stream(some_key, 0, true, plain);
  expect_opened(open(sealed, 0, true), plain, true);
  expect_opened(open(sealed, 0, false), plain, true);
}

TEST_P(AgeDeviceTest, SaysThatNoFinalChunkCame) {
  const bytes plain = pattern(2 * plain_chunk);
  const bytes sealed = seal_stream(some_key, 0, false, plain);
  expect_opened(open(sealed, 0, false), plain, false);
  expect_opened(open(sealed, 0, true), plain, false);
}

TEST_P(AgeDeviceTest, OpensNothingToNothing) {
  expect_opened(open({}, 0, false), {}, false);
  expect_opened(open({}, 3, true), {}, false);
}

TEST_P(AgeDeviceTest, OpensTheEmptyStream) {
  expect_opened(open(seal_chunk(some_key, 0, true, {}), 0, true), {}, true);
}

TEST_P(AgeDeviceTest, SealsEveryLengthAsOpensslDoes) {
  for (const std::size_t size : lengths(GetParam().info)) {
    SCOPED_TRACE(size);
    const bytes plain = pattern(size);
    const outcome end = seal(plain, 0, true);
    ASSERT_EQ(end.status, NEXUS_OK);
    ASSERT_EQ(end.output, seal_stream(some_key, 0, true, plain));
  }
}

TEST_P(AgeDeviceTest, OpensEveryLength) {
  for (const std::size_t size : lengths(GetParam().info)) {
    SCOPED_TRACE(size);
    const bytes plain = pattern(size);
    const bytes sealed = seal_stream(some_key, 0, true, plain);
    expect_opened(open(sealed, 0, true), plain, true);
  }
}

TEST_P(AgeDeviceTest, SealsAndOpensTheMiddleOfAStream) {
  const bytes plain = pattern(3 * plain_chunk);
  for (const std::uint64_t first :
       {std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{1} << 32,
        (std::uint64_t{1} << 56) - 2, ~std::uint64_t{0} - 3}) {
    SCOPED_TRACE(first);
    const bytes sealed = seal_stream(some_key, first, false, plain);
    EXPECT_EQ(seal(plain, first, false).output, sealed);
    expect_opened(open(sealed, first, false), plain, false);
  }
}

TEST_P(AgeDeviceTest, SealsNothingToNothingInTheMiddle) {
  const outcome end = seal({}, 4, false);
  EXPECT_EQ(end.status, NEXUS_OK);
  EXPECT_TRUE(end.output.empty());
}

TEST_P(AgeDeviceTest, TakesBuffersOfAnyAlignment) {
  nexus_caps caps{};
  caps.size = sizeof caps;
  ASSERT_EQ(backend().caps(GetParam().index, NEXUS_JOB_AGE_SEAL, &caps),
            NEXUS_OK);
  if (caps.alignment > 1) GTEST_SKIP() << "asks for aligned buffers";
  const bytes plain = pattern(plain_chunk + 33);
  const bytes sealed = seal_stream(some_key, 0, true, plain);
  const nexus_age_params params = age_params(some_key, 0, true);
  for (const std::size_t shift : {1u, 3u, 8u, 31u, 63u}) {
    SCOPED_TRACE(shift);
    request forth = age_request(NEXUS_JOB_AGE_SEAL, plain, params);
    forth.input_shift = shift;
    forth.output_shift = 64 - shift;
    EXPECT_EQ(run(forth).output, sealed);
    request back = age_request(NEXUS_JOB_AGE_OPEN, sealed, params);
    back.input_shift = shift;
    back.output_shift = 64 - shift;
    expect_opened(run(back), plain, true);
  }
}

TEST_P(AgeDeviceTest, UsesTheKeyOfEachJob) {
  const bytes plain = pattern(5000);
  for (std::uint8_t seed = 0; seed < 8; ++seed) {
    const age_key key = make_key(seed);
    const nexus_age_params params = age_params(key, 0, true);
    const outcome end = run(age_request(NEXUS_JOB_AGE_SEAL, plain, params));
    EXPECT_EQ(end.output, seal_stream(key, 0, true, plain));
  }
}

TEST_P(AgeDeviceTest, RefusesWhatHasNoPlaceInAStream) {
  const bytes plain = pattern(plain_chunk + 1);
  EXPECT_EQ(seal(plain, 0, false).status, NEXUS_E_ARGUMENT)
      << "a short chunk that is not final";
  EXPECT_EQ(seal({}, 1, true).status, NEXUS_E_ARGUMENT)
      << "an empty chunk after others";
  EXPECT_EQ(seal(plain, ~std::uint64_t{0}, true).status, NEXUS_E_ARGUMENT)
      << "more chunks than there are numbers";
}

INSTANTIATE_TEST_SUITE_P(Devices, AgeDeviceTest, testing::ValuesIn(targets()),
                         name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgeDeviceTest);

}  // namespace
}  // namespace conformance
