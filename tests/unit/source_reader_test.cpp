// A run's input: what kinds there are, where it begins and how it fails.
#include "io/source_reader.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SourceReader : public testing::Test {
 public:
  SourceReader() {
    std::string pattern = fs::temp_directory_path() / "nexus-source-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    root_ = pattern;
  }
  ~SourceReader() override { fs::remove_all(root_); }

  std::string file(const std::string& text) const {
    const std::string path = root_ / "file";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  void make(source from) {
    reader_.emplace(std::move(from), *io_, blocking_, 1);
  }
  status open(source from) {
    make(std::move(from));
    return reader_->open();
  }
  struct piece {
    std::string text;
    status failure;
  };
  piece at(std::uint64_t position, std::size_t size) {
    std::string text(size, '.');
    auto outcome = loop_.run(
        reader_->read_at(position, std::as_writable_bytes(std::span(text))));
    return {text.substr(0, outcome.bytes), outcome.failure};
  }
  piece some(std::size_t size) {
    std::string text(size, '.');
    auto outcome =
        loop_.run(reader_->read_some(std::as_writable_bytes(std::span(text))));
    EXPECT_LE(outcome.bytes, size);
    return {text.substr(0, outcome.bytes), outcome.failure};
  }

  fs::path root_;
  test_loop loop_;
  std::unique_ptr<io_service> io_ = make_thread_service({});
  blocking_pool blocking_{4, "test"};
  std::optional<source_reader> reader_;
};

TEST_F(SourceReader, ADescriptorThatIsNotOpenIsRefused) {
  const status bad = open(source::from_descriptor(1000000));
  EXPECT_EQ(bad.code(), status_code::io_error);
  EXPECT_EQ(bad.system_error(), EBADF);
  EXPECT_EQ(bad.message(),
            "cannot read descriptor 1000000: Bad file descriptor");
}

TEST_F(SourceReader, ADescriptorForWritingAloneIsRefused) {
  const scoped_fd fd(file("text"), O_WRONLY);
  const status bad = open(source::from_descriptor(fd.get(), "the input"));
  EXPECT_EQ(bad.system_error(), EBADF);
  EXPECT_THAT(bad.message(), HasSubstr("cannot read the input: "));
}

TEST_F(SourceReader, ADirectoryIsRefused) {
  const scoped_fd fd(root_, O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(open(source::from_descriptor(fd.get())).system_error(), EISDIR);
  EXPECT_EQ(source::from_file(root_).error().system_error(), EISDIR);
  EXPECT_EQ(source::from_file(root_ / "gone").error().message(),
            "cannot read " + (root_ / "gone").string() +
                ": No such file or directory");
}

TEST_F(SourceReader, ARegularFileIsReadAtAnyPositionFromItsOffset) {
  const scoped_fd fd(file("0123456789"), O_RDONLY);
  ::lseek(fd.get(), 3, SEEK_SET);
  ASSERT_TRUE(open(source::from_descriptor(fd.get())).ok());
  EXPECT_TRUE(reader_->positional());
  EXPECT_EQ(reader_->size(), 7u);
  EXPECT_EQ(at(4, 3).text, "789");
  EXPECT_EQ(at(0, 7).text, "3456789");
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 3) << "moved while being read";
  reader_->leave_at(5);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 8);
}

TEST_F(SourceReader, AnOffsetAtOrBeyondTheEndLeavesNothing) {
  const scoped_fd fd(file("0123"), O_RDONLY);
  for (const off_t offset : {4, 100}) {
    ::lseek(fd.get(), offset, SEEK_SET);
    ASSERT_TRUE(open(source::from_descriptor(fd.get())).ok());
    EXPECT_EQ(reader_->size(), 0u);
    EXPECT_TRUE(at(0, 0).failure.ok());
  }
}

TEST_F(SourceReader, AnEmptyFileEndsAtOnce) {
  auto from = source::from_file(file(""));
  ASSERT_TRUE(from.ok());
  ASSERT_TRUE(open(std::move(*from)).ok());
  ASSERT_FALSE(reader_->positional());
  const auto end = some(10);
  EXPECT_TRUE(end.failure.ok());
  EXPECT_EQ(end.text, "");
}

TEST_F(SourceReader, AFileOfProcIsReadThoughItsSizeIsZero) {
  auto from = source::from_file("/proc/self/status");
  ASSERT_TRUE(from.ok());
  ASSERT_TRUE(open(std::move(*from)).ok());
  EXPECT_FALSE(reader_->positional());
  EXPECT_EQ(reader_->size(), std::nullopt);
  EXPECT_EQ(some(5).text, "Name:");
}

// Its size says one page, whatever it holds.
TEST_F(SourceReader, AFileOfSysIsReadThoughItsSizeIsAPage) {
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  if (!fs::exists(path)) GTEST_SKIP() << "no " << path;
  auto from = source::from_file(path);
  ASSERT_TRUE(from.ok());
  ASSERT_TRUE(open(std::move(*from)).ok());
  if (reader_->positional()) {
    const auto all = at(0, static_cast<std::size_t>(*reader_->size()));
    EXPECT_TRUE(all.failure.ok()) << all.failure.message();
  } else {
    EXPECT_THAT(some(1000).text, HasSubstr("never"));
  }
}

TEST_F(SourceReader, AFileThatShrinksSaysHowFarItWent) {
  const std::string path = file("0123456789");
  auto from = source::from_file(path);
  ASSERT_TRUE(from.ok());
  ASSERT_TRUE(open(std::move(*from)).ok());
  EXPECT_EQ(at(0, 4).text, "0123");
  fs::resize_file(path, 6);
  const auto rest = at(4, 6);
  EXPECT_EQ(rest.text, "45") << "what is there is handed out";
  EXPECT_EQ(rest.failure.code(), status_code::io_error);
  EXPECT_EQ(rest.failure.message(),
            path + " became shorter while it was read: 6 bytes of 10");
}

