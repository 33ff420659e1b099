// A run's output: where it goes until it is whole, and what is left of it when
// it never gets there.
#include "io/sink_writer.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class SinkWriter : public testing::Test {
 public:
  SinkWriter() {
    std::string pattern = fs::temp_directory_path() / "nexus-sink-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    root_ = fs::canonical(pattern);
  }
  ~SinkWriter() override {
    writer_.reset();
    fs::remove_all(root_);
  }

  std::string file(const std::string& name, const std::string& text) const {
    const std::string path = root_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::string contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  std::vector<std::string> names(const fs::path& in) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(in))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<std::string> names() const { return names(root_); }

  status check(sink to, std::optional<source_reader::file_id> from = {}) {
    writer_.emplace(std::move(to), *io_, blocking_, 2);
    return writer_->check(from);
  }
  void open(sink to) {
    const status fits = check(std::move(to));
    ASSERT_TRUE(fits.ok()) << fits.message();
  }
  status write(std::string_view text) {
    parts_ = {as_bytes(text)};
    return loop_.run(writer_->write(parts_));
  }
  status commit() { return loop_.run(writer_->commit()); }
  void abandon() {
    auto drop = [](sink_writer& writer) -> task<bool> {
      co_await writer.abandon();
      co_return true;
    };
    loop_.run(drop(*writer_));
  }
  static source_reader::file_id identity(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return {info.st_dev, info.st_ino};
  }

  fs::path root_;
  test_loop loop_;
  std::unique_ptr<io_service> io_ = make_thread_service({});
  blocking_pool blocking_{4, "test"};
  std::optional<sink_writer> writer_;
  std::vector<byte_view> parts_;
};

TEST_F(SinkWriter, UntilItIsWholeAFileStandsUnderAnotherNameBesideIt) {
  const std::string path = root_ / "out";
  open(sink::to_file(path));
  EXPECT_THAT(names(), IsEmpty()) << "check() creates nothing";
  ASSERT_TRUE(write("first ").ok());
  ASSERT_THAT(names(), testing::SizeIs(1));
  EXPECT_THAT(names()[0], EndsWith(".tmp"));
  ASSERT_TRUE(write("second").ok());
  EXPECT_EQ(writer_->bytes_written(), 12u);
  ASSERT_TRUE(commit().ok());
  EXPECT_THAT(names(), ElementsAre("out"));
  EXPECT_EQ(contents(path), "first second");
}

TEST_F(SinkWriter, PartsAreWrittenInTheirOrder) {
  const std::vector<std::string> texts = {"one ", "", "two ", "three"};
  for (const auto& text : texts) parts_.push_back(as_bytes(text));
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(loop_.run(writer_->write(parts_)).ok());
  EXPECT_EQ(writer_->bytes_written(), 13u);
  ASSERT_TRUE(commit().ok());
  EXPECT_EQ(contents(root_ / "out"), "one two three");
  bytes out;
  open(sink::to_memory(out));
  ASSERT_TRUE(loop_.run(writer_->write(parts_)).ok());
  EXPECT_EQ(as_text(out), "one two three");
  EXPECT_EQ(writer_->callback_writes(), 3u);
}

// More than a pipe takes at once, and no part ends where a write does.
TEST_F(SinkWriter, PartsThatAreTakenInPiecesArriveWhole) {
  pipe_pair pipe;
  open(sink::to_descriptor(pipe.write_end()));
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 40; ++i) {
    texts.emplace_back(static_cast<std::size_t>(77777 + i),
                       static_cast<char>('a' + i % 26));
    all += texts.back();
  }
  for (const auto& text : texts) parts_.push_back(as_bytes(text));
  std::optional<status> got;
  loop_.start(writer_->write(parts_), &got);
  std::string received;
  std::thread reader([&] { received = pipe.get(all.size()); });
  EXPECT_TRUE(loop_.until([&got] { return got.has_value(); }));
  if (!got) pipe.close_write();
  reader.join();
  EXPECT_TRUE(got && got->ok());
  EXPECT_EQ(received, all);
}

TEST_F(SinkWriter, NothingWrittenIsAnEmptyFile) {
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(commit().ok());
  EXPECT_THAT(names(), ElementsAre("out"));
  EXPECT_EQ(fs::file_size(root_ / "out"), 0u);
}

