#include "reasons.hpp"
#include "store_fixture.hpp"

namespace nexus::queue {
namespace {

class Dependencies : public store_fixture {
 protected:
  std::string why(const job& which) {
    queue_facts facts;
    facts.unmet = *jobs_->unmet_dependencies();
    return reason_of(which, facts).text;
  }
  bool waits(const job& which) {
    return jobs_->unmet_dependencies()->contains(which.number);
  }
};

TEST_F(Dependencies, AnUnknownJobIsAnErrorAndNothingIsAdded) {
  job_request request;
  request.command = "b";
  request.after = {{"zzz"}};
  const auto added = jobs_->add(request);
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().message(), "there is no job zzz");
  EXPECT_EQ(queue(), "");
}

TEST_F(Dependencies, OneThatCannotComeTrueAnyMoreIsAnError) {
  const job failed = end(add("a"), job_state::failed);
  const job done = end(add("b"), job_state::completed);
  const job removed = add("c");
  ASSERT_TRUE(*jobs_->remove(removed));
  job_request request;
  request.command = "d";
  for (const dependency& lost :
       {dependency{failed.id}, dependency{done.id, condition::failure},
        dependency{removed.id}, dependency{removed.id, condition::failure}}) {
    request.after = {lost};
    const auto added = jobs_->add(request);
    ASSERT_FALSE(added.ok());
    EXPECT_NE(added.error().message().find("would never run"),
              std::string::npos);
  }
  for (const dependency& met :
       {dependency{done.id}, dependency{failed.id, condition::failure},
        dependency{failed.id, condition::any},
        dependency{removed.id, condition::any}}) {
    EXPECT_FALSE(waits(add_after("e", {met})));
  }
}

TEST_F(Dependencies, AJobWaitsUntilAllOfThemCame) {
  const job first = add("a");
  const job second = add("b");
  const job last = add_after("c", {{first.id}, {second.id, condition::any}});
  EXPECT_EQ(why(last), "waits for job " + first.id + " to complete, job " +
                           second.id + " to end");
  end(first, job_state::completed);
  EXPECT_EQ(why(last), "waits for job " + second.id + " to end");
  end(second, job_state::failed);
  EXPECT_FALSE(waits(last));
  EXPECT_EQ(now(last).state, job_state::queued);
}

TEST_F(Dependencies, AFailureCancelsAllThatHangOnIt) {
  const job first = add("a");
  const job second = add_after("b", {{first.id}});
  const job third = add_after("c", {{second.id}});
  const job cleanup = add_after("d", {{first.id, condition::failure}});
  const job other = add_after("e", {{third.id, condition::any}});
  end(first, job_state::failed);
  EXPECT_EQ(now(second).state, job_state::failed);
  EXPECT_EQ(now(second).error, "job " + first.id + " failed");
  EXPECT_FALSE(now(second).started);
  EXPECT_EQ(now(third).error, "job " + second.id + " failed");
  EXPECT_EQ(queue(), "d;e;");
  EXPECT_FALSE(waits(cleanup));
  EXPECT_FALSE(waits(other));
  EXPECT_EQ(jobs_->counts()->queued, 2);
}

TEST_F(Dependencies, KilledIsFailedAndRemovedIsNeither) {
  const job killed = add("a");
  const job after_killed = add_after("b", {{killed.id}});
  const job cleanup = add_after("c", {{killed.id, condition::failure}});
  end(killed, job_state::killed);
  EXPECT_EQ(now(after_killed).error, "job " + killed.id + " was killed");
  EXPECT_FALSE(waits(cleanup));
  const job removed = add("d");
  const job after_removed = add_after("e", {{removed.id}});
  const job never = add_after("f", {{removed.id, condition::failure}});
  const job any = add_after("g", {{removed.id, condition::any}});
  ASSERT_TRUE(*jobs_->remove(removed));
  EXPECT_EQ(now(after_removed).error, "job " + removed.id + " was removed");
  EXPECT_EQ(now(never).state, job_state::failed);
  EXPECT_FALSE(waits(any));
}

TEST_F(Dependencies, AFailureThatWillBeTriedAgainIsNoneYet) {
  const job first = add("a", 0, 1);
  const job second = add_after("b", {{first.id}});
  end(first, job_state::failed);
  EXPECT_TRUE(waits(second));
  end(now(first), job_state::completed);
  EXPECT_FALSE(waits(second));
  const job again = add("c", 0, 1);
  const job last = add_after("d", {{again.id}});
  end(again, job_state::failed);
  end(now(again), job_state::failed);
  EXPECT_EQ(now(last).state, job_state::failed);
}

TEST_F(Dependencies, LinesTakenOutOfJobsTxtCancelToo) {
  const job first = add("a");
  const job second = add_after("b", {{first.id}});
  ASSERT_TRUE(sync().failure.ok());
  std::string text = file();
  const std::string line = "a  # id: " + first.id + "\n";
  text.erase(text.find(line), line.size());
  put(text);
  ASSERT_TRUE(sync().failure.ok());
  EXPECT_EQ(now(second).state, job_state::failed);
  EXPECT_EQ(file().find("# id: " + second.id), std::string::npos);
}

TEST_F(Dependencies, EveryEndIsNotedOnce) {
  const job first = add("a");
  const job second = add_after("b", {{first.id}});
  ASSERT_TRUE(*jobs_->remove(add("c")));
  end(first, job_state::failed);
  const auto noted = jobs_->endings();
  ASSERT_EQ(noted->size(), 2u);
  EXPECT_EQ((*noted)[0].which.id, first.id);
  EXPECT_EQ((*noted)[1].which.id, second.id);
  EXPECT_TRUE(jobs_->settle((*noted)[0], {}).ok());
  EXPECT_EQ(jobs_->endings()->size(), 1u);
}

}  // namespace
}  // namespace nexus::queue
