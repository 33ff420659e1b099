// Reads and writes of descriptors: one body for io_uring and for threads.
#include "io/io_service.hpp"

#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;
using kind = io_request::kind;

std::size_t open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class IoService : public testing::TestWithParam<std::string> {
 public:
  void SetUp() override {
    if (GetParam() == "threads") {
      io_ = make_thread_service("as asked");
      return;
    }
    auto made = make_uring_service(loop_.context);
    if (!made.ok()) GTEST_SKIP() << made.error().message();
    io_ = std::move(*made);
  }

  static io_request request(kind what, int fd) {
    io_request made;
    made.what = what;
    made.fd = fd;
    struct stat info{};
    made.pollable = ::fstat(fd, &info) == 0 && !S_ISREG(info.st_mode);
    return made;
  }
  static io_request read_of(int fd, std::string& into) {
    io_request made = request(kind::read, fd);
    made.data = into.data();
    made.size = into.size();
    return made;
  }
  io_request write_of(int fd, const std::vector<std::string>& from) {
    io_request made = request(kind::write, fd);
    auto& pieces = pieces_.emplace_back();
    for (const auto& text : from)
      pieces.push_back({const_cast<char*>(text.data()), text.size()});
    made.pieces = pieces;
    return made;
  }
  io_request write_of(int fd, const std::string& from) {
    io_request made = request(kind::write, fd);
    made.pieces = pieces_.emplace_back(
        std::vector<iovec>{{const_cast<char*>(from.data()), from.size()}});
    return made;
  }
  io_result run(const io_request& made) {
    return loop_.run(io_->perform(made));
  }
  void start(const io_request& made, std::optional<io_result>* into) {
    loop_.start(io_->perform(made), into);
    loop_.spin(30ms);
  }
  bool ends(const std::optional<io_result>& result) {
    return loop_.until([&result] { return result.has_value(); });
  }
  // A file of its own, without a name.
  static int file_of(const std::string& text) {
    const int fd = ::open(std::filesystem::temp_directory_path().c_str(),
                          O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::write(fd, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    ::lseek(fd, 0, SEEK_SET);
    return fd;
  }
  static std::string whole(int fd) {
    std::string text(1 << 20, '\0');
    const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }

  test_loop loop_;
  std::unique_ptr<io_service> io_;
  std::deque<std::vector<iovec>> pieces_;
};

TEST_P(IoService, ReadsAFileAtOffsets) {
  const scoped_fd file(file_of("0123456789"));
  std::string text(4, '.');
  auto made = read_of(file.get(), text);
  for (const auto& [offset, expected] :
       {std::pair{6u, "6789"}, {0u, "0123"}, {3u, "3456"}}) {
    made.offset = offset;
    const auto got = run(made);
    EXPECT_EQ(got.error, 0);
    EXPECT_EQ(got.bytes, 4u);
    EXPECT_EQ(text, expected);
  }
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 0) << "the position has moved";
}

TEST_P(IoService, AShortFileGivesWhatThereIsAndThenTheEnd) {
  const scoped_fd file(file_of("abcdef"));
  std::string text(10, '.');
  auto made = read_of(file.get(), text);
  made.offset = 2;
  const auto some = run(made);
  EXPECT_EQ(some.error, 0);
  EXPECT_EQ(some.bytes, 4u);
  EXPECT_EQ(text, "cdef......");
  for (const std::uint64_t beyond : {6u, 1000u}) {
    made.offset = beyond;
    const auto end = run(made);
    EXPECT_EQ(end.error, 0);
    EXPECT_EQ(end.bytes, 0u);
  }
}

TEST_P(IoService, TheCurrentPositionMovesWithReadsAndWrites) {
  const scoped_fd file(file_of("0123456789"));
  std::string text(3, '.');
  const auto made = read_of(file.get(), text);
  ASSERT_EQ(made.offset, current_position);
  EXPECT_EQ(run(made).bytes, 3u);
  EXPECT_EQ(text, "012");
  EXPECT_EQ(run(made).bytes, 3u);
  EXPECT_EQ(text, "345");
  const std::string put = "XY";
  EXPECT_EQ(run(write_of(file.get(), put)).bytes, 2u);
  EXPECT_EQ(whole(file.get()), "012345XY89");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 8);
}