TEST_F(SinkWriter, WithoutSyncItIsTheSameFile) {
  open(sink::to_file(root_ / "out", {.sync = false}));
  ASSERT_TRUE(write("text").ok());
  ASSERT_TRUE(commit().ok());
  EXPECT_EQ(contents(root_ / "out"), "text");
}

TEST_F(SinkWriter, AbandonLeavesNothingAndTheOldFileAsItWas) {
  const std::string path = file("out", "old");
  open(sink::to_file(path));
  ASSERT_TRUE(write("new").ok());
  EXPECT_EQ(contents(path), "old");
  abandon();
  EXPECT_THAT(names(), ElementsAre("out"));
  EXPECT_EQ(contents(path), "old");
  abandon();
  EXPECT_EQ(contents(path), "old");
}

TEST_F(SinkWriter, AWriterThatGoesWithoutAWordLeavesNothing) {
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(write("new").ok());
  writer_.reset();
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SinkWriter, AbandonAfterTheCommitKeepsTheFile) {
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(write("kept").ok());
  ASSERT_TRUE(commit().ok());
  abandon();
  writer_.reset();
  EXPECT_EQ(contents(root_ / "out"), "kept");
}

TEST_F(SinkWriter, AReplacedFileKeepsItsPermissions) {
  const mode_t before = ::umask(022);
  for (const mode_t mode : {mode_t{0600}, mode_t{0664}, mode_t{0777}}) {
    const std::string path = file("out", "old");
    ::chmod(path.c_str(), mode);
    open(sink::to_file(path));
    ASSERT_TRUE(write("new").ok());
    ASSERT_TRUE(commit().ok());
    EXPECT_EQ(mode_of(path), mode);
    EXPECT_EQ(contents(path), "new");
  }
  open(sink::to_file(root_ / "fresh"));
  ASSERT_TRUE(commit().ok());
  EXPECT_EQ(mode_of(root_ / "fresh"), 0644u);
  ::umask(before);
}

// The new file belongs to whoever runs this, maybe root: what its owner made
// of the old one must not become theirs.
TEST_F(SinkWriter, AReplacedFileLosesItsSetUserIdBits) {
  const std::string path = file("out", "old");
  ASSERT_EQ(::chmod(path.c_str(), 06755), 0);
  open(sink::to_file(path));
  ASSERT_TRUE(write("new").ok());
  ASSERT_TRUE(commit().ok());
  EXPECT_EQ(mode_of(path), 0755u);
}

// Not even for a moment: a descriptor opened then would see the whole file.
TEST_F(SinkWriter, TheTemporaryIsNeverMorePermissiveThanTheFile) {
  const mode_t before = ::umask(0);
  const std::string path = file("out", "old");
  ::chmod(path.c_str(), 0600);
  open(sink::to_file(path));
  ASSERT_TRUE(write("new").ok());
  for (const auto& name : names())
    EXPECT_EQ(mode_of(root_ / name), 0600u) << name;
  ::umask(before);
}

TEST_F(SinkWriter, ALinkIsFollowedAndStays) {
  fs::create_directory(root_ / "there");
  const std::string path = file("there/real", "old");
  fs::create_symlink("there/real", root_ / "link");
  open(sink::to_file(root_ / "link"));
  ASSERT_TRUE(write("new").ok());
  EXPECT_THAT(names(root_ / "there"), testing::SizeIs(2))
      << "the temporary is beside the real file";
  ASSERT_TRUE(commit().ok());
  EXPECT_TRUE(fs::is_symlink(root_ / "link"));
  EXPECT_EQ(contents(path), "new");
  EXPECT_THAT(names(), ElementsAre("link", "there"));
}

TEST_F(SinkWriter, ALinkToWhereNothingIsYetIsFollowedAndStays) {
  fs::create_directory(root_ / "there");
  fs::create_symlink("there/real", root_ / "second");
  fs::create_symlink(root_ / "second", root_ / "link");
  open(sink::to_file(root_ / "link"));
  ASSERT_TRUE(write("new").ok());
  ASSERT_TRUE(commit().ok());
  EXPECT_TRUE(fs::is_symlink(root_ / "link"));
  EXPECT_TRUE(fs::is_symlink(root_ / "second"));
  EXPECT_EQ(contents(root_ / "there" / "real"), "new");
}

