#include "jobs_file.hpp"

#include <gtest/gtest.h>

namespace nexus::queue {
namespace {

job queued(std::string id, std::string command) {
  job made;
  made.id = std::move(id);
  made.asked.command = std::move(command);
  return made;
}

TEST(JobsFile, ReportsBadLinesAndGoesOn) {
  const auto parsed =
      parse_jobs(std::string("good one\n\xff\xfe\0rubbish\nbad\x1b[31m\n") +
                 std::string(131072, 'x') + "\n  good two  \n");
  ASSERT_EQ(parsed.lines.size(), 2u);
  EXPECT_EQ(parsed.lines[0].command, "good one");
  EXPECT_EQ(parsed.lines[1].command, "good two");
  // The zero byte ends the literal: what follows it is a line's rest.
  EXPECT_EQ(parsed.problems.size(), parsed.rejected.size());
  EXPECT_GE(parsed.problems.size(), 1u);
}

TEST(JobsFile, ABadLineWithAnIdStillKeepsItsJob) {
  const auto parsed = parse_jobs("bad\x01  # id: abc\n");
  ASSERT_EQ(parsed.lines.size(), 1u);
  EXPECT_EQ(parsed.lines[0].id, "abc");
  EXPECT_EQ(parsed.lines[0].command, "");
  EXPECT_EQ(parsed.problems.size(), 1u);
}

TEST(JobsFile, WithoutItsHeadNothingIsKnownOfAbsences) {
  EXPECT_EQ(parse_jobs("a\n").last_number, 0);
  EXPECT_EQ(parse_jobs("# jobs up to number many\n").last_number, 0);
  EXPECT_EQ(parse_jobs("# jobs up to number 12\n").last_number, 12);
}

TEST(JobsFile, ACommentOfTheCommandIsNoId) {
  const auto parsed = parse_jobs("echo 1  # id: \necho 2 # id: a b\n# x\n");
  ASSERT_EQ(parsed.lines.size(), 2u);
  EXPECT_EQ(parsed.lines[0].id, "");
  EXPECT_EQ(parsed.lines[1].command, "echo 2 # id: a b");
}

TEST(JobsFile, WhatWasWrittenIsReadBack) {
  const std::string text = render_jobs(
      {queued("abc", "A=1 python t.py  # id: zzz"), queued("abd", "x\ny")}, 9);
  const auto parsed = parse_jobs(text);
  EXPECT_EQ(parsed.last_number, 9);
  ASSERT_EQ(parsed.lines.size(), 2u);
  EXPECT_EQ(parsed.lines[0].id, "abc");
  EXPECT_EQ(parsed.lines[0].command, "A=1 python t.py  # id: zzz");
  EXPECT_EQ(parsed.lines[1].command, "x\ny");
  EXPECT_TRUE(parsed.problems.empty());
}

TEST(JobsFile, SaysWhyACommandCannotBeRun) {
  EXPECT_NE(wrong_with_command(""), "");
  EXPECT_NE(wrong_with_command(" \n\t"), "");
  EXPECT_NE(wrong_with_command("a\x7f"), "");
  EXPECT_NE(wrong_with_command("\xc0\xaf"), "");
  EXPECT_NE(wrong_with_command(std::string(131072, 'a')), "");
  EXPECT_EQ(wrong_with_command(std::string(131071, 'a')), "");
  EXPECT_EQ(wrong_with_command("echo \xc3\xa4\n\techo"), "");
}

}  // namespace
}  // namespace nexus::queue
