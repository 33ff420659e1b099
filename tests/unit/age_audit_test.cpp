// Results of encryption that no check of sizes finds wrong.
#include <gtest/gtest.h>

#include <functional>
#include <nexus/age.hpp>
#include <string>

#include "ops/age_stream.hpp"
#include "support/age_files.hpp"

namespace nexus {
namespace {

using namespace test;
using age::output_check;

constexpr std::size_t megabyte = std::size_t{1} << 20;

run_result encrypt_with(output_check how, byte_view text,
                        const run_settings& settings, bool armor = false) {
  age::encrypt_options options = to_test_identity(armor);
  options.verify_output = how;
  const auto op = age::make_encrypt(options);
  return run_operation(*op, text, settings);
}

// Spoils the first answer to every job.
run_settings spoilt(std::uint64_t segment_bytes,
                    std::function<void(job_outcome&)> spoil) {
  run_settings settings = in_segments(segment_bytes);
  settings.tamper = [spoil = std::move(spoil)](const segment_view&, int attempt,
                                               job_outcome& outcome) {
    if (attempt == 0) spoil(outcome);
  };
  return settings;
}

run_settings one_bit_at(std::size_t place) {
  return spoilt(megabyte, [place](job_outcome& outcome) {
    if (place < outcome.output_bytes) outcome.output[place] ^= std::byte{1};
  });
}

TEST(AgeAudit, AcceptsWhatIsRight) {
  for (const output_check how :
       {output_check::none, output_check::sample, output_check::all}) {
    for (const std::size_t n :
         {std::size_t{0}, std::size_t{1}, std::size_t{65535},
          std::size_t{65536}, std::size_t{65537}, 5 * megabyte + 3}) {
      for (const std::uint64_t segment : {std::uint64_t{65536}, 3 * 65536ul}) {
        const run_result r = encrypt_with(how, sample(n), in_segments(segment));
        ASSERT_TRUE(r.end.ok()) << r.end.message();
        EXPECT_EQ(r.resubmitted, 0);
        EXPECT_TRUE(r.output == encrypted(n, false));
      }
    }
  }
}

TEST(AgeAudit, FindsAnyChunkThatIsWrongWhereAllAreOpened) {
  const bytes text = sample(megabyte + 5);
  const bytes right = encrypted(text.size(), false);
  for (std::size_t chunk = 0; chunk < 16; ++chunk) {
    // A byte of the text, and one of the tag.
    for (const std::size_t within : {std::size_t{7}, std::size_t{65540}}) {
      const run_result r =
          encrypt_with(output_check::all, text,
                       one_bit_at(chunk * age_sealed_chunk + within));
      ASSERT_TRUE(r.end.ok()) << r.end.message();
      EXPECT_TRUE(r.output == right);
      EXPECT_GE(r.resubmitted, 1);
    }
  }
}

TEST(AgeAudit, FindsEachChunkOfASampleThatIsGarbage) {
  const bytes text = sample(megabyte - 100);
  for (std::size_t chunk = 0; chunk < 16; ++chunk) {
    const run_result r = encrypt_with(
        output_check::sample, text, spoilt(megabyte, [&](job_outcome& outcome) {
          const std::size_t begin = chunk * age_sealed_chunk;
          const std::size_t end =
              std::min<std::size_t>(begin + 65536, outcome.output_bytes);
          for (std::size_t i = begin; i < end; ++i)
            outcome.output[i] ^= std::byte{1};
        }));
    ASSERT_TRUE(r.end.ok()) << r.end.message();
    EXPECT_EQ(r.resubmitted, 1);
    const std::string begin =
        "the encrypted bytes are wrong: chunk " + std::to_string(chunk) + " ";
    EXPECT_EQ(r.found.message().substr(0, begin.size()), begin);
  }
}

// One in 16, and a little more: both are sure but for one in some millions.
TEST(AgeAudit, FindsOneBadChunkInsideASampleByChanceAlone) {
  const bytes text = sample(megabyte);
  int found = 0;
  constexpr int rounds = 250;
  for (int i = 0; i < rounds; ++i) {
    found += encrypt_with(output_check::sample, text,
                          one_bit_at(6 * age_sealed_chunk + 100))
                 .resubmitted;
  }
  EXPECT_GT(found, 0);
  EXPECT_LT(found, rounds);
}

TEST(AgeAudit, FindsWhatOpensToOtherBytes) {
  // The same key and numbers, so that every chunk authenticates.
  const bytes other = encrypted(2 * megabyte, false);
  const std::size_t payload = 168 + 16;
  bytes text = sample(2 * megabyte);
  for (std::size_t i = 0; i < text.size(); i += 65536) text[i] ^= std::byte{1};
  std::size_t at = payload;
  run_settings settings = in_segments(megabyte);
  settings.tamper = [&](const segment_view& segment, int attempt,
                        job_outcome& outcome) {
    if (attempt != 0) return;
    at = payload + segment.offset / 65536 * age_sealed_chunk;
    std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(at),
                outcome.output_bytes, outcome.output.begin());
  };
  const run_result r = encrypt_with(output_check::sample, text, settings);
  ASSERT_TRUE(r.end.ok()) << r.end.message();
  EXPECT_EQ(r.resubmitted, 2);
  const std::string begin = "the encrypted bytes are wrong: chunk ";
  EXPECT_EQ(r.found.message().substr(0, begin.size()), begin);
}

// Chunks of which one is not where it belongs, or is not marked as the last.
TEST(AgeAudit, FindsChunksThatBelongElsewhere) {
  const bytes text = sample(3 * 65536);
  const bytes right = encrypted(text.size(), false);
  const auto swap_two = [](job_outcome& outcome) {
    std::swap_ranges(outcome.output.begin(),
                     outcome.output.begin() + age_sealed_chunk,
                     outcome.output.begin() + age_sealed_chunk);
  };
  const run_result swapped =
      encrypt_with(output_check::sample, text, spoilt(megabyte, swap_two));
  EXPECT_EQ(swapped.resubmitted, 1);
  EXPECT_TRUE(swapped.output == right);
  const bytes longer = encrypted(4 * 65536, false);
  const run_result unmarked = encrypt_with(
      output_check::sample, text, spoilt(megabyte, [&](job_outcome& outcome) {
        std::copy_n(longer.begin() + 168 + 16, outcome.output_bytes,
                    outcome.output.begin());
      }));
  EXPECT_EQ(unmarked.resubmitted, 1);
  EXPECT_TRUE(unmarked.output == right);
}

TEST(AgeAudit, FindsResultsOfTheWrongSize) {
  for (const output_check how : {output_check::sample, output_check::all}) {
    const run_result r = encrypt_with(
        how, sample(70000), spoilt(megabyte, [](job_outcome& outcome) {
          outcome.output_bytes -= 1;
        }));
    ASSERT_TRUE(r.end.ok()) << r.end.message();
    EXPECT_EQ(r.resubmitted, 1);
    EXPECT_TRUE(r.output == encrypted(70000, false));
  }
}

run_settings other_letter_at(std::size_t place) {
  run_settings settings = in_segments(megabyte);
  settings.tamper = [place](const segment_view& segment, int attempt,
                            job_outcome& outcome) {
    if (segment.stage != 1 || segment.index != 0 || attempt != 0) return;
    std::byte& letter = outcome.output[place % outcome.output_bytes];
    letter = letter == std::byte{'A'} ? std::byte{'B'} : std::byte{'A'};
  };
  return settings;
}

TEST(AgeAudit, LooksAtArmorAsAtChunks) {
  const bytes text = sample(megabyte);
  const bytes right = encrypted(text.size(), true);
  const std::size_t last = 21830 * 65;  // of the last 64 or fewer lines
  for (const std::size_t place :
       {std::size_t{0}, std::size_t{64}, 63 * 65ul, last, last + 64}) {
    for (const output_check how : {output_check::sample, output_check::all}) {
      const run_result r =
          encrypt_with(how, text, other_letter_at(place), true);
      ASSERT_TRUE(r.end.ok()) << r.end.message();
      EXPECT_EQ(r.resubmitted, 1) << place;
      EXPECT_TRUE(r.output == right);
    }
  }
  for (const std::size_t line : {64u, 5000u, 21000u}) {
    const run_result r = encrypt_with(output_check::all, text,
                                      other_letter_at(line * 65 + 7), true);
    EXPECT_EQ(r.found.message(), "the encrypted bytes are wrong: line " +
                                     std::to_string(line) +
                                     " of the armor says something else");
    EXPECT_TRUE(r.output == right);
  }
  const run_result blind =
      encrypt_with(output_check::none, text, other_letter_at(0), true);
  EXPECT_FALSE(blind.output == right);
}

TEST(AgeAudit, LetsThroughWhatNobodyLooksAt) {
  const bytes text = sample(megabyte);
  const run_result r = encrypt_with(output_check::none, text, one_bit_at(100));
  ASSERT_TRUE(r.end.ok());
  EXPECT_EQ(r.resubmitted, 0);
  EXPECT_FALSE(r.output == encrypted(text.size(), false));
}

}  // namespace
}  // namespace nexus