TEST_F(SinkWriter, LinksThatGoRoundInACircleAreAnError) {
  fs::create_symlink("b", root_ / "a");
  fs::create_symlink("a", root_ / "b");
  status fits = check(sink::to_file(root_ / "a"));
  if (fits.ok()) fits = write("x");
  EXPECT_EQ(fits.code(), status_code::io_error) << fits.message();
  EXPECT_TRUE(fs::is_symlink(root_ / "a"));
  EXPECT_THAT(names(), ElementsAre("a", "b"));
}

TEST_F(SinkWriter, ANameAsLongAsTheyGetIsFine) {
  const std::string name(255, 'n');
  open(sink::to_file(root_ / name));
  const status written = write("text");
  ASSERT_TRUE(written.ok()) << written.message();
  ASSERT_TRUE(commit().ok());
  EXPECT_THAT(names(), ElementsAre(name));
}

TEST_F(SinkWriter, APathWithoutAFolderIsInTheWorkingDirectory) {
  const auto before = fs::current_path();
  fs::current_path(root_);
  open(sink::to_file("out"));
  ASSERT_TRUE(write("text").ok());
  ASSERT_TRUE(commit().ok());
  fs::current_path(before);
  EXPECT_EQ(contents(root_ / "out"), "text");
}

TEST_F(SinkWriter, ADirectoryIsRefusedBeforeAnythingIsRead) {
  const status bad = check(sink::to_file(root_));
  EXPECT_EQ(bad.system_error(), EISDIR);
  EXPECT_EQ(bad.message(),
            "cannot write " + root_.string() + ": Is a directory");
}

TEST_F(SinkWriter, AnEmptyPathFailsBeforeAnythingIsWritten) {
  const auto before = fs::current_path();
  fs::current_path(root_);
  status bad = check(sink::to_file(""));
  if (bad.ok()) bad = write("text");
  EXPECT_EQ(bad.code(), status_code::io_error);
  EXPECT_THAT(names(), IsEmpty());
  fs::current_path(before);
}

TEST_F(SinkWriter, AFolderThatIsNotThereIsAnError) {
  const std::string path = root_ / "gone" / "out";
  open(sink::to_file(path));
  const status bad = write("text");
  EXPECT_EQ(bad.system_error(), ENOENT);
  EXPECT_EQ(bad.message(),
            "cannot create " + path + ": No such file or directory");
  abandon();
}

TEST_F(SinkWriter, AFileThatMayNotBeWrittenIsNotReplaced) {
  const std::string path = file("out", "old");
  ::chmod(path.c_str(), 0444);
  ::chmod(root_.c_str(), 0777);
  // Root may write anything, so this is somebody else meanwhile.
  const bool root = ::geteuid() == 0;
  if (root && ::setresuid(65534, 65534, 0) != 0) GTEST_SKIP() << "only root";
  open(sink::to_file(path));
  const status bad = write("new");
  abandon();
  if (root) {
    ASSERT_EQ(::setresuid(0, 0, 0), 0);
  }
  EXPECT_EQ(bad.system_error(), EACCES) << bad.message();
  EXPECT_EQ(contents(path), "old");
  EXPECT_THAT(names(), ElementsAre("out"));
}

TEST_F(SinkWriter, WhatIsNoRegularFileIsWrittenDirectly) {
  const std::string path = root_ / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const scoped_fd reader(path, O_RDONLY | O_NONBLOCK);
  open(sink::to_file(path));
  ASSERT_TRUE(write("through").ok());
  EXPECT_THAT(names(), ElementsAre("fifo"));
  ASSERT_TRUE(commit().ok());
  char text[10] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 7);
  EXPECT_STREQ(text, "through");
  EXPECT_TRUE(fs::is_fifo(path));
  // And stays when the run fails.
  open(sink::to_file(path));
  ASSERT_TRUE(write("x").ok());
  abandon();
  EXPECT_TRUE(fs::is_fifo(path));
}

// Nothing that arrives later makes a socket something to open.
TEST_F(SinkWriter, ASocketIsAnErrorAtOnce) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = root_ / "socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const scoped_fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof address),
            0);
  open(sink::to_file(path));
  std::optional<status> got;
  parts_ = {as_bytes("x")};
  loop_.start(writer_->write(parts_), &got);
  loop_.spin(std::chrono::milliseconds(500));
  const bool at_once = got.has_value();
  writer_->cancel();
  ASSERT_TRUE(loop_.until([&got] { return got.has_value(); }));
  EXPECT_TRUE(at_once) << "it was waited for";
  EXPECT_EQ(got->system_error(), ENXIO) << got->message();
  EXPECT_TRUE(fs::is_socket(path));
}

