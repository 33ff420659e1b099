#include <gtest/gtest.h>

#include <nexus/age.hpp>
#include <string>
#include <vector>

#include "format/armor.hpp"
#include "ops/age_keys.hpp"
#include "ops/age_stream.hpp"
#include "support/age_files.hpp"

namespace nexus {
namespace {

using namespace test;

constexpr std::size_t header_size = 168;  // one X25519 stanza
constexpr std::size_t payload_at = header_size + 16;

const std::vector<std::size_t> sizes = {0,     1,      65535, 65536,
                                        65537, 131072, 200001};

bool starts_with(const std::string& text, std::string_view prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

bool is_prefix(byte_view part, byte_view whole) {
  return part.size() <= whole.size() &&
         std::equal(part.begin(), part.end(), whole.begin());
}

// The run failed for the data, and released nothing wrong.
void expect_refused(const run_result& r, byte_view text,
                    std::string_view message) {
  EXPECT_EQ(r.end.kind(), error_kind::data) << r.end.message();
  EXPECT_TRUE(starts_with(r.end.message(), message)) << r.end.message();
  EXPECT_TRUE(is_prefix(r.output, text)) << r.output.size();
}

TEST(AgeSizes, MatchBothWays) {
  EXPECT_EQ(age_sealed_size(0), 16u);
  EXPECT_EQ(age_sealed_size(65536), 65552u);
  EXPECT_EQ(age_sealed_size(65537), 65569u);
  for (const std::uint64_t n : {0u, 1u, 65535u, 65536u, 65537u, 131072u}) {
    EXPECT_EQ(age_opened_size(age_sealed_size(n)), n);
  }
  for (const std::uint64_t n : {0u, 15u, 65553u, 65568u, 131120u}) {
    EXPECT_FALSE(age_opened_size(n)) << n;
  }
  EXPECT_EQ(whole_granules(0, 65536), 65536u);
  EXPECT_EQ(whole_granules(200000, 65536), 196608u);
  EXPECT_EQ(whole_granules(UINT64_MAX, 65536), std::uint64_t{1} << 40);
}

TEST(AgeEncrypt, RefusesOptionsThatDoNotFit) {
  auto op = age::make_encrypt({});
  const run_result r = run_operation(*op, sample(5));
  EXPECT_EQ(r.end.code(), status_code::invalid_argument);
  EXPECT_TRUE(r.output.empty());
}

TEST(AgeEncrypt, WritesTheSameInEverySegmentSize) {
  for (const std::size_t n : sizes) {
    for (const bool armor : {false, true}) {
      const bytes file = encrypted(n, armor);
      if (!armor) {
        EXPECT_EQ(file.size(), payload_at + age_sealed_size(n));
      }
      for (const std::uint64_t segment : {1u, 131072u, 1000000u}) {
        const run_result r = encrypt(sample(n), armor, in_segments(segment));
        ASSERT_TRUE(r.end.ok()) << r.end.message();
        EXPECT_EQ(r.output, file) << n << " bytes in segments of " << segment;
      }
    }
  }
}

TEST(AgeEncrypt, TakesFreshSecretsEachTime) {
  age::encrypt_options options = to_test_identity(false);
  options.fixed.reset();
  auto a = age::make_encrypt(options);
  auto b = age::make_encrypt(options);
  const bytes first = run_operation(*a, sample(9)).output;
  const bytes second = run_operation(*b, sample(9)).output;
  const auto tail = [](const bytes& file, std::size_t from) {
    return bytes(file.begin() + static_cast<std::ptrdiff_t>(from), file.end());
  };
  EXPECT_NE(tail(first, header_size), tail(second, header_size));  // nonce
  EXPECT_NE(tail(first, payload_at), tail(second, payload_at));
  EXPECT_EQ(decrypt(first).output, sample(9));
  EXPECT_EQ(decrypt(second).output, sample(9));
}

TEST(AgeDecrypt, ReadsBackEverySizeInEverySegmentSize) {
  for (const std::size_t n : sizes) {
    const bytes binary = encrypted(n, false);
    const bytes armored = encrypted(n, true);
    const bytes crlf = joined(lines_of(armored), "\r\n");
    for (const bytes& file : {binary, armored, crlf}) {
      for (const std::uint64_t segment :
           {1u, 660u, 65552u, 150000u, 1000000u}) {
        const run_result r =
            decrypt(file, in_segments(segment, segment == 660 ? 100000 : 0));
        EXPECT_TRUE(r.end.ok()) << r.end.message();
        EXPECT_TRUE(r.output == sample(n))
            << n << " bytes in segments of " << segment;
      }
    }
  }
}

TEST(AgeDecrypt, ReadsBackAPassphrase) {
  const auto ask = [](const char* answer) {
    return [answer] { return result<secret_string>(secret_string(answer)); };
  };
  age::encrypt_options options;
  options.passphrase = ask("twelve");
  options.scrypt_log_n = 2;
  auto op = age::make_encrypt(options);
  const bytes file = run_operation(*op, sample(70000)).output;
  const auto open = [&](age::passphrase_prompt prompt) {
    age::decrypt_options keys;
    keys.passphrase = std::move(prompt);
    auto reader = age::make_decrypt(std::move(keys));
    return run_operation(*reader, file);
  };
  const run_result wrong = open(ask("eleven"));
  EXPECT_EQ(wrong.end.code(), status_code::wrong_key);
  EXPECT_TRUE(wrong.output.empty());
  EXPECT_EQ(open({}).end.code(), status_code::wrong_key);
  const auto refuse = [] {
    return result<secret_string>(status(status_code::cancelled, "no"));
  };
  EXPECT_EQ(open(refuse).end.code(), status_code::cancelled);
  EXPECT_TRUE(open(ask("twelve")).output == sample(70000));
}

TEST(AgeDecrypt, RefusesAnotherKey) {
  age::decrypt_options options;
  auto other = age::identity::generate();
  ASSERT_TRUE(other.ok());
  options.identities.push_back(std::move(*other));
  auto op = age::make_decrypt(std::move(options));
  const run_result r = run_operation(*op, encrypted(10, false));
  EXPECT_EQ(r.end.code(), status_code::wrong_key);
  EXPECT_TRUE(r.output.empty());
}

// Where a file of three chunks may be cut: everywhere in what is not a chunk,
// about the edges of the chunks, and here and there between.
std::vector<std::size_t> cuts(std::size_t size) {
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t in_chunk = i < payload_at ? 0 : (i - payload_at) % 65552;
    if (in_chunk < 20 || in_chunk > 65552 - 20 || i % 9973 == 0) {
      at.push_back(i);
    }
  }
  return at;
}

TEST(AgeDecrypt, NoticesEveryTruncation) {
  const bytes text = sample(131072 + 100);
  const bytes file = encrypted(text.size(), false);
  for (const std::size_t n : cuts(file.size())) {
    for (const std::uint64_t segment : {1u, 1000000u}) {
      const run_result r =
          decrypt(byte_view(file).first(n), in_segments(segment));
      expect_refused(r, text, n < payload_at ? "header: " : "payload: ");
      const std::size_t whole =
          n < payload_at ? 0 : (n - payload_at) / 65552 * 65536;
      EXPECT_EQ(r.output.size(), whole) << "cut at " << n;
    }
  }
}

TEST(AgeDecrypt, NoticesEveryTruncationOfArmor) {
  const bytes text = sample(65536 + 100);
  const bytes file = encrypted(text.size(), true);
  const std::size_t end_text = file.size() - 1;  // its line feed may be gone
  for (std::size_t n = 0; n < end_text; n += n < 400 ? 1 : 331) {
    for (const std::uint64_t segment : {650u, 1000000u}) {
      expect_refused(decrypt(byte_view(file).first(n), in_segments(segment)),
                     text, n < 5 ? "header: " : "armor: ");
    }
  }
  EXPECT_TRUE(decrypt(byte_view(file).first(end_text)).end.ok());
}

TEST(AgeDecrypt, NoticesEveryFlippedBit) {
  const bytes text = sample(5);
  for (const bool armor : {false, true}) {
    for (const bool crlf : {false, true}) {
      if (crlf && !armor) continue;
      bytes file = encrypted(text.size(), armor);
      if (crlf) file = joined(lines_of(file), "\r\n");
      for (std::size_t i = 0; i < file.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
          const std::byte was = file[i];
          file[i] ^= static_cast<std::byte>(1 << bit);
          const run_result r = decrypt(file, in_segments(1));
          EXPECT_EQ(r.end.kind(), error_kind::data) << i << " bit " << bit;
          EXPECT_TRUE(r.output.empty()) << i << " bit " << bit;
          file[i] = was;
        }
      }
    }
  }
}

TEST(AgeDecrypt, ReleasesTheChunksAheadOfACorruptOne) {
  const bytes text = sample(200001);
  const bytes good = encrypted(text.size(), false);
  for (std::size_t chunk = 0; chunk < 4; ++chunk) {
    for (const std::uint64_t segment : {1u, 131104u, 1000000u}) {
      bytes file = good;
      file[payload_at + chunk * 65552 + 1000] ^= std::byte{1};
      const run_result r = decrypt(file, in_segments(segment));
      expect_refused(
          r, text,
          "payload: chunk " + std::to_string(chunk) + " does not authenticate");
      EXPECT_EQ(r.output.size(), chunk * 65536);
    }
  }
}

TEST(AgeDecrypt, NoticesChunksOutOfOrder) {
  bytes file = encrypted(200001, false);
  const auto at = [&](std::size_t chunk) {
    return file.begin() +
           static_cast<std::ptrdiff_t>(payload_at + chunk * 65552);
  };
  std::swap_ranges(at(1), at(2), at(2));
  for (const std::uint64_t segment : {1u, 1000000u}) {
    const run_result r = decrypt(file, in_segments(segment));
    expect_refused(r, sample(65536), "payload: chunk 1 does not");
    EXPECT_EQ(r.output.size(), 65536u);
  }
}

TEST(AgeDecrypt, NoticesDataAfterTheFinalChunk) {
  for (const std::size_t n : {65536u, 131072u}) {
    for (const std::size_t more : {1u, 15u, 16u, 17u, 65552u, 70000u}) {
      for (const std::uint64_t segment : {1u, 131104u, 1000000u}) {
        bytes file = encrypted(n, false);
        append(file, sample(more));
        const run_result r = decrypt(file, in_segments(segment));
        expect_refused(r, sample(n), "payload: ");
        EXPECT_NE(r.end.message().find("after"), std::string::npos);
        EXPECT_EQ(r.output.size(), n);
      }
    }
  }
}

TEST(AgeDecrypt, NoticesAnEmptyFinalChunkAfterOthers) {
  // What encrypt would never write: chunk 0 not final, chunk 1 final, empty.
  nexus_age_params p{};
  age::encrypt_options options = to_test_identity(false);
  file_key key;
  std::copy_n(options.fixed->file_key.begin(), 16, key.data());
  const payload_key stream = derive_payload_key(key, options.fixed->nonce);
  std::copy_n(u8(stream.data()), 32, p.key);
  bytes file = encrypted(0, false);
  file.resize(payload_at);
  append(file, naive_seal(p, sample(65536)).output);
  bool ok = false;
  append(file, naive_chunk(true, p.key, 1, true, {}, ok));
  for (const std::uint64_t segment : {1u, 1000000u}) {
    const run_result r = decrypt(file, in_segments(segment));
    expect_refused(r, sample(65536), "payload: the final chunk is empty");
    EXPECT_EQ(r.output.size(), 65536u);
  }
}

struct mistaken_input {
  std::string input;
  std::string message;
};

TEST(AgeDecrypt, SaysWhatElseTheInputSeemsToBe) {
  const std::string begin(armor_begin);
  const std::vector<mistaken_input> cases = {
      {"", "header: "},
      {"hello", "header: byte 0: not an age file"},
      {"age-encryption.org/v1\r\n-> X", "header: byte 21: the line ends with"},
      {std::string("\xff\xfe"
                   "a\0g\0e\0",
                   8),
       "header: byte 0: not an age fil"},
      {"\xef\xbb\xbf"
       "age-encryption.org/v1\n",
       "header: begins with a byte"},
      {"# created: 2024\nAGE-SECRET-KEY-1", "header: a file of age keys"},
      {"AGE-SECRET-KEY-1QQQ", "header: a file of age keys"},
      {"age1qqqqqqqqqqqqqqqqqq", "header: a file of age keys"},
      {"-----BEGIN PGP MESSAGE-----\n", "armor: an OpenPGP message"},
      {"-----BEGIN age ENCRYPTED FILE-----\n", "armor: the first line is not"},
      {"hello\n" + begin + "\n", "armor: text ahead of the BEGIN line"},
      {begin + "\n" + std::string(armor_end) + "\n", "header: byte 0"},
  };
  for (const mistaken_input& c : cases) {
    const run_result r = decrypt(as_bytes(c.input));
    expect_refused(r, {}, c.message);
    EXPECT_TRUE(r.output.empty());
  }
}

TEST(AgeOperations, TryAnotherDeviceWhereOneTalksNonsense) {
  using lie = std::function<void(job_outcome&)>;
  const std::vector<lie> lies = {
      [](job_outcome& o) { o.output_bytes += 1; },
      [](job_outcome& o) {
        o.output_bytes = 0;
        o.data_error = false;
        o.flags = 0;
      },
      [](job_outcome& o) { o.output_bytes = o.output.size() + 1; },
      [](job_outcome& o) {
        o.data_error = true;
        o.error_offset = 3;
      },
      [](job_outcome& o) {
        o.data_error = true;
        o.error_offset = UINT64_MAX;
      },
  };
  for (const bool armor : {false, true}) {
    const bytes file = encrypted(200001, armor);
    for (const lie& spoil : lies) {
      run_settings settings = in_segments(65552 * 2);
      settings.tamper = [&](const segment_view&, int attempt, job_outcome& o) {
        if (attempt == 0) spoil(o);
      };
      const run_result sealed = encrypt(sample(200001), armor, settings);
      EXPECT_TRUE(sealed.end.ok()) << sealed.end.message();
      EXPECT_TRUE(sealed.output == file);
      EXPECT_GE(sealed.resubmitted, 2);
      const run_result opened = decrypt(file, settings);
      EXPECT_TRUE(opened.end.ok()) << opened.end.message();
      EXPECT_TRUE(opened.output == sample(200001));
      EXPECT_GE(opened.resubmitted, 2);
    }
  }
}

TEST(AgeOperations, ReleaseNothingThatNobodyAuthenticated) {
  run_settings settings;
  settings.tamper = [](const segment_view&, int, job_outcome& o) {
    o.flags |= NEXUS_RESULT_TAGS;
  };
  const run_result r = decrypt(encrypted(10, false), settings);
  EXPECT_EQ(r.end.code(), status_code::device_failed);
  EXPECT_TRUE(r.output.empty());
}

}  // namespace
}  // namespace nexus
