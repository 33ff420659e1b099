#include "listen_address.hpp"

#include <gtest/gtest.h>

namespace nexus::tool {
namespace {

std::string text_of(std::string_view given) {
  const auto parsed = parse_listen_address(given);
  return parsed ? parsed->text() : "refused: " + parsed.error().message();
}

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const char* given :
       {"", ":", "x", "1.2.3.4", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536",
        "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1", "1.2.3:1", "host:1",
        "[1.2.3.4]:1", "::1:1", "[::1]", "[]:1", "[::1:1", "1:2:3",
        "99999999999999999999"}) {
    EXPECT_TRUE(text_of(given).starts_with("refused: \"")) << given;
  }
}

TEST(ListenAddress, IsOnTheLoopbackUnlessItSaysOtherwise) {
  EXPECT_EQ(text_of("9464"), "127.0.0.1:9464");
  EXPECT_EQ(text_of(":9464"), "127.0.0.1:9464");
  EXPECT_EQ(text_of("localhost:9464"), "127.0.0.1:9464");
  EXPECT_EQ(text_of("0"), "127.0.0.1:0");
  EXPECT_EQ(text_of("0.0.0.0:65535"), "0.0.0.0:65535");
  EXPECT_EQ(text_of("[::1]:1"), "[::1]:1");
  EXPECT_TRUE(parse_listen_address("9464")->is_loopback());
  EXPECT_TRUE(parse_listen_address("127.3.2.1:1")->is_loopback());
  EXPECT_TRUE(parse_listen_address("[::1]:1")->is_loopback());
  EXPECT_FALSE(parse_listen_address("0.0.0.0:1")->is_loopback());
  EXPECT_FALSE(parse_listen_address("[::]:1")->is_loopback());
}

TEST(ListenAddress, IsToldFromAFile) {
  for (const char* given : {"1", ":1", "a:b", "[::1]:1", "metrics:"})
    EXPECT_TRUE(looks_like_address(given)) << given;
  for (const char* given : {"metrics", "./1", "/tmp/a:1", "run.prom", "1.prom"})
    EXPECT_FALSE(looks_like_address(given)) << given;
}

}  // namespace
}  // namespace nexus::tool