TEST_F(SinkWriter, AFullDeviceIsAnErrorAndStays) {
  open(sink::to_file("/dev/full"));
  const status bad = write("x");
  EXPECT_EQ(bad.system_error(), ENOSPC);
  EXPECT_EQ(bad.message(), "cannot write /dev/full: No space left on device");
  abandon();
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

// A limit in place of a full disk: the write fails half-way.
TEST_F(SinkWriter, AFileThatCannotGrowIsAnErrorAndLeavesNothing) {
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(write("head").ok());
  rlimit small = old;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const status bad = write(std::string(5000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, before);
  EXPECT_EQ(bad.system_error(), EFBIG) << bad.message();
  EXPECT_EQ(writer_->bytes_written(), 1000u);
  abandon();
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SinkWriter, ACommitThatCannotReplaceSaysSoAndLeavesNothing) {
  const std::string path = root_ / "out";
  open(sink::to_file(path));
  ASSERT_TRUE(write("text").ok());
  fs::create_directory(path);  // meanwhile
  const status bad = commit();
  EXPECT_EQ(bad.code(), status_code::io_error);
  EXPECT_THAT(bad.message(), StartsWith("cannot replace " + path + ": "));
  abandon();
  EXPECT_THAT(names(), ElementsAre("out"));
  EXPECT_TRUE(fs::is_directory(path));
}

TEST_F(SinkWriter, ACommitWhoseTemporaryIsGoneSaysSo) {
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(write("text").ok());
  fs::remove(root_ / names().at(0));
  EXPECT_EQ(commit().system_error(), ENOENT);
  abandon();
  EXPECT_THAT(names(), IsEmpty());
}

// The descriptor is taken away behind its back, so that fsync() fails.
TEST_F(SinkWriter, ASyncThatFailsIsAFailureAndLeavesNothing) {
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(write("text").ok());
  const std::string temporary = root_ / names().at(0);
  int fd = -1;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) == temporary)
      fd = std::stoi(entry.path().filename());
  }
  ASSERT_GE(fd, 0);
  pipe_pair pipe;  // cannot be synced
  ASSERT_EQ(::dup3(pipe.write_end(), fd, O_CLOEXEC), fd);
  const status bad = commit();
  EXPECT_EQ(bad.system_error(), EINVAL);
  EXPECT_THAT(bad.message(), StartsWith("cannot sync "));
  EXPECT_FALSE(fs::exists(root_ / "out"));
  abandon();
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SinkWriter, TheInputItselfIsRefusedByWhateverName) {
  const std::string path = file("data", "text");
  fs::create_hard_link(path, root_ / "twin");
  fs::create_symlink(path, root_ / "link");
  for (const char* name : {"data", "twin", "link"}) {
    const status bad = check(sink::to_file(root_ / name), identity(path));
    EXPECT_EQ(bad.code(), status_code::invalid_argument) << name;
    EXPECT_THAT(bad.message(), HasSubstr("input and output are the same file"));
    EXPECT_NE(bad.hint(), "");
  }
  const scoped_fd fd(path, O_WRONLY | O_APPEND);
  EXPECT_EQ(check(sink::to_descriptor(fd.get()), identity(path)).code(),
            status_code::invalid_argument);
  EXPECT_EQ(contents(path), "text");
  const std::string other = file("other", "text");
  EXPECT_TRUE(check(sink::to_file(other), identity(path)).ok());
}

TEST_F(SinkWriter, ADescriptorIsWrittenFromItsOffsetAndLeftBehindIt) {
  const std::string path = file("out", "0123456789");
  const scoped_fd fd(path, O_RDWR);
  ::lseek(fd.get(), 4, SEEK_SET);
  open(sink::to_descriptor(fd.get()));
  ASSERT_TRUE(write("ab").ok());
  ASSERT_TRUE(write("c").ok());
  ASSERT_TRUE(commit().ok());
  writer_.reset();
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 7) << "closed or moved";
  EXPECT_EQ(contents(path), "0123abc789");
}