TEST_P(IoService, WritesAFileAtOffsets) {
  const scoped_fd file(file_of("0123456789"));
  const std::string put = "ab";
  auto made = write_of(file.get(), put);
  for (const std::uint64_t offset : {8u, 0u, 12u}) {
    made.offset = offset;
    EXPECT_EQ(run(made).bytes, 2u);
  }
  EXPECT_EQ(whole(file.get()), std::string("ab234567ab\0\0ab", 14));
}

TEST_P(IoService, SeveralPiecesAreWrittenAsOne) {
  const std::vector<std::string> parts = {"one ", "", "two ", "three"};
  const scoped_fd file(file_of("0123456789"));
  auto made = write_of(file.get(), parts);
  EXPECT_EQ(run(made).bytes, 13u);
  EXPECT_EQ(whole(file.get()), "one two three");
  made.offset = 5;
  EXPECT_EQ(run(made).bytes, 13u);
  EXPECT_EQ(whole(file.get()), "one tone two three");
  pipe_pair pipe;
  EXPECT_EQ(run(write_of(pipe.write_end(), parts)).bytes, 13u);
  EXPECT_EQ(pipe.get(13), "one two three");
}

// Room for a part of a piece alone.
TEST_P(IoService, SeveralPiecesToAPipeEndWhereTheRoomEnds) {
  pipe_pair pipe;
  const std::size_t full = pipe.fill();
  pipe.get(4096 * 3);
  const std::vector<std::string> parts = {
      std::string(4096, 'a'), std::string(4096, 'b'), std::string(full, 'c')};
  const auto put = run(write_of(pipe.write_end(), parts));
  EXPECT_EQ(put.error, 0);
  ASSERT_GT(put.bytes, 0u);
  pipe.get(full - 4096 * 3);
  const std::string all = parts[0] + parts[1] + parts[2];
  EXPECT_EQ(pipe.get(put.bytes), all.substr(0, put.bytes));
}

TEST_P(IoService, ErrorsOfTheSystemComeBack) {
  std::string text(4, '.');
  for (const bool pollable : {false, true}) {
    for (io_request made : {read_of(1000000, text), write_of(1000000, text)}) {
      made.pollable = pollable;
      EXPECT_EQ(run(made).error, EBADF) << pollable;
    }
  }
  const scoped_fd only_write("/dev/null", O_WRONLY);
  EXPECT_EQ(run(read_of(only_write.get(), text)).error, EBADF);
  const scoped_fd folder("/", O_RDONLY | O_DIRECTORY);
  auto made = read_of(folder.get(), text);
  made.pollable = false;
  EXPECT_EQ(run(made).error, EISDIR);
}

TEST_P(IoService, AFullDeviceIsSaidToBeFull) {
  const scoped_fd full("/dev/full", O_RDWR);
  const std::string put(100, 'x');
  EXPECT_EQ(run(write_of(full.get(), put)).error, ENOSPC);
}

TEST_P(IoService, ADeviceThatIsAlwaysReadyGivesAndTakes) {
  const scoped_fd zero("/dev/zero", O_RDONLY), null("/dev/null", O_WRONLY);
  std::string text(100000, 'x');
  const auto got = run(read_of(zero.get(), text));
  EXPECT_GT(got.bytes, 0u);
  EXPECT_EQ(text.substr(0, got.bytes), std::string(got.bytes, '\0'));
  EXPECT_EQ(run(write_of(null.get(), text)).bytes, text.size());
}

