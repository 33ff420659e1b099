#include "ids.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nexus::queue {
namespace {

TEST(Ids, WordsOfDigitsAreGpusAndNoIds) {
  EXPECT_FALSE(is_id("111"));
  EXPECT_FALSE(is_id("123456"));
  EXPECT_TRUE(is_gpu_index("0"));
  EXPECT_TRUE(is_gpu_index("15"));
  EXPECT_FALSE(is_gpu_index("1a"));
  EXPECT_FALSE(is_gpu_index(""));
}

TEST(Ids, RefusesWhatIsNoBase58) {
  for (const char* word : {"", "ab", "ab0", "abO", "abI", "abl", "a b", "abc!",
                           "../", "abcdefghijkmn"}) {
    EXPECT_FALSE(is_id(word)) << word;
  }
  EXPECT_TRUE(is_id("abc"));
  EXPECT_TRUE(is_id("1a1"));
}

TEST(Ids, GrowBeforeTheyRunOut) {
  EXPECT_EQ(id_length(0), 3u);
  EXPECT_EQ(id_length(12000), 3u);
  EXPECT_EQ(id_length(12193), 3u);
  EXPECT_EQ(id_length(12194), 4u);
  EXPECT_EQ(id_length(1000000), 5u);
}

TEST(Ids, AreNeverTakenTwice) {
  std::set<std::string> made;
  for (std::size_t i = 0; i < 20000; ++i) {
    const std::string id = make_id(
        i, [&](const std::string& word) { return made.contains(word); });
    EXPECT_TRUE(is_id(id)) << id;
    EXPECT_TRUE(made.insert(id).second) << id;
  }
}

}  // namespace
}  // namespace nexus::queue