TEST_F(SinkWriter, ADescriptorThatCannotBeWrittenIsRefused) {
  const scoped_fd fd(file("in", "x"), O_RDONLY);
  const status bad = check(sink::to_descriptor(fd.get(), "standard output"));
  EXPECT_EQ(bad.system_error(), EBADF);
  EXPECT_EQ(bad.message(), "cannot write standard output: Bad file descriptor");
  EXPECT_EQ(check(sink::to_descriptor(1000000)).system_error(), EBADF);
}

TEST_F(SinkWriter, AReaderThatWentAwayIsABrokenPipe) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  pipe_pair pipe;
  open(sink::to_descriptor(pipe.write_end(), "the pipe"));
  pipe.close_read();
  const status bad = write("x");
  EXPECT_EQ(bad.code(), status_code::broken_pipe);
  EXPECT_EQ(bad.message(), "the reader of the pipe went away");
  ::signal(SIGPIPE, before);
}

TEST_F(SinkWriter, CancelEndsABlockedWriteAndEveryLaterOne) {
  pipe_pair pipe;
  open(sink::to_descriptor(pipe.write_end()));
  const std::string text(4 << 20, 'x');
  std::optional<status> got;
  parts_ = {as_bytes(text)};
  loop_.start(writer_->write(parts_), &got);
  loop_.spin(std::chrono::milliseconds(50));
  EXPECT_FALSE(got.has_value());
  writer_->cancel();
  ASSERT_TRUE(loop_.until([&got] { return got.has_value(); }));
  EXPECT_EQ(got->code(), status_code::cancelled);
  EXPECT_EQ(pipe.get(writer_->bytes_written()).size(),
            writer_->bytes_written());
  EXPECT_EQ(write("y").code(), status_code::cancelled);
  EXPECT_EQ(commit().code(), status_code::cancelled);
}

TEST_F(SinkWriter, ACancelledFileIsNeverCommitted) {
  open(sink::to_file(root_ / "out"));
  ASSERT_TRUE(write("text").ok());
  writer_->cancel();
  EXPECT_EQ(commit().code(), status_code::cancelled);
  abandon();
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SinkWriter, MemoryIsAppendedTo) {
  bytes out(1, std::byte{'a'});
  open(sink::to_memory(out));
  ASSERT_TRUE(write("bc").ok());
  ASSERT_TRUE(commit().ok());
  EXPECT_EQ(as_text(out), "abc");
  EXPECT_EQ(writer_->bytes_written(), 2u);
}

TEST_F(SinkWriter, ACallbackTakesEverythingOrEndsTheRun) {
  std::string taken;
  auto take = [&taken](byte_view data) -> status {
    if (taken.size() > 3) return {status_code::io_error, "enough"};
    taken += as_text(data);
    return {};
  };
  open(sink::to_callback(take));
  ASSERT_TRUE(write("ab").ok());
  ASSERT_TRUE(write("").ok());
  ASSERT_TRUE(write("cd").ok());
  EXPECT_EQ(write("ef").message(), "enough");
  EXPECT_EQ(taken, "abcd");
  EXPECT_EQ(writer_->bytes_written(), 4u);
  EXPECT_EQ(writer_->callback_writes(), 3u);
}

TEST_F(SinkWriter, NowhereCountsAndDrops) {
  open(sink::discard());
  ASSERT_TRUE(write("12345").ok());
  ASSERT_TRUE(commit().ok());
  EXPECT_EQ(writer_->bytes_written(), 5u);
}

// Nobody opens the other end of the FIFO; a run must be able to stop anyway.
TEST_F(SinkWriter, WaitingForTheReaderOfAFifoCanBeCancelled) {
  const std::string path = root_ / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  open(sink::to_file(path));
  std::optional<status> got;
  parts_ = {as_bytes("x")};
  loop_.start(writer_->write(parts_), &got);
  loop_.spin(std::chrono::milliseconds(50));
  EXPECT_FALSE(got.has_value());
  writer_->cancel();
  loop_.spin(std::chrono::milliseconds(500));
  const bool ended = got.has_value();
  // Lets the helper go in any case.
  const scoped_fd reader(path, O_RDONLY | O_NONBLOCK);
  ASSERT_TRUE(loop_.until([&got] { return got.has_value(); }));
  EXPECT_TRUE(ended) << "only the arrival of a reader ended it";
  EXPECT_EQ(got->code(), status_code::cancelled);
}

}  // namespace
}  // namespace nexus::test