TEST_P(IoService, ReadsAndWritesAFileOfProc) {
  const scoped_fd file("/proc/self/status", O_RDONLY);
  std::string text(5, '.');
  auto made = read_of(file.get(), text);
  made.pollable = false;
  EXPECT_EQ(run(made).bytes, 5u);
  EXPECT_EQ(text, "Name:");
  EXPECT_EQ(run(made).bytes, 5u);
  EXPECT_NE(text, "Name:");
}

TEST_P(IoService, AReadOfAnEmptyPipeWaitsAndTakesWhatComes) {
  pipe_pair pipe;
  std::string text(100, '.');
  std::optional<io_result> got;
  start(read_of(pipe.read_end(), text), &got);
  EXPECT_FALSE(got.has_value());
  pipe.put("hello");
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, 0);
  EXPECT_EQ(text.substr(0, got->bytes), "hello");
}

TEST_P(IoService, APipeThatIsClosedEnds) {
  pipe_pair pipe;
  std::string text(100, '.');
  pipe.put("rest");
  pipe.close_write();
  EXPECT_EQ(run(read_of(pipe.read_end(), text)).bytes, 4u);
  const auto end = run(read_of(pipe.read_end(), text));
  EXPECT_EQ(end.error, 0);
  EXPECT_EQ(end.bytes, 0u);
  pipe_pair later;
  std::optional<io_result> got;
  start(read_of(later.read_end(), text), &got);
  EXPECT_FALSE(got.has_value());
  later.close_write();
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, 0);
  EXPECT_EQ(got->bytes, 0u);
}

TEST_P(IoService, AWriteToAFullPipeWaitsForRoom) {
  pipe_pair pipe;
  const std::size_t full = pipe.fill();
  const std::string put(3 * full / 2, 'w');
  std::optional<io_result> got;
  start(write_of(pipe.write_end(), put), &got);
  EXPECT_FALSE(got.has_value());
  EXPECT_EQ(pipe.get(full), std::string(full, 'f'));
  // It may take several requests, and each takes something.
  std::size_t written = 0;
  std::string received;
  for (;;) {
    ASSERT_TRUE(ends(got));
    ASSERT_EQ(got->error, 0);
    ASSERT_GT(got->bytes, 0u);
    received += pipe.get(got->bytes);
    written += got->bytes;
    if (written == put.size()) break;
    got.reset();
    const std::string rest = put.substr(written);
    auto more = write_of(pipe.write_end(), rest);
    loop_.start(io_->perform(more), &got);
    ASSERT_TRUE(ends(got));
  }
  EXPECT_EQ(received, put);
}

TEST_P(IoService, AWriteThatNobodyReadsIsABrokenPipe) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  pipe_pair pipe;
  pipe.close_read();
  const std::string put(100, 'x');
  EXPECT_EQ(run(write_of(pipe.write_end(), put)).error, EPIPE);
  ::signal(SIGPIPE, before);
}

// Whoever shares the open file may have asked for that; it is no error.
TEST_P(IoService, AnEmptyPipeThatDoesNotBlockIsWaitedForToo) {
  pipe_pair pipe(O_NONBLOCK);
  std::string text(100, '.');
  std::optional<io_result> got;
  start(read_of(pipe.read_end(), text), &got);
  EXPECT_FALSE(got.has_value()) << "answered at once: " << strerror(got->error);
  pipe.put("late");
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, 0);
  EXPECT_EQ(got->bytes, 4u);
}

TEST_P(IoService, AFullPipeThatDoesNotBlockIsWaitedForToo) {
  pipe_pair pipe(O_NONBLOCK);
  const std::size_t full = pipe.fill();
  const std::string put(100, 'x');
  std::optional<io_result> got;
  start(write_of(pipe.write_end(), put), &got);
  EXPECT_FALSE(got.has_value()) << "answered at once: " << strerror(got->error);
  pipe.get(full);
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, 0);
  EXPECT_EQ(got->bytes, put.size());
}

