#include "hwinfo/size.hpp"

#include <gtest/gtest.h>

#include <nexus/hardware.hpp>
#include <string>

namespace nexus {
namespace {

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text :
       {"",       " ",   "0",    "0K",    "0.0G", "-1",      "+1",   "1 ",
        " 1",     "1 K", "K",    ".5G",   "5.G",  "1.5",     "1.0",  "1..5K",
        "1.5.2K", "1x",  "1KK",  "1KiBs", "1Ki",  "1iB",     "64B",  "1P",
        "128m",   "1e3", "0x10", "1,5G",  "nan",  "0.0001K", "\xff", "1\n"}) {
    const auto parsed = parse_size(text);
    EXPECT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code(), status_code::invalid_argument) << text;
  }
  EXPECT_FALSE(parse_size(std::string_view("1\0", 2)).ok());
}

TEST(ParseSize, RefusesWhatDoesNotFitIn64Bits) {
  EXPECT_FALSE(parse_size("18446744073709551616").ok());
  EXPECT_FALSE(parse_size("16777216T").ok());
  EXPECT_FALSE(parse_size("16777217T").ok());
  EXPECT_FALSE(parse_size("99999999999999999999T").ok());
  EXPECT_EQ(parse_size("18446744073709551615").value(), UINT64_MAX);
  EXPECT_EQ(parse_size("16777215.999999999999T").value(), UINT64_MAX - 1);
}

TEST(ParseSize, TheMessageIsOnePrintableLine) {
  const status bad = parse_size("1\n2\x1b" + std::string(500, 'x')).error();
  EXPECT_EQ(bad.message(),
            "'1?2?" + std::string(36, 'x') + "' is not a size in bytes");
  EXPECT_FALSE(bad.hint().empty());
}

TEST(ParseSize, ReadsPlainBytes) {
  EXPECT_EQ(parse_size("1").value(), 1u);
  EXPECT_EQ(parse_size("65536").value(), 65536u);
  EXPECT_EQ(parse_size("007").value(), 7u);
}

TEST(ParseSize, SuffixesArePowersOf1024) {
  std::uint64_t unit = 1024;
  for (const std::string letter : {"K", "M", "G", "T"}) {
    for (const char* tail : {"", "B", "iB"}) {
      EXPECT_EQ(parse_size("3" + letter + tail).value(), 3 * unit)
          << letter << tail;
    }
    unit *= 1024;
  }
  EXPECT_EQ(parse_size("128M").value(), 134217728u);
}

TEST(ParseSize, PartsAreExactAndRoundDown) {
  EXPECT_EQ(parse_size("1.5GiB").value(), 1610612736u);
  EXPECT_EQ(parse_size("0.5K").value(), 512u);
  EXPECT_EQ(parse_size("0.3K").value(), 307u);  // 307.2
  EXPECT_EQ(parse_size("0.9999999999999999999999999999K").value(), 1023u);
  EXPECT_EQ(parse_size("0.000000000001T").value(), 1u);  // 1.0995
}

TEST(SizeText, OneDecimalAtMostAndNeverRoundedUp) {
  using hwinfo::size_text;
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text((1u << 20) - 1), "1023.9 KiB");
  EXPECT_EQ(size_text(std::uint64_t{8} << 30), "8 GiB");
  EXPECT_EQ(size_text(UINT64_MAX), "16777215.9 TiB");
}

}  // namespace
}  // namespace nexus
