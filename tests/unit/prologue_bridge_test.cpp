// An operation's head of the stream, read by a helper thread.
#include "engine/prologue_bridge.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <ostream>
#include <string>
#include <thread>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;

std::string sample(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

// Every test runs over each kind of source.
enum class from { memory, file, pipe, callback };

const char* name_of(from kind) {
  constexpr const char* names[] = {"memory", "file", "pipe", "callback"};
  return names[static_cast<int>(kind)];
}
void PrintTo(from kind, std::ostream* out) {
  *out << name_of(kind);
}

class PrologueBridge : public testing::TestWithParam<from> {
 public:
  void begin(const std::string& text) {
    text_ = text;
    reader_.emplace(made(), *io_, blocking_, 1);
    ASSERT_TRUE(reader_->open().ok());
    bridge_.emplace(loop_.context.get_executor(), &*reader_);
  }
  source made() {
    switch (GetParam()) {
      case from::memory:
        return source::from_memory(as_bytes(text_));
      case from::file:
        file_.emplace(std::filesystem::temp_directory_path(),
                      O_TMPFILE | O_RDWR, 0600);
        EXPECT_EQ(::write(file_->get(), text_.data(), text_.size()),
                  static_cast<ssize_t>(text_.size()));
        ::lseek(file_->get(), 0, SEEK_SET);
        return source::from_descriptor(file_->get());
      case from::pipe:
        feeder_ = std::thread([this] {
          (void)!::write(pipe_.write_end(), text_.data(), text_.size());
          pipe_.close_write();
        });
        return source::from_descriptor(pipe_.read_end());
      case from::callback:
        break;
    }
    return source::from_callback(
        [this, at = std::size_t{0}](byte_span to) mutable {
          const std::size_t n =
              std::min({to.size(), std::size_t{1000}, text_.size() - at});
          std::memcpy(to.data(), text_.data() + at, n);
          at += n;
          return result<std::size_t>(n);
        });
  }
  void TearDown() override {
    pipe_.close_read();
    if (feeder_.joinable()) feeder_.join();
  }
  // Runs the operation's part on a helper, as the engine does.
  void on_helper(const std::function<void(prologue_bridge&)>& work) {
    std::atomic<bool> ended = false;
    std::thread helper([&] {
      work(*bridge_);
      ended = true;
    });
    EXPECT_TRUE(loop_.until([&] { return ended.load(); }));
    if (!ended) reader_->cancel();
    loop_.until([&] { return ended.load(); });
    helper.join();
  }
  static std::string text_of(result<byte_view> got, std::size_t size) {
    if (!got.ok()) return "failed: " + got.error().message();
    return std::string(as_text(got->first(std::min(size, got->size()))));
  }

  std::string text_;
  std::optional<scoped_fd> file_;
  pipe_pair pipe_;
  std::thread feeder_;
  test_loop loop_;
  std::unique_ptr<io_service> io_ = make_thread_service({});
  blocking_pool blocking_{4, "test"};
  std::optional<source_reader> reader_;
  std::optional<prologue_bridge> bridge_;
};

TEST_P(PrologueBridge, PeeksAtLeastWhatWasAskedForAndTakesNothing) {
  begin(sample(300000));
  on_helper([this](prologue_bridge& head) {
    for (const std::size_t size : {0u, 1u, 100u, 70000u, 5u, 200000u}) {
      const auto got = head.peek(size);
      ASSERT_TRUE(got.ok());
      EXPECT_GE(got->size(), size);
      EXPECT_EQ(text_of(got, size), text_.substr(0, size));
    }
  });
  EXPECT_EQ(bridge_->consumed(), 0u);
  EXPECT_FALSE(bridge_->at_end());
}

TEST_P(PrologueBridge, APeekBeyondTheEndGivesWhatThereIs) {
  begin("short");
  on_helper([](prologue_bridge& head) {
    EXPECT_EQ(text_of(head.peek(6), 100), "short");
    EXPECT_EQ(text_of(head.peek(1000000), 100), "short");
    head.consume(5);
    const auto none = head.peek(1);
    ASSERT_TRUE(none.ok());
    EXPECT_TRUE(none->empty());
  });
  EXPECT_TRUE(bridge_->at_end());
  EXPECT_EQ(bridge_->consumed(), 5u);
}

TEST_P(PrologueBridge, WalksThroughTheStream) {
  begin(sample(200001));
  on_helper([this](prologue_bridge& head) {
    std::size_t at = 0;
    for (std::size_t step = 1; at + step < text_.size(); step = step * 3 + 1) {
      const auto got = head.peek(step + 10);
      ASSERT_EQ(text_of(got, step), text_.substr(at, step)) << at;
      head.consume(step);
      at += step;
    }
    EXPECT_EQ(text_of(head.peek(1000000), 1000000), text_.substr(at));
  });
  const std::size_t taken = bridge_->consumed();
  EXPECT_EQ(as_text(bridge_->unread()), text_.substr(taken));
}

TEST_P(PrologueBridge, MoreThanAnyMemoryIsTheWholeOrAFailure) {
  begin(sample(100000));
  on_helper([this](prologue_bridge& head) {
    const auto got = head.peek(std::numeric_limits<std::size_t>::max());
    if (got.ok()) {
      EXPECT_EQ(as_text(*got), text_);
    }
  });
}

// A plugin that takes more than it saw must not move anything out of bounds.
TEST_P(PrologueBridge, NoMoreIsTakenThanWasPeekedAt) {
  begin(sample(300000));
  on_helper([this](prologue_bridge& head) {
    const auto got = head.peek(10);
    ASSERT_TRUE(got.ok());
    const std::size_t seen = got->size();
    head.consume(1000000);
    ASSERT_LE(head.consumed(), seen);
    head.consume(std::numeric_limits<std::size_t>::max());
    ASSERT_LE(head.consumed(), seen);
    EXPECT_EQ(text_of(head.peek(20), 20), text_.substr(head.consumed(), 20));
  });
}

// The pipe of the fixture is fed; this one stays silent.
class SilentPipe : public PrologueBridge {};

TEST_P(SilentPipe, CancelEndsAPeek) {
  pipe_pair silent;
  reader_.emplace(source::from_descriptor(silent.read_end()), *io_, blocking_,
                  1);
  ASSERT_TRUE(reader_->open().ok());
  bridge_.emplace(loop_.context.get_executor(), &*reader_);
  asio::post(loop_.context, [this] {
    std::this_thread::sleep_for(20ms);
    reader_->cancel();
  });
  on_helper([](prologue_bridge& head) {
    const auto got = head.peek(1);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code(), status_code::cancelled);
  });
}

std::string name_of_kind(const testing::TestParamInfo<from>& each) {
  return name_of(each.param);
}

INSTANTIATE_TEST_SUITE_P(Every, PrologueBridge,
                         testing::Values(from::memory, from::file, from::pipe,
                                         from::callback),
                         name_of_kind);
INSTANTIATE_TEST_SUITE_P(Of, SilentPipe, testing::Values(from::pipe),
                         name_of_kind);

TEST(EpilogueBridge, HasNoInputAndKeepsItsOutput) {
  test_loop loop;
  prologue_bridge tail(loop.context.get_executor(), nullptr);
  const auto got = tail.peek(1);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().message(), "an epilogue has no input");
  EXPECT_TRUE(tail.write(as_bytes("one ")).ok());
  EXPECT_TRUE(tail.write(as_bytes("two")).ok());
  EXPECT_EQ(as_text(tail.output()), "one two");
}

}  // namespace
}  // namespace nexus::test
