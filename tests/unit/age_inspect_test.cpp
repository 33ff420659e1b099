#include <gtest/gtest.h>

#include <algorithm>
#include <nexus/age.hpp>
#include <string>
#include <vector>

#include "support/age_files.hpp"

namespace nexus {
namespace {

using namespace test;

// Reads file in pieces of this size at most.
result<age::description> inspect(byte_view file, std::size_t piece = 1000) {
  return age::inspect(
      [file, piece](std::span<std::byte> out) mutable -> result<std::size_t> {
        const std::size_t n = std::min({piece, file.size(), out.size()});
        std::copy_n(file.begin(), n, out.begin());
        file = file.subspan(n);
        return n;
      });
}

TEST(AgeInspect, RefusesWhatCannotBeAWholeFile) {
  const bytes binary = encrypted(65536, false);
  const std::vector<std::size_t> cut = {0, 1, 21, 167, 168, 183, 184, 199};
  for (const std::size_t n : cut) {
    const auto r = inspect(byte_view(binary).first(n));
    EXPECT_EQ(r.error().code(), status_code::invalid_data) << n;
  }
  EXPECT_EQ(inspect(byte_view(binary).first(190)).error().message(),
            "payload: no plaintext takes 6 bytes: truncated or corrupt");
  bytes longer = binary;
  longer.resize(longer.size() + 16);  // an empty chunk after a full one
  EXPECT_FALSE(inspect(longer).ok());
}

TEST(AgeInspect, RefusesArmorThatIsWrongAnywhere) {
  const std::vector<std::string> good = lines_of(encrypted(70000, true));
  for (const std::size_t at : {0ul, 1ul, 5ul, 800ul, good.size() - 1}) {
    std::vector<std::string> lines = good;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
    if (at == 0 || at == good.size() - 1) {
      EXPECT_EQ(inspect(joined(lines)).error().code(),
                status_code::invalid_data);
    }
    lines = good;
    lines[at][7] = '*';
    for (const std::size_t piece : {1u, 66u, 1u << 20}) {
      EXPECT_EQ(inspect(joined(lines), piece).error().code(),
                status_code::invalid_data);
    }
  }
  // A file so short that one piece holds it.
  std::vector<std::string> lines = lines_of(encrypted(3, true));
  lines.pop_back();
  EXPECT_FALSE(inspect(joined(lines)).ok());
}

TEST(AgeInspect, PassesOnWhatReadingSays) {
  const bytes file = encrypted(10, true);
  int calls = 0;
  const auto r =
      age::inspect([&](std::span<std::byte> out) -> result<std::size_t> {
        if (calls++ != 0) return status(status_code::io_error, "gone");
        std::copy_n(file.begin(), 100, out.begin());
        return std::size_t{100};
      });
  EXPECT_EQ(r.error().code(), status_code::io_error);
  const auto wild = age::inspect([](std::span<std::byte> out) {
    return result<std::size_t>(out.size() + 1);
  });
  EXPECT_EQ(wild.error().code(), status_code::invalid_argument);
}

TEST(AgeInspect, TellsSizesThatAddUp) {
  for (const std::size_t n : {0u, 1u, 65535u, 65536u, 65537u, 200001u}) {
    for (const bool armor : {false, true}) {
      const bytes file = encrypted(n, armor);
      const std::uint64_t chunks = n == 0 ? 1 : (n + 65535) / 65536;
      for (const std::size_t piece : {1u, 1000u, 1u << 20}) {
        const auto r = inspect(file, piece);
        ASSERT_TRUE(r.ok()) << r.error().message();
        EXPECT_EQ(r->armored, armor);
        EXPECT_EQ(r->stanza_types, std::vector<std::string>{"X25519"});
        EXPECT_EQ(r->header_bytes, 168u);
        EXPECT_EQ(r->payload_bytes, n);
        EXPECT_EQ(r->overhead_bytes, 16 + 16 * chunks);
        EXPECT_EQ(r->header_bytes + r->armor_bytes + r->overhead_bytes + n,
                  file.size());
        EXPECT_EQ(r->armor_bytes != 0, armor);
      }
    }
  }
}

}  // namespace
}  // namespace nexus