// Its reads answer EAGAIN, as those of pipes do on older kernels.
TEST_P(IoService, WhateverAnswersThatNothingIsThereIsPolledUntilThereIs) {
  const scoped_fd events(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  std::string place = std::filesystem::temp_directory_path() / "io-XXXXXX";
  ASSERT_NE(::mkdtemp(place.data()), nullptr);
  ASSERT_GE(::inotify_add_watch(events.get(), place.c_str(), IN_DELETE_SELF),
            0);
  std::string text(4096, '.');
  std::optional<io_result> got;
  start(read_of(events.get(), text), &got);
  EXPECT_FALSE(got.has_value()) << "answered at once: " << strerror(got->error);
  ASSERT_EQ(::rmdir(place.c_str()), 0);
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, 0);
  EXPECT_GT(got->bytes, 0u);
  io_telemetry counted;
  io_->report(counted);
  EXPECT_LE(counted.uring_reads + counted.thread_reads, 2u) << "it spins";

  got.reset();
  auto idle = read_of(events.get(), text);
  idle.tag = 7;
  start(idle, &got);
  EXPECT_FALSE(got.has_value());
  io_->cancel(7);
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, ECANCELED);
}

// A terminal, with the two settings that it may be found in.
TEST_P(IoService, ATerminalIsWaitedForAndCanBeCancelled) {
  for (const int flags : {0, O_NONBLOCK}) {
    const scoped_fd screen(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_EQ(::grantpt(screen.get()), 0);
    ASSERT_EQ(::unlockpt(screen.get()), 0);
    char name[64];
    ASSERT_EQ(::ptsname_r(screen.get(), name, sizeof name), 0);
    const scoped_fd terminal(name, O_RDWR | O_NOCTTY | flags);
    std::string text(100, '.');
    auto made = read_of(terminal.get(), text);
    made.tag = 6;
    std::optional<io_result> got;
    start(made, &got);
    EXPECT_FALSE(got.has_value())
        << "answered at once: " << strerror(got->error) << " " << flags;
    ASSERT_EQ(::write(screen.get(), "typed\n", 6), 6);
    ASSERT_TRUE(ends(got));
    EXPECT_EQ(text.substr(0, got->bytes), "typed\n") << flags;
    got.reset();
    start(made, &got);
    EXPECT_FALSE(got.has_value()) << flags;
    io_->cancel(6);
    ASSERT_TRUE(ends(got));
    EXPECT_EQ(got->error, ECANCELED) << flags;
  }
}

TEST_P(IoService, SocketsWaitAndEnd) {
  int ends_of[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_of), 0);
  const scoped_fd here(ends_of[0]), there(ends_of[1]);
  std::string text(100, '.');
  std::optional<io_result> got;
  start(read_of(here.get(), text), &got);
  EXPECT_FALSE(got.has_value());
  const std::string put = "by socket";
  EXPECT_EQ(run(write_of(there.get(), put)).bytes, put.size());
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(text.substr(0, got->bytes), put);
  ::shutdown(there.get(), SHUT_WR);
  EXPECT_EQ(run(read_of(here.get(), text)).bytes, 0u);
}

TEST_P(IoService, ABlockedReadCanBeCancelled) {
  for (const int flags : {0, O_NONBLOCK}) {
    pipe_pair pipe(flags);
    std::string text(100, '.');
    auto made = read_of(pipe.read_end(), text);
    made.tag = 5;
    std::optional<io_result> got;
    start(made, &got);
    io_->cancel(5);
    ASSERT_TRUE(ends(got));
    if (flags == 0) {
      EXPECT_EQ(got->error, ECANCELED);
    }
    EXPECT_NE(got->error, 0);
    pipe.put("kept");
    EXPECT_EQ(pipe.get(4), "kept") << "a cancelled read took bytes";
  }
}

