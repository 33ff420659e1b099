#include "notices.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "store_fixture.hpp"
#include "webhook.hpp"

namespace nexus::queue {
namespace {

using testing::Contains;

// From the reference libraries of Standard Webhooks.
constexpr const char* secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

TEST(Webhook, SecretsThatAreNoneAreRefused) {
  for (const char* text :
       {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqr",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_====", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa?w"}) {
    EXPECT_FALSE(decode_secret(text).ok()) << text;
  }
  const std::string long_one(92, 'A');
  EXPECT_FALSE(decode_secret("whsec_" + long_one).ok());
  EXPECT_EQ(decode_secret(secret)->size(), 24u);
  EXPECT_EQ(decode_secret("whsec_" + std::string(31, 'A') + "AAA==")->size(),
            25u);
}

TEST(Webhook, SignsAsTheReferenceDoes) {
  EXPECT_EQ(sign(*decode_secret(secret), "msg_p5jXN8AQM9LWM0D4loKWxJek",
                 1614265330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

class Notices : public store_fixture {
 protected:
  Notices() {
    values_.notify.command = "x";
    values_.notify.webhook = "http://x";
    ended_.id = "abc";
    ended_.state = job_state::completed;
  }
  std::size_t count(job_state state, notify_on on,
                    notify_on own = notify_on::configured) {
    ended_.state = state;
    ended_.asked.notify = own;
    values_.notify.on = on;
    return notices_of(ended_, values_).size();
  }
  job ended_;
};

TEST_F(Notices, TheJobsOwnWishComesFirst) {
  EXPECT_EQ(count(job_state::completed, notify_on::finished), 2u);
  EXPECT_EQ(count(job_state::completed, notify_on::failed), 0u);
  EXPECT_EQ(count(job_state::failed, notify_on::failed), 2u);
  EXPECT_EQ(count(job_state::killed, notify_on::failed), 0u);
  EXPECT_EQ(count(job_state::failed, notify_on::never), 0u);
  EXPECT_EQ(count(job_state::completed, notify_on::never, notify_on::finished),
            2u);
  EXPECT_EQ(count(job_state::failed, notify_on::finished, notify_on::never),
            0u);
}

TEST_F(Notices, NothingIsMadeForWaysThatAreNotConfigured) {
  values_.notify.command.clear();
  const auto made = notices_of(ended_, values_);
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].by, channel::webhook);
  values_.notify.webhook.clear();
  EXPECT_TRUE(notices_of(ended_, values_).empty());
}

TEST_F(Notices, TheBodyIsAsciiAndHasTypeTimeAndJob) {
  ended_.asked.command = "echo \xc3\xa4\xff\n";
  ended_.ended = 1729783815000;
  const auto made = notices_of(ended_, values_);
  for (const char c : made[1].body) EXPECT_TRUE(c >= ' ' && c <= '~');
  const auto body = nlohmann::json::parse(made[1].body);
  EXPECT_EQ(body["type"], "job.completed");
  EXPECT_EQ(body["timestamp"], "2024-10-24T15:30:15Z");
  EXPECT_EQ(body["data"]["id"], "abc");
  EXPECT_NE(made[0].message, made[1].message);
}

TEST_F(Notices, TheCommandIsToldInItsEnvironment) {
  ended_.state = job_state::failed;
  ended_.exit_status = 3;
  ended_.asked.name = "n";
  const auto told = notice_environment(ended_);
  EXPECT_THAT(told, Contains("NEXUS_JOB_ID=abc"));
  EXPECT_THAT(told, Contains("NEXUS_JOB_STATE=failed"));
  EXPECT_THAT(told, Contains("NEXUS_EXIT_STATUS=3"));
  EXPECT_THAT(told, Contains("NEXUS_JOB_NAME=n"));
}

TEST_F(Notices, AreKeptUntilTheyAreStruckOff) {
  end(add("a"), job_state::completed);
  const auto ended = jobs_->endings();
  ASSERT_EQ(ended->size(), 1u);
  ASSERT_TRUE(
      jobs_->settle(ended->front(), notices_of(ended->front().which, values_))
          .ok());
  // Settled twice, it is told once.
  ASSERT_TRUE(
      jobs_->settle(ended->front(), notices_of(ended->front().which, values_))
          .ok());
  EXPECT_TRUE(jobs_->endings()->empty());
  auto again = store::open(where_.database());
  const auto first = again->next_notice(channel::webhook);
  ASSERT_TRUE(first.ok() && *first);
  ASSERT_TRUE(again->put_off(**first, (*first)->due + 1000).ok());
  const auto second = again->next_notice(channel::webhook);
  EXPECT_EQ((*second)->message, (*first)->message);
  EXPECT_EQ((*second)->attempts, 1);
  ASSERT_TRUE(again->strike_off(**second).ok());
  EXPECT_FALSE(*again->next_notice(channel::webhook));
  EXPECT_TRUE(*again->next_notice(channel::command));
}

}  // namespace
}  // namespace nexus::queue
