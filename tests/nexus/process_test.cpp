#include "process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "program.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

// A child that ignores SIGTERM, in a group of its own.
pid_t stubborn_child() {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::signal(SIGTERM, SIG_IGN);
    static_cast<void>(!::write(ends[1], "x", 1));
    for (;;) ::pause();
  }
  char byte;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  ::close(ends[0]);
  ::close(ends[1]);
  return pid;
}

TEST(Process, APidAloneIsNoIdentity) {
  auto self = identify(::getpid());
  EXPECT_TRUE(is_alive(self));
  auto other = self;
  ++other.start_time;
  EXPECT_FALSE(is_alive(other));
  other = self;
  other.boot = "another";
  EXPECT_FALSE(is_alive(other));
  EXPECT_FALSE(is_alive({}));
  EXPECT_EQ(identify(-5).pid, 0);
}

TEST(Process, ADeadChildIsNotAlive) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  const auto child = identify(pid);
  for (int i = 0; i < 1000 && is_alive(child); ++i) ::usleep(1000);
  EXPECT_FALSE(is_alive(child)) << "also before it was waited for";
  ::waitpid(pid, nullptr, 0);
}

TEST(Process, EndingKillsWhatIgnoresTheFirstSignal) {
  const pid_t pid = stubborn_child();
  job_ending ending(pid, "none", "/none", 0, std::chrono::milliseconds(150));
  const auto begin = std::chrono::steady_clock::now();
  while (!ending.step()) ::usleep(5000);
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(150));
  int how = 0;
  ::waitpid(pid, &how, 0);
  EXPECT_TRUE(WIFSIGNALED(how));
  EXPECT_EQ(WTERMSIG(how), SIGKILL);
}

TEST(Process, ProgramsThatHangAreGivenUp) {
  const auto ran = run_program({"sleep", "30"}, std::chrono::milliseconds(100));
  ASSERT_TRUE(ran.ok());
  EXPECT_TRUE(ran->timed_out);
  EXPECT_FALSE(run_program({"/nonexistent/x"}, std::chrono::seconds(1)).ok());
  const auto said = run_program({"echo", "hi"}, std::chrono::seconds(10));
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(said->text, "hi\n");
  EXPECT_EQ(said->exit_status, 0);
}

TEST(Times, DurationsAreReadAndShown) {
  for (const char* word : {"", "0", "-1", "1w", "1.5h", "h", "99999999999d"}) {
    EXPECT_FALSE(parse_duration(word).ok()) << word;
  }
  EXPECT_EQ(*parse_duration("90"), 90);
  EXPECT_EQ(*parse_duration("15m"), 900);
  EXPECT_EQ(*parse_duration("1d"), 86400);
  EXPECT_EQ(show_duration(8100000), "2h 15m");
  EXPECT_EQ(show_duration(12000), "12s");
}

TEST(Program, GetsItsInputAndEnvironment) {
  program asked;
  asked.words = {"sh", "-c", "cat; echo \"$GIVEN\""};
  asked.input = std::string(1 << 20, 'x');
  asked.environment = {"GIVEN=a b"};
  const auto ran = run_program(asked);
  ASSERT_TRUE(ran.ok());
  EXPECT_EQ(ran->exit_status, 0);
  // Of what it says, a megabyte is kept.
  EXPECT_GE(ran->text.size(), std::size_t{1 << 20});
  asked.input = "x";
  EXPECT_EQ(run_program(asked)->text, "xa b\n");
}

TEST(Program, ItsWholeGroupIsEnded) {
  program asked;
  asked.words = {"sh", "-c", "sleep 54321 & sleep 54321; exit 0"};
  asked.limit = std::chrono::milliseconds(200);
  asked.own_group = true;
  asked.keep_output = false;
  const auto ran = run_program(asked);
  EXPECT_TRUE(ran->timed_out);
  // The one in the background is init's to bury.
  const auto until = now_ms() + 5000;
  bool there = true;
  while (there && now_ms() < until) {
    const auto seen = run_program({"pgrep", "-x", "-f", "sleep 54321"},
                                  std::chrono::seconds(5));
    there = seen.ok() && seen->exit_status == 0;
  }
  EXPECT_FALSE(there);
}

TEST(Program, CanBeStoppedBeforeItsTime) {
  std::stop_source source;
  program asked;
  asked.words = {"sleep", "30"};
  asked.stop = source.get_token();
  source.request_stop();
  const auto from = now_ms();
  EXPECT_TRUE(run_program(asked)->stopped);
  EXPECT_LT(now_ms() - from, 5000);
}

}  // namespace
}  // namespace nexus::queue
