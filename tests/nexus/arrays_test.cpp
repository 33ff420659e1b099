#include "arrays.hpp"

#include <gmock/gmock.h>

namespace nexus::queue {
namespace {

using testing::ElementsAre;

TEST(Arrays, RefuseWhatIsNoRange) {
  for (const char* text :
       {"", ",", "1,", "a", "-1", "1-", "3-1", "1-2-3", "1-5:0", "1-5:", "5:1",
        "1 -2", "1.5", "9999999999", "99999999999999999999", "1;2"}) {
    const auto parsed = parse_array(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().message().find("is no range"), std::string::npos);
  }
}

TEST(Arrays, RefuseANumberTwiceAndTooMany) {
  EXPECT_EQ(parse_array("1-3,2").error().message(), "2 is twice in the array");
  EXPECT_EQ(parse_array("0-9999")->size(), 10000u);
  for (const char* text : {"0-10000", "0-9999,20000", "0-1000000000"}) {
    EXPECT_EQ(parse_array(text).error().message(),
              "an array has 10000 jobs at most")
        << text;
  }
}

TEST(Arrays, AreRangesListsAndSteps) {
  EXPECT_THAT(*parse_array("0-3"), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(*parse_array("1,3,5-7"), ElementsAre(1, 3, 5, 6, 7));
  EXPECT_THAT(*parse_array("0-100:40,7"), ElementsAre(0, 40, 80, 7));
  EXPECT_THAT(*parse_array("5-5"), ElementsAre(5));
}

TEST(Arrays, EveryGapIsFilled) {
  EXPECT_EQ(fill_in("a {} {}{}", 12), "a 12 1212");
  EXPECT_EQ(fill_in("{ }", 1), "{ }");
  EXPECT_TRUE(has_gap("x{}"));
  EXPECT_FALSE(has_gap("{x}"));
}

TEST(Memory, IsInUnits) {
  EXPECT_EQ(*parse_memory("10G"), 10240);
  EXPECT_EQ(*parse_memory("10GiB"), 10240);
  EXPECT_EQ(*parse_memory("800MB"), 800);
  EXPECT_EQ(*parse_memory("1T"), 1048576);
  for (const char* text : {"", "G", "10", "0G", "-1G", "1.5G", "10Gx", "10 G",
                           "9999999999G", "1025T"}) {
    EXPECT_FALSE(parse_memory(text).ok()) << text;
  }
}

}  // namespace
}  // namespace nexus::queue
