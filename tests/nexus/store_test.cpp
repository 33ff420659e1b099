#include "store_fixture.hpp"

namespace nexus::queue {
namespace {

class Store : public store_fixture {};

TEST_F(Store, RefusesMovesFromAnotherState) {
  const job which = add("a");
  EXPECT_FALSE(*jobs_->run(which, {}, 1, 1, ""));
  EXPECT_FALSE(*jobs_->finish(which, {}));
  EXPECT_FALSE(*jobs_->requeue(which));
  EXPECT_FALSE(*jobs_->request_kill(which));
  ASSERT_TRUE(*jobs_->assign(which, {{"GPU-a", "0"}}));
  EXPECT_FALSE(*jobs_->assign(which, {{"GPU-b", "1"}}));
  EXPECT_FALSE(*jobs_->remove(which));
  EXPECT_FALSE(*jobs_->rewrite(which, "b"));
  EXPECT_EQ(now(which).state, job_state::starting);
}

TEST_F(Store, ALauncherThatComesLateIsTurnedAway) {
  const job which = add("a");
  ASSERT_TRUE(*jobs_->assign(which, {{"GPU-a", "0"}}));
  const job first = now(which);
  ASSERT_TRUE(*jobs_->requeue(first));
  EXPECT_FALSE(*jobs_->run(first, {}, 1, 1, ""));
  ASSERT_TRUE(*jobs_->assign(which, {{"GPU-a", "0"}}));
  EXPECT_FALSE(*jobs_->run(first, {}, 1, 1, ""));
  EXPECT_FALSE(*jobs_->finish(first, {}));
  EXPECT_TRUE(*jobs_->run(now(which), {}, 1, 1, ""));
}

TEST_F(Store, AGpuIsGivenToOneJobOnly) {
  const job first = add("a");
  const job second = add("b");
  ASSERT_TRUE(*jobs_->assign(first, {{"GPU-a", "0"}}));
  EXPECT_FALSE(jobs_->assign(second, {{"GPU-a", "0"}}).ok());
  EXPECT_EQ(now(second).state, job_state::queued);
  EXPECT_TRUE(*jobs_->finish(now(first), {job_state::completed, 0, ""}));
  EXPECT_TRUE(*jobs_->assign(second, {{"GPU-a", "0"}}));
}

TEST_F(Store, AnEndIsKeptOnceAndForAll) {
  const job which = start(add("a"));
  ASSERT_TRUE(*jobs_->finish(which, {job_state::failed, 3, "why"}));
  EXPECT_FALSE(*jobs_->finish(which, {job_state::completed, 0, ""}));
  const job ended = now(which);
  EXPECT_EQ(ended.state, job_state::failed);
  EXPECT_EQ(ended.exit_status, 3);
  EXPECT_EQ(ended.error, "why");
  EXPECT_TRUE(jobs_->claims()->empty());
}

TEST_F(Store, AFailedJobIsRunAgainAsOftenAsAsked) {
  job which = add("a", 0, 2);
  for (int i = 0; i < 2; ++i) {
    which = start(which);
    ASSERT_TRUE(*jobs_->finish(which, {job_state::failed, 1, ""}));
    EXPECT_EQ(now(which).state, job_state::queued);
  }
  which = start(which);
  ASSERT_TRUE(*jobs_->finish(which, {job_state::failed, 1, ""}));
  EXPECT_EQ(now(which).state, job_state::failed);
}

TEST_F(Store, AKilledJobIsNotRunAgain) {
  const job which = start(add("a", 0, 2));
  ASSERT_TRUE(*jobs_->finish(which, {job_state::killed, 143, ""}));
  EXPECT_EQ(now(which).state, job_state::killed);
}

TEST_F(Store, TheQueueIsInOrderOfPriorityThenOfAdding) {
  add("a");
  add("b");
  add("c", 5);
  add("d", -1);
  EXPECT_EQ(queue(), "c;a;b;d;");
}

TEST_F(Store, CountsFollowEveryMove) {
  const job first = start(add("a"));
  add("b");
  EXPECT_TRUE(*jobs_->remove(add("c")));
  auto counts = *jobs_->counts();
  EXPECT_EQ(counts.queued, 1);
  EXPECT_EQ(counts.active, 1);
  EXPECT_EQ(counts.finished, 0);
  EXPECT_TRUE(*jobs_->finish(first, {job_state::completed, 0, ""}));
  counts = *jobs_->counts();
  EXPECT_EQ(counts.active, 0);
  EXPECT_EQ(counts.finished, 1);
}

TEST_F(Store, KeepsAllOfItOverAReopening) {
  const job which = start(add("a"));
  auto again = store::open(where_.database());
  ASSERT_TRUE(again.ok());
  const auto found = again->find(which.id);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->state, job_state::running);
  EXPECT_EQ(found->launcher.start_time, identify(::getpid()).start_time);
  EXPECT_EQ(*again->environment_of(*found), std::string("A=1\0", 4));
  EXPECT_FALSE(again->find("zzz").ok());
}

TEST_F(Store, RefusesRubbishAndLaterVersions) {
  EXPECT_TRUE(
      replace_file(where_.root / "bad.db", std::string(4096, 'x')).ok());
  EXPECT_FALSE(store::open(where_.root / "bad.db").ok());
  EXPECT_TRUE(jobs_->data().execute("PRAGMA user_version = 99").ok());
  EXPECT_FALSE(store::open(where_.database()).ok());
}

TEST_F(Store, EditedLinesAddChangeRemoveAndReorder) {
  add("a");
  const job b = add("b");
  const job c = add("c");
  ASSERT_TRUE(sync().failure.ok());
  put("# jobs up to number 3\nnew\nc2  # id: " + c.id + "\nb  # id: " + b.id +
      "\n");
  const auto report = sync();
  ASSERT_TRUE(report.failure.ok());
  EXPECT_EQ(report.messages.size(), 3u);
  EXPECT_EQ(queue(), "new;c2;b;");
  add("last");
  EXPECT_EQ(queue(), "new;c2;b;last;");
}

TEST_F(Store, AJobAddedWhileTheEditorWasOpenIsNotRemoved) {
  add("a");
  ASSERT_TRUE(sync().failure.ok());
  const std::string opened = file();
  add("b");
  ASSERT_TRUE(sync().failure.ok());
  put(opened + "c\n");
  ASSERT_TRUE(sync().failure.ok());
  EXPECT_EQ(queue(), "a;b;c;");
}

TEST_F(Store, RubbishInJobsTxtCostsNothing) {
  const job which = add("a");
  ASSERT_TRUE(sync().failure.ok());
  put(std::string("\x00\xff\n", 3) + "good\nx # id: zzz\n");
  const auto report = sync();
  EXPECT_EQ(report.problems, 2u);
  EXPECT_EQ(queue(), "a;good;");
  EXPECT_EQ(*read_file(where_.root / "jobs.txt.rejected"),
            std::string("\x00\xff\n", 3));
  EXPECT_NE(file().find("a  # id: " + which.id), std::string::npos);
}

TEST_F(Store, ACrashBeforeTheFileIsWrittenAddsNothingTwice) {
  ASSERT_TRUE(sync().failure.ok());
  put(file() + "new\n");
  const std::string edited = file();
  ASSERT_TRUE(sync().failure.ok());
  // As if the store had been changed, but the file not yet.
  put(edited);
  EXPECT_TRUE(jobs_->set_word("jobs_file_read", edited).ok());
  ASSERT_TRUE(sync().failure.ok());
  EXPECT_EQ(queue(), "new;");
}

}  // namespace
}  // namespace nexus::queue