TEST_F(SourceReader, AFileThatGrowsEndsWhereItEndedAtFirst) {
  const std::string path = file("0123");
  auto from = source::from_file(path);
  ASSERT_TRUE(open(std::move(*from)).ok());
  std::ofstream(path, std::ios::app) << "4567";
  EXPECT_EQ(reader_->size(), 4u);
  EXPECT_EQ(at(0, 4).text, "0123");
}

TEST_F(SourceReader, OnlyARegularFileHasAnIdentity) {
  const std::string path = file("text");
  const scoped_fd one(path, O_RDONLY), two(path, O_RDONLY);
  ASSERT_TRUE(open(source::from_descriptor(one.get())).ok());
  const auto first = reader_->identity();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(open(source::from_descriptor(two.get())).ok());
  EXPECT_EQ(first, reader_->identity());
  pipe_pair pipe;
  ASSERT_TRUE(open(source::from_descriptor(pipe.read_end())).ok());
  EXPECT_FALSE(reader_->identity().has_value());
}

TEST_F(SourceReader, APipeIsReadInOrderToItsEnd) {
  pipe_pair pipe;
  ASSERT_TRUE(open(source::from_descriptor(pipe.read_end())).ok());
  EXPECT_FALSE(reader_->positional());
  EXPECT_EQ(reader_->size(), std::nullopt);
  EXPECT_EQ(reader_->ready_bytes(), 0u);
  pipe.put("hello");
  EXPECT_EQ(reader_->ready_bytes(), 5u);
  EXPECT_EQ(some(3).text, "hel");
  EXPECT_EQ(some(3).text, "lo");
  pipe.close_write();
  EXPECT_EQ(some(3).text, "");
  EXPECT_TRUE(some(3).failure.ok());
}

TEST_F(SourceReader, ASocketIsReadInOrder) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const scoped_fd here(ends[0]), there(ends[1]);
  ASSERT_TRUE(open(source::from_descriptor(here.get())).ok());
  ASSERT_EQ(::write(there.get(), "abc", 3), 3);
  EXPECT_EQ(some(10).text, "abc");
}

TEST_F(SourceReader, CancelEndsABlockedReadAndEveryLaterOne) {
  pipe_pair pipe;
  ASSERT_TRUE(open(source::from_descriptor(pipe.read_end())).ok());
  std::optional<source_reader::outcome> got;
  std::string text(10, '.');
  loop_.start(reader_->read_some(std::as_writable_bytes(std::span(text))),
              &got);
  loop_.spin(std::chrono::milliseconds(20));
  EXPECT_FALSE(got.has_value());
  reader_->cancel();
  reader_->cancel();
  ASSERT_TRUE(loop_.until([&got] { return got.has_value(); }));
  EXPECT_EQ(got->failure.code(), status_code::cancelled);
  pipe.put("late");
  EXPECT_EQ(some(4).failure.code(), status_code::cancelled);
}

TEST_F(SourceReader, CancelEndsReadsOfAFile) {
  ASSERT_TRUE(open(std::move(*source::from_file(file("0123")))).ok());
  reader_->cancel();
  const auto tried = at(0, 4);
  EXPECT_EQ(tried.failure.code(), status_code::cancelled);
  EXPECT_EQ(tried.text, "");
}

TEST_F(SourceReader, MemoryIsThereAsAWhole) {
  const std::string text = "in memory";
  ASSERT_TRUE(open(source::from_memory(as_bytes(text))).ok());
  EXPECT_TRUE(reader_->positional());
  EXPECT_EQ(reader_->size(), text.size());
  ASSERT_TRUE(reader_->memory().has_value());
  EXPECT_EQ(reader_->memory()->data(), as_bytes(text).data());
  EXPECT_FALSE(reader_->identity().has_value());
}

TEST_F(SourceReader, ACallbackIsAskedUntilItSaysNothing) {
  int calls = 0;
  auto read = [&calls](std::span<std::byte> to) -> result<std::size_t> {
    if (++calls == 3) return std::size_t{0};
    std::fill_n(to.begin(), 2, std::byte{'c'});
    return std::size_t{2};
  };
  ASSERT_TRUE(open(source::from_callback(read, 1234)).ok());
  EXPECT_FALSE(reader_->positional());
  EXPECT_EQ(reader_->size(), 1234u);
  EXPECT_EQ(some(10).text, "cc");
  EXPECT_EQ(some(10).text, "cc");
  EXPECT_EQ(some(10).text, "");
  EXPECT_EQ(reader_->callback_reads(), 3u);
}

TEST_F(SourceReader, ACallbackThatReturnsTooMuchIsADefect) {
  auto read = [](std::span<std::byte> to) -> result<std::size_t> {
    return to.size() + 1;
  };
  ASSERT_TRUE(open(source::from_callback(read)).ok());
  const auto tried = some(10);
  EXPECT_FALSE(tried.failure.ok());
  EXPECT_EQ(tried.text, "");
  EXPECT_EQ(tried.failure.message(),
            "a source callback returned more than it was given");
}

TEST_F(SourceReader, ACallbacksFailureKeepsItsWords) {
  auto read = [](std::span<std::byte>) -> result<std::size_t> {
    return status(status_code::io_error, "line noise", "try again");
  };
  ASSERT_TRUE(open(source::from_callback(read)).ok());
  const auto tried = some(10);
  EXPECT_EQ(tried.failure.message(), "line noise");
  EXPECT_EQ(tried.failure.hint(), "try again");
}

}  // namespace
}  // namespace nexus::test