TEST_P(IoService, ABlockedWriteCanBeCancelled) {
  pipe_pair pipe;
  const std::size_t full = pipe.fill();
  const std::string put(1000, 'x');
  auto made = write_of(pipe.write_end(), put);
  made.tag = 5;
  std::optional<io_result> got;
  start(made, &got);
  EXPECT_FALSE(got.has_value());
  io_->cancel(5);
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, ECANCELED);
  pipe.close_write();
  EXPECT_EQ(pipe.get(full + 1).size(), full) << "a cancelled write wrote";
}

TEST_P(IoService, CancelOfOneTagLeavesTheOthersAlone) {
  pipe_pair first, second, third;
  std::string one(10, '.'), two(10, '.'), three(10, '.');
  auto a = read_of(first.read_end(), one);
  auto b = read_of(second.read_end(), two);
  auto c = read_of(third.read_end(), three);
  a.tag = b.tag = 7;
  c.tag = 8;
  std::optional<io_result> got_a, got_b, got_c;
  start(a, &got_a);
  start(b, &got_b);
  start(c, &got_c);
  io_->cancel(7);
  ASSERT_TRUE(ends(got_a));
  ASSERT_TRUE(ends(got_b));
  EXPECT_EQ(got_a->error, ECANCELED);
  EXPECT_EQ(got_b->error, ECANCELED);
  loop_.spin(30ms);
  EXPECT_FALSE(got_c.has_value());
  third.put("xyz");
  ASSERT_TRUE(ends(got_c));
  EXPECT_EQ(got_c->bytes, 3u);
}

TEST_P(IoService, CancelDoesNotReachWhatComesLater) {
  pipe_pair pipe;
  std::string text(10, '.');
  auto made = read_of(pipe.read_end(), text);
  made.tag = 7;
  io_->cancel(7);  // nothing is there
  std::optional<io_result> got;
  start(made, &got);
  EXPECT_FALSE(got.has_value());
  io_->cancel(7);
  ASSERT_TRUE(ends(got));
  got.reset();
  start(made, &got);
  EXPECT_FALSE(got.has_value());
  pipe.put("later");
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->bytes, 5u);
}

// In one turn of the loop, before anything has gone to the kernel.
TEST_P(IoService, CancelRightAfterTheRequestReachesIt) {
  pipe_pair pipe;
  std::string text(10, '.');
  auto made = read_of(pipe.read_end(), text);
  made.tag = 9;
  std::optional<io_result> got;
  auto both = [&]() -> task<io_result> {
    auto stop = [&] { io_->cancel(9); };
    asio::post(loop_.context, stop);
    co_return co_await io_->perform(made);
  };
  loop_.start(both(), &got);
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, ECANCELED);
}

TEST_P(IoService, ManyRequestsAtOnceEachGetTheirOwnBytes) {
  constexpr std::size_t count = 3000;  // several rings full
  std::string text(count * 8, '\0');
  for (std::size_t i = 0; i < count; ++i)
    std::snprintf(text.data() + i * 8, 8, "%07zu", i);
  const scoped_fd file(file_of(text));
  std::vector<std::string> parts(count, std::string(8, '.'));
  std::vector<std::optional<io_result>> got(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto made = read_of(file.get(), parts[i]);
    made.offset = i * 8;
    loop_.start(io_->perform(made), &got[i]);
  }
  ASSERT_TRUE(loop_.until([&got] {
    return std::all_of(got.begin(), got.end(),
                       [](const auto& each) { return each.has_value(); });
  }));
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(got[i]->bytes, 8u) << i;
    ASSERT_EQ(parts[i], text.substr(i * 8, 8)) << i;
  }
  io_telemetry counts;
  io_->report(counts);
  EXPECT_EQ(counts.uring_reads + counts.thread_reads, count);
}

