#include "metrics_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nexus::tool {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t limit = 200;

http_page page_of(const std::string& path) {
  if (path == "/a") return {200, "text/x", "body of a"};
  return {404, "text/x", "none"};
}

std::string answer(const std::string& request) {
  return answer_request(request, limit, page_of);
}

TEST(AnswerRequest, WaitsForTheWholeHead) {
  EXPECT_EQ(answer(""), "");
  EXPECT_EQ(answer("GET /a HTTP/1.1\r\nHost: x\r\n"), "");
  EXPECT_THAT(answer("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer("GET /a HTTP/1.0\n\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(AnswerRequest, RefusesWhatIsTooLong) {
  EXPECT_EQ(answer(std::string(limit - 1, 'x')), "");
  EXPECT_THAT(answer(std::string(limit, 'x')), StartsWith("HTTP/1.1 431 "));
}

TEST(AnswerRequest, RefusesWhatIsNoRequest) {
  for (const char* request :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /a\r\n\r\n", "GET /a FTP/1.1\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n", "\n\n"})
    EXPECT_THAT(answer(request), StartsWith("HTTP/1.1 400 ")) << request;
  const std::string posted = answer("POST /a HTTP/1.1\r\n\r\n");
  EXPECT_THAT(posted, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(posted, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
}

TEST(AnswerRequest, AnswersWithThePage) {
  const std::string got = answer("GET /a?x=1 HTTP/1.1\r\n\r\n");
  EXPECT_THAT(got, HasSubstr("\r\nContent-Type: text/x\r\n"));
  EXPECT_THAT(got, HasSubstr("\r\nContent-Length: 9\r\n"));
  EXPECT_THAT(got, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(got, EndsWith("\r\n\r\nbody of a"));
  EXPECT_THAT(answer("HEAD /a HTTP/1.1\r\n\r\n"),
              EndsWith("\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(answer("GET /b HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST(MetricsServer, SaysWhichPortItGotAndThatOneIsTaken) {
  const auto first = metrics_server::start({}, page_of);
  ASSERT_TRUE(first.ok());
  const listen_address at = (*first)->address();
  EXPECT_GT(at.port, 0);
  const auto second = metrics_server::start(at, page_of);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), status_code::io_error);
  EXPECT_EQ(second.error().message(),
            "cannot listen at " + at.text() + ": Address already in use");
}

}  // namespace
}  // namespace nexus::tool
