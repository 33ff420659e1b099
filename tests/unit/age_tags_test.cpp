// Decryption over a device that computes tags and compares none: what comes out
// has to be the same, to the last message, as over one that compares.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "ops/age_stream.hpp"
#include "support/age_files.hpp"

namespace nexus {
namespace {

using namespace test;

constexpr std::size_t payload_at = 168 + 16;
constexpr std::size_t sealed_chunk = 65552;

// Over both devices, with segments of this many bytes.
void expect_same(const bytes& file, std::uint64_t segment,
                 const std::string& what) {
  SCOPED_TRACE(what + ", segments of " + std::to_string(segment));
  run_settings settings = in_segments(segment);
  const run_result compared = decrypt(file, settings);
  settings.leaves_tags = true;
  const run_result left = decrypt(file, settings);
  EXPECT_EQ(left.end.message(), compared.end.message());
  EXPECT_EQ(left.end.code(), compared.end.code());
  EXPECT_TRUE(left.output == compared.output)
      << left.output.size() << " and " << compared.output.size();
  EXPECT_EQ(left.resubmitted, 0);
}

void expect_same_everywhere(const bytes& file, const std::string& what) {
  for (const std::uint64_t segment : {65552u, 3u * 65552, 20u * 65552})
    expect_same(file, segment, what);
}

TEST(AgeTags, ABitThatFlippedAnywhereIsFoundAtItsChunk) {
  const bytes file = encrypted(5 * 65536 + 100, false);
  for (std::size_t chunk = 0; chunk < 6; ++chunk) {
    const std::size_t begin = payload_at + chunk * sealed_chunk;
    const std::size_t end = std::min(begin + sealed_chunk, file.size());
    for (const std::size_t at : {begin, begin + 60, end - 16, end - 1}) {
      bytes bad = file;
      bad[at] ^= std::byte{1};
      run_settings settings = in_segments(4 * 65552);
      settings.leaves_tags = true;
      const run_result r = decrypt(bad, settings);
      EXPECT_EQ(r.end.code(), status_code::invalid_data);
      EXPECT_NE(r.end.message().find("chunk " + std::to_string(chunk) +
                                     " does not authenticate"),
                std::string::npos)
          << r.end.message();
      EXPECT_EQ(r.output.size(), chunk * 65536);
      expect_same_everywhere(bad, "flipped at " + std::to_string(at));
    }
  }
}

TEST(AgeTags, CutAndLengthenedStreamsFailAsEver) {
  for (const std::size_t n : {0u, 1u, 65536u, 2u * 65536, 3u * 65536 + 7}) {
    const bytes file = encrypted(n, false);
    for (const std::size_t cut : {1u, 15u, 16u, 17u, 65535u, 65552u}) {
      if (file.size() < payload_at + cut) continue;
      bytes shorter = file;
      shorter.resize(file.size() - cut);
      expect_same_everywhere(shorter, "cut by " + std::to_string(cut));
    }
    for (const std::size_t more : {1u, 15u, 16u, 17u, 65551u, 65552u, 65553u}) {
      bytes longer = file;
      longer.resize(file.size() + more, std::byte{0x77});
      expect_same_everywhere(longer, "lengthened by " + std::to_string(more));
    }
  }
}

TEST(AgeTags, ChunksThatChangedPlacesFailAsEver) {
  bytes file = encrypted(4 * 65536, false);
  std::swap_ranges(file.begin() + payload_at,
                   file.begin() + payload_at + sealed_chunk,
                   file.begin() + payload_at + 2 * sealed_chunk);
  expect_same_everywhere(file, "swapped");
}

TEST(AgeTags, EveryLengthOpens) {
  for (const std::size_t n :
       {0u, 1u, 65535u, 65536u, 65537u, 3u * 65536, 200001u}) {
    run_settings settings = in_segments(2 * 65552);
    settings.leaves_tags = true;
    const run_result r = decrypt(encrypted(n, false), settings);
    EXPECT_TRUE(r.end.ok()) << r.end.message();
    EXPECT_TRUE(r.output == sample(n)) << n;
    const run_result armored = decrypt(encrypted(n, true), settings);
    EXPECT_TRUE(armored.end.ok()) << armored.end.message();
    EXPECT_TRUE(armored.output == sample(n)) << n;
  }
}

// Memory that went wrong on a card, or a defect: another device gets it.
TEST(AgeTags, ADeviceThatComputedWrongIsNotBelieved) {
  const bytes file = encrypted(200001, false);
  std::vector<std::byte> spoilt;
  using lie = std::function<void(job_outcome&)>;
  const std::vector<lie> lies = {
      [&](job_outcome& o) {
        spoilt.assign(o.tags.begin(), o.tags.end());
        spoilt[spoilt.size() - 1] ^= std::byte{1};
        o.tags = spoilt;
      },
      [](job_outcome& o) { o.tags = o.tags.first(o.tags.size() - 16); },
      [](job_outcome& o) { o.tags = {}; },
      [](job_outcome& o) { o.output_bytes -= 1; },
      [](job_outcome& o) { o.data_error = true; },
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE(i);
    run_settings settings = in_segments(2 * 65552);
    settings.leaves_tags = true;
    settings.tamper = [&](const segment_view&, int attempt, job_outcome& o) {
      if (attempt == 0) lies[i](o);
    };
    const run_result r = decrypt(file, settings);
    EXPECT_TRUE(r.end.ok()) << r.end.message();
    EXPECT_TRUE(r.output == sample(200001));
    EXPECT_EQ(r.resubmitted, 2);
  }
}

TEST(AgeTags, TagsThatAreRightForAnotherFlagAreOpenedHere) {
  // A full final chunk that the device took for one in the middle.
  const bytes file = encrypted(2 * 65536, false);
  bytes longer = file;
  longer.resize(file.size() + sealed_chunk, std::byte{1});
  run_settings settings = in_segments(3 * 65552);
  settings.leaves_tags = true;
  const run_result r = decrypt(longer, settings);
  EXPECT_NE(r.end.message().find("data after the final chunk"),
            std::string::npos)
      << r.end.message();
  EXPECT_TRUE(r.output == sample(2 * 65536)) << "opened under the wrong flag";
}

TEST(AgeTags, JobsGiveRoomForTagsOfTheirOwnChunksAlone) {
  const age_opener opener;
  const payload_key key;
  const bytes input(2 * sealed_chunk + 17);
  const auto room = [&](std::uint64_t offset, std::size_t size) {
    const segment_view segment{0,    0,    offset, byte_view(input).first(size),
                               true, false};
    return opener.make_job(segment, key).tags_bytes;
  };
  EXPECT_EQ(room(0, 0), 0u);
  EXPECT_EQ(room(0, 15), 0u);
  EXPECT_EQ(room(0, 16), 16u);
  EXPECT_EQ(room(sealed_chunk, 16), 0u);
  EXPECT_EQ(room(sealed_chunk, 17), 16u);
  EXPECT_EQ(room(0, sealed_chunk), 16u);
  EXPECT_EQ(room(0, 2 * sealed_chunk), 32u);
  EXPECT_EQ(room(0, 2 * sealed_chunk + 16), 32u);
  EXPECT_EQ(room(0, 2 * sealed_chunk + 17), 48u);
}

}  // namespace
}  // namespace nexus