TEST_P(IoService, ManyBlockedReadsDoNotHoldUpAFile) {
  constexpr std::size_t count = 100;
  std::vector<std::unique_ptr<pipe_pair>> pipes;
  std::vector<std::string> texts(count, std::string(8, '.'));
  std::vector<std::optional<io_result>> got(count);
  for (std::size_t i = 0; i < count; ++i) {
    pipes.push_back(std::make_unique<pipe_pair>());
    auto made = read_of(pipes[i]->read_end(), texts[i]);
    made.tag = 3;
    loop_.start(io_->perform(made), &got[i]);
  }
  const scoped_fd file(file_of("quick"));
  std::string text(5, '.');
  EXPECT_EQ(run(read_of(file.get(), text)).bytes, 5u);
  EXPECT_EQ(text, "quick");
  pipes[count - 1]->put("me first");
  ASSERT_TRUE(ends(got[count - 1]));
  EXPECT_EQ(texts[count - 1], "me first");
  EXPECT_EQ(std::count_if(got.begin(), got.end(),
                          [](const auto& each) { return each.has_value(); }),
            1);
  io_->cancel(3);
  for (const auto& each : got) ASSERT_TRUE(ends(each));
}

// An engine lives for as long as its host; every run has a tag of its own.
TEST_P(IoService, TagsThatAreThroughLeaveNoDescriptorBehind) {
  pipe_pair pipe;
  std::string text(4, '.');
  auto made = read_of(pipe.read_end(), text);
  pipe.put("data");
  EXPECT_EQ(run(made).bytes, 4u);
  const std::size_t before = open_descriptors();
  for (io_tag tag = 100; tag < 200; ++tag) {
    made.tag = tag;
    pipe.put("data");
    ASSERT_EQ(run(made).bytes, 4u);
    io_->forget(tag);
  }
  EXPECT_LE(open_descriptors(), before + 4);
}

TEST_P(IoService, ATagThatWasForgottenMayBeUsedAgain) {
  pipe_pair pipe;
  std::string text(4, '.');
  auto made = read_of(pipe.read_end(), text);
  made.tag = 4;
  io_->forget(4);
  pipe.put("data");
  EXPECT_EQ(run(made).bytes, 4u);
  io_->forget(4);
  io_->cancel(4);
  std::optional<io_result> got;
  start(made, &got);
  EXPECT_FALSE(got.has_value());
  io_->cancel(4);
  ASSERT_TRUE(ends(got));
  EXPECT_EQ(got->error, ECANCELED);
}

TEST_P(IoService, CountsWhatItDidUnderItsOwnName) {
  const scoped_fd file(file_of("0123456789"));
  std::string text(2, '.');
  for (int i = 0; i < 3; ++i) (void)run(read_of(file.get(), text));
  (void)run(write_of(file.get(), text));
  io_telemetry counts;
  counts.thread_reads = counts.uring_reads = 10;
  io_->report(counts);
  EXPECT_EQ(counts.engine, GetParam());
  const bool uring = GetParam() == "uring";
  EXPECT_EQ(counts.uring_reads, uring ? 13u : 10u);
  EXPECT_EQ(counts.thread_reads, uring ? 10u : 13u);
  EXPECT_EQ(counts.uring_writes + counts.thread_writes, 1u);
  EXPECT_EQ(counts.note, uring ? "" : "as asked");
}

INSTANTIATE_TEST_SUITE_P(Both, IoService, testing::Values("uring", "threads"),
                         [](const auto& each) { return each.param; });

TEST(MakeIoService, TakesTheModeThatWasAskedFor) {
  test_loop loop;
  auto threads = make_io_service(loop.context, io_mode::threads);
  ASSERT_TRUE(threads.ok());
  io_telemetry counts;
  (*threads)->report(counts);
  EXPECT_EQ(counts.engine, "threads");
  EXPECT_EQ(counts.note, "");
  auto automatic = make_io_service(loop.context, io_mode::automatic);
  ASSERT_TRUE(automatic.ok());
  auto uring = make_io_service(loop.context, io_mode::uring);
  counts = {};
  (*automatic)->report(counts);
  EXPECT_EQ(counts.engine, uring.ok() ? "uring" : "threads");
  EXPECT_EQ(counts.note, uring.error().message());
}

}  // namespace
}  // namespace nexus::test
