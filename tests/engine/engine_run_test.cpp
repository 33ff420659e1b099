// Whole runs on the real CPU plugin: every kind of source and sink.
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <future>
#include <set>

#include "support/engine_fixture.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;

const std::size_t edge_sizes[] = {0,     1,      65535,  65536,
                                  65537, 131072, 200001, 257 * 65536 + 1};

TEST(EngineRun, EveryEdgeSizeComesBack) {
  engine machine(cpu_options());
  for (const bool armor : {false, true}) {
    for (const std::size_t size : edge_sizes) {
      const bytes text = sample(size);
      auto sealed = encrypt_with(machine, text, armor);
      ASSERT_TRUE(sealed.report.outcome.ok())
          << size << ": " << sealed.report.outcome.message();
      auto opened = decrypt_with(machine, sealed.output);
      ASSERT_TRUE(opened.report.outcome.ok())
          << size << ": " << opened.report.outcome.message();
      EXPECT_EQ(opened.output, text) << size << (armor ? " armored" : "");
    }
  }
}

TEST(EngineRun, OutputDoesNotDependOnSegmentsWorkersOrWindow) {
  const bytes text = sample(1000003);
  for (const bool armor : {false, true}) {
    const bytes expected = encrypted(text.size(), armor);
    for (const std::uint64_t segment : {65536u, 131072u, 196608u, 1u << 20}) {
      for (const std::uint32_t window : {1u, 2u, 64u}) {
        engine_options options = cpu_options(window == 2 ? 1 : 2);
        options.segment_bytes = segment;
        options.max_inflight = window;
        engine machine(options);
        auto sealed = encrypt_with(machine, text, armor);
        ASSERT_TRUE(sealed.report.outcome.ok());
        EXPECT_EQ(sealed.output, expected) << segment << " x " << window;
        EXPECT_LE(sealed.report.statistics.window_peak, window);
        auto opened = decrypt_with(machine, sealed.output);
        ASSERT_TRUE(opened.report.outcome.ok());
        EXPECT_EQ(opened.output, text) << segment << " x " << window;
      }
    }
  }
}

TEST(EngineRun, PipesInOddPiecesGiveTheSameBytes) {
  const bytes text = sample(1500007);
  const bytes expected = encrypted(text.size(), false);
  for (const io_mode mode : {io_mode::automatic, io_mode::threads}) {
    engine_options options = cpu_options();
    options.io = mode;
    options.segment_bytes = 256u << 10;
    engine machine(options);
    const fed_pipe pipe(text);
    auto work = age::make_encrypt(to_test_identity(false));
    bytes output;
    const auto report = machine.run(*work, source::from_descriptor(pipe.fd()),
                                    sink::to_memory(output));
    ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
    EXPECT_EQ(output, expected);
  }
}

TEST(EngineRun, CallbacksFeedAndTakeTheStream) {
  const bytes text = sample(777777);
  engine machine(cpu_options());
  byte_view rest = text;
  auto read = [&rest](byte_span into) -> result<std::size_t> {
    const std::size_t n =
        std::min({into.size(), rest.size(), std::size_t{9999}});
    std::copy_n(rest.begin(), n, into.begin());
    rest = rest.subspan(n);
    return n;
  };
  bytes output;
  auto write = [&output](byte_view data) -> status {
    append(output, data);
    return {};
  };
  auto work = age::make_encrypt(to_test_identity(true));
  const auto report =
      machine.run(*work, source::from_callback(read), sink::to_callback(write));
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(output, encrypted(text.size(), true));
  EXPECT_GT(report.statistics.io.callback_reads, 0u);
}

TEST(EngineRun, AFailingSourceCallbackEndsTheRunWithItsWords) {
  engine machine(cpu_options());
  int calls = 0;
  auto read = [&calls](byte_span into) -> result<std::size_t> {
    if (++calls > 3) return status(status_code::io_error, "the tape tore");
    return into.size();
  };
  bytes output;
  auto work = age::make_encrypt(to_test_identity(false));
  const auto report =
      machine.run(*work, source::from_callback(read), sink::to_memory(output));
  EXPECT_EQ(report.outcome.code(), status_code::io_error);
  EXPECT_EQ(report.outcome.message(), "the tape tore");
}

TEST(EngineRun, AFailingSinkCallbackEndsTheRunWithItsWords) {
  engine machine(cpu_options());
  const bytes text = sample(5u << 20);
  std::size_t taken = 0;
  auto write = [&taken](byte_view data) -> status {
    taken += data.size();
    if (taken > 1000000) return {status_code::io_error, "no more room"};
    return {};
  };
  auto work = age::make_encrypt(to_test_identity(false));
  const auto report =
      machine.run(*work, source::from_memory(text), sink::to_callback(write));
  EXPECT_EQ(report.outcome.message(), "no more room");
}

TEST(EngineRun, AFileAppearsUnderItsNameOnlyWhenItIsWhole) {
  const scratch_directory dir;
  const bytes text = sample(3000000);
  write_file(dir / "text", text);
  engine machine(cpu_options());
  auto work = age::make_encrypt(to_test_identity(false));
  auto from = source::from_file(dir / "text");
  ASSERT_TRUE(from.ok());
  const auto report =
      machine.run(*work, std::move(*from), sink::to_file(dir / "out"));
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  const bytes sealed = read_file(dir / "out");
  EXPECT_EQ(sealed, encrypted(text.size(), false));

  bytes damaged = sealed;
  damaged[damaged.size() - 5] ^= std::byte{1};
  auto back = decryption();
  const auto failed = machine.run(*back, source::from_memory(damaged),
                                  sink::to_file(dir / "plain"));
  EXPECT_EQ(failed.outcome.code(), status_code::invalid_data);
  EXPECT_NE(::access((dir / "plain").c_str(), F_OK), 0);
  EXPECT_EQ(std::system(("ls -A '" + dir.path() + "' | grep -q tmp").c_str()),
            256)
      << "a temporary was left";
}

TEST(EngineRun, AReplacedFileKeepsItsPermissionsAndAFailureKeepsTheFile) {
  const scratch_directory dir;
  const std::string out = dir / "out";
  write_file(out, sample(10));
  ASSERT_EQ(::chmod(out.c_str(), 0640), 0);
  engine machine(cpu_options());
  bytes bad = encrypted(100, false);
  bad.back() ^= std::byte{1};
  auto back = decryption();
  auto report =
      machine.run(*back, source::from_memory(bad), sink::to_file(out));
  EXPECT_FALSE(report.outcome.ok());
  EXPECT_EQ(read_file(out), sample(10));

  const bytes good = encrypted(100, false);
  back = decryption();
  report = machine.run(*back, source::from_memory(good), sink::to_file(out));
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(read_file(out), sample(100));
  struct stat info{};
  ASSERT_EQ(::stat(out.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST(EngineRun, InputAndOutputMayNotBeTheSameFile) {
  const scratch_directory dir;
  write_file(dir / "text", sample(100));
  ASSERT_EQ(::link((dir / "text").c_str(), (dir / "twin").c_str()), 0);
  engine machine(cpu_options());
  auto work = age::make_encrypt(to_test_identity(false));
  auto from = source::from_file(dir / "text");
  ASSERT_TRUE(from.ok());
  const auto report =
      machine.run(*work, std::move(*from), sink::to_file(dir / "twin"));
  EXPECT_EQ(report.outcome.code(), status_code::invalid_argument);
  EXPECT_EQ(read_file(dir / "text"), sample(100));
}

TEST(EngineRun, AFileThatShrinksIsAnErrorThatSaysSo) {
  const scratch_directory dir;
  const bytes text = sample(20u << 20);
  write_file(dir / "text", text);
  engine machine(cpu_options());
  auto from = source::from_file(dir / "text");
  ASSERT_TRUE(from.ok());
  std::size_t taken = 0;
  auto write = [&](byte_view data) -> status {
    if (taken == 0) {
      EXPECT_EQ(::truncate((dir / "text").c_str(), 1 << 20), 0);
    }
    taken += data.size();
    return {};
  };
  auto work = age::make_encrypt(to_test_identity(false));
  const auto report =
      machine.run(*work, std::move(*from), sink::to_callback(write));
  EXPECT_EQ(report.outcome.code(), status_code::io_error);
  EXPECT_NE(report.outcome.message().find("shorter"), std::string::npos);
}

TEST(EngineRun, ADescriptorIsReadFromItsOffsetAndLeftAtTheEnd) {
  const scratch_directory dir;
  const bytes text = sample(500000);
  write_file(dir / "text", text);
  const int in = ::open((dir / "text").c_str(), O_RDONLY);
  const int out = ::open((dir / "out").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::lseek(in, 1000, SEEK_SET), 1000);
  ASSERT_EQ(::write(out, "head", 4), 4);
  engine machine(cpu_options());
  auto work = age::make_encrypt(to_test_identity(false));
  const auto report =
      machine.run(*work, source::from_descriptor(in), sink::to_descriptor(out));
  ASSERT_TRUE(report.outcome.ok());
  EXPECT_EQ(::lseek(in, 0, SEEK_CUR), 500000);
  const bytes expected = encrypt(byte_view(text).subspan(1000), false).output;
  EXPECT_EQ(::lseek(out, 0, SEEK_CUR), static_cast<off_t>(4 + expected.size()));
  const bytes written = read_file(dir / "out");
  EXPECT_EQ(bytes(written.begin() + 4, written.end()), expected);
  ::close(in);
  ::close(out);
}

TEST(EngineRun, ABudgetBelowOneSegmentIsRefusedWithTheFigure) {
  engine_options options = cpu_options();
  options.memory_bytes = 50000;
  engine machine(options);
  const auto tried = encrypt_with(machine, sample(10));
  EXPECT_EQ(tried.report.outcome.code(), status_code::out_of_memory);
  EXPECT_FALSE(tried.report.outcome.hint().empty());
  EXPECT_TRUE(tried.output.empty());
}

TEST(EngineRun, HostBuffersStayWithinTheBudget) {
  engine_options options = cpu_options();
  options.memory_bytes = 4u << 20;
  engine machine(options);
  const bytes text = sample(30u << 20);
  const fed_pipe pipe(text);
  auto work = age::make_encrypt(to_test_identity(true));
  const auto report =
      machine.run(*work, source::from_descriptor(pipe.fd()), sink::discard());
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_LE(report.statistics.buffer_peak_bytes, 4u << 20);
  EXPECT_GT(report.statistics.buffer_peak_bytes, 0u);
}

TEST(EngineRun, WithoutAPluginTheErrorSaysWhichJobHasNoDevice) {
  const scratch_directory dir;
  engine_options options = cpu_options();
  options.plugin_directories = {dir.path()};
  engine machine(options);
  const auto tried = encrypt_with(machine, sample(10));
  EXPECT_EQ(tried.report.outcome.code(), status_code::no_device);
  EXPECT_NE(tried.report.outcome.message().find("age-seal"), std::string::npos);
}

TEST(EngineRun, AStopWhileNothingComesEndsTheRun) {
  for (const io_mode mode : {io_mode::automatic, io_mode::threads}) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    engine_options engine_with = cpu_options();
    engine_with.io = mode;
    engine machine(engine_with);
    std::stop_source stop;
    run_options options;
    options.stop = stop.get_token();
    auto work = age::make_encrypt(to_test_identity(false));
    bytes output;
    std::promise<run_report> promise;
    machine.start(
        *work, source::from_descriptor(ends[0]), sink::to_memory(output),
        options, [&promise](run_report r) { promise.set_value(std::move(r)); });
    auto future = promise.get_future();
    EXPECT_EQ(future.wait_for(50ms), std::future_status::timeout);
    stop.request_stop();
    ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(future.get().outcome.code(), status_code::cancelled);
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(EngineRun, AStopInThePrologueEndsTheRun) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  engine machine(cpu_options());
  std::stop_source stop;
  run_options options;
  options.stop = stop.get_token();
  auto work = decryption();
  bytes output;
  std::promise<run_report> promise;
  machine.start(*work, source::from_descriptor(ends[0]),
                sink::to_memory(output), options,
                [&promise](run_report r) { promise.set_value(std::move(r)); });
  auto future = promise.get_future();
  EXPECT_EQ(future.wait_for(50ms), std::future_status::timeout);
  stop.request_stop();
  ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(future.get().outcome.code(), status_code::cancelled);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(EngineRun, AStopBeforeTheStartEndsTheRun) {
  engine machine(cpu_options());
  std::stop_source stop;
  stop.request_stop();
  run_options options;
  options.stop = stop.get_token();
  const auto tried = encrypt_with(machine, sample(1000), false, options);
  EXPECT_EQ(tried.report.outcome.code(), status_code::cancelled);
  EXPECT_TRUE(tried.output.empty());
}

TEST(EngineRun, ABlockedSinkCanBeStopped) {
  for (const io_mode mode : {io_mode::automatic, io_mode::threads}) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    engine_options engine_with = cpu_options();
    engine_with.io = mode;
    engine machine(engine_with);
    std::stop_source stop;
    run_options options;
    options.stop = stop.get_token();
    const bytes text = sample(20u << 20);
    auto work = age::make_encrypt(to_test_identity(false));
    std::promise<run_report> promise;
    machine.start(
        *work, source::from_memory(text), sink::to_descriptor(ends[1]), options,
        [&promise](run_report r) { promise.set_value(std::move(r)); });
    auto future = promise.get_future();
    EXPECT_EQ(future.wait_for(200ms), std::future_status::timeout);
    stop.request_stop();
    ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(future.get().outcome.code(), status_code::cancelled);
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(EngineRun, AReaderThatGoesAwayIsABrokenPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  ::signal(SIGPIPE, SIG_IGN);
  engine machine(cpu_options());
  auto work = age::make_encrypt(to_test_identity(false));
  const bytes text = sample(1000000);
  const auto report = machine.run(*work, source::from_memory(text),
                                  sink::to_descriptor(ends[1]));
  EXPECT_EQ(report.outcome.code(), status_code::broken_pipe);
  ::close(ends[1]);
}

TEST(EngineRun, SeveralRunsShareOneEngine) {
  engine machine(cpu_options());
  const bytes text = sample(4000001);
  const bytes expected = encrypted(text.size(), false);
  std::vector<bytes> outputs(6);
  std::vector<std::unique_ptr<operation>> works;
  std::vector<std::future<run_report>> reports;
  std::vector<std::promise<run_report>> promises(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    works.push_back(age::make_encrypt(to_test_identity(false)));
    reports.push_back(promises[i].get_future());
    machine.start(
        *works[i], source::from_memory(text), sink::to_memory(outputs[i]), {},
        [&promises, i](run_report r) { promises[i].set_value(std::move(r)); });
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_TRUE(reports[i].get().outcome.ok());
    EXPECT_EQ(outputs[i], expected) << i;
  }
}

TEST(EngineRun, ProgressIsReportedAndTelemetryAddsUp) {
  engine machine(cpu_options());
  const bytes text = sample(300u << 10);
  std::atomic<int> calls = 0;
  run_options options;
  options.progress = [&calls](const telemetry& t) {
    ++calls;
    EXPECT_EQ(t.operation, "encrypt");
  };
  byte_view rest = text;
  auto read = [&rest](byte_span into) -> result<std::size_t> {
    std::this_thread::sleep_for(60ms);
    const std::size_t n =
        std::min({into.size(), rest.size(), std::size_t{70000}});
    std::copy_n(rest.begin(), n, into.begin());
    rest = rest.subspan(n);
    return n;
  };
  auto work = age::make_encrypt(to_test_identity(false));
  const auto report =
      machine.run(*work, source::from_callback(read), sink::discard(), options);
  ASSERT_TRUE(report.outcome.ok());
  EXPECT_GE(calls, 2);
  const telemetry& t = report.statistics;
  EXPECT_EQ(t.input_bytes, text.size());
  EXPECT_EQ(t.output_bytes, encrypted(text.size(), false).size());
  ASSERT_EQ(t.devices.size(), 1u);
  EXPECT_EQ(t.devices[0].id, "cpu:0");
  EXPECT_EQ(t.devices[0].jobs, t.segments);
  EXPECT_EQ(t.devices[0].input_bytes, text.size());
  EXPECT_EQ(t.window_used, 0u);
  EXPECT_GT(t.loop_beats, 0u);
}

// Notes on which threads the inner operation is asked for its checks.
class watching final : public operation {
 public:
  explicit watching(std::unique_ptr<operation> inner)
      : inner_(std::move(inner)) {}
  std::string_view name() const noexcept override { return inner_->name(); }
  status prologue(prologue_io& io) override { return inner_->prologue(io); }
  result<operation_plan> plan(const plan_request& request) override {
    return inner_->plan(request);
  }
  result<job_request> make_job(const segment_view& segment) override {
    return inner_->make_job(segment);
  }
  bool check_takes_long(const segment_view& segment,
                        const job_outcome& outcome) const override {
    return inner_->check_takes_long(segment, outcome);
  }
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    const bool slow = inner_->check_takes_long(segment, outcome);
    char thread[16] = {};
    ::pthread_getname_np(::pthread_self(), thread, sizeof thread);
    (slow ? slow_ : quick_).insert(thread);
    if (segment.stage == 0) {
      in_order_ = in_order_ && segment.index == next_;
      next_ = segment.index + 1;
    }
    return inner_->check(segment, outcome);
  }
  status epilogue(prologue_io& io) override { return inner_->epilogue(io); }

  std::set<std::string> slow_, quick_;
  bool in_order_ = true;

 private:
  std::unique_ptr<operation> inner_;
  std::uint64_t next_ = 0;
};

// Line by line, that would keep the engine's thread for milliseconds.
TEST(EngineRun, LinesThatEndDifferentlyAreDecodedOffTheEnginesThread) {
  const bytes text = sample(5000000);
  const bytes plain = encrypted(text.size(), true);
  std::string file;
  std::size_t lines = 0;
  for (const std::byte byte : plain) {
    const auto c = static_cast<char>(byte);
    if (c == '\n' && ++lines % 3 == 0) file += '\r';
    file += c;
  }
  engine machine(cpu_options());
  watching work(decryption());
  const auto opened = run_in_memory(machine, work, as_bytes(file));
  ASSERT_TRUE(opened.report.outcome.ok()) << opened.report.outcome.message();
  EXPECT_EQ(opened.output, text);
  EXPECT_EQ(work.slow_, std::set<std::string>{"nexus-block"});
  EXPECT_EQ(work.quick_, std::set<std::string>{"nexus-engine"});
  EXPECT_TRUE(work.in_order_);

  watching even(decryption());
  const auto quick = run_in_memory(machine, even, plain);
  ASSERT_TRUE(quick.report.outcome.ok());
  EXPECT_TRUE(even.slow_.empty()) << "a detour that was not needed";
}

// More would only go cold in the caches.
TEST(EngineRun, TheLanesOfOneDeviceKeepFewSegmentsInFlight) {
  const bytes text = sample(12000000);
  engine_options options = cpu_options();
  options.segment_bytes = 65536;
  engine machine(options);
  const auto sealed = encrypt_with(machine, text);
  ASSERT_TRUE(sealed.report.outcome.ok());
  EXPECT_EQ(sealed.report.statistics.window, 64u);
  EXPECT_LE(sealed.report.statistics.window_peak, 8u);
  EXPECT_GT(sealed.report.statistics.window_peak, 2u);
}

TEST(EngineRun, ASlowSourceIsPassedOnChunkByChunk) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  engine machine(cpu_options());
  std::atomic<std::size_t> out = 0;
  auto write = [&out](byte_view data) -> status {
    out += data.size();
    return {};
  };
  auto work = age::make_encrypt(to_test_identity(false));
  std::promise<run_report> promise;
  machine.start(*work, source::from_descriptor(ends[0]),
                sink::to_callback(write), {},
                [&promise](run_report r) { promise.set_value(std::move(r)); });
  const bytes text = sample(65536 * 2 + 1);
  ASSERT_EQ(::write(ends[1], text.data(), 65536), 65536);
  ASSERT_EQ(::write(ends[1], text.data() + 65536, 65537), 65537);
  // Two chunks are complete; the stream has not ended.
  for (int i = 0; i < 1000 && out < 2 * 65552; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_GE(out, 2u * 65552);
  ::close(ends[1]);
  EXPECT_TRUE(promise.get_future().get().outcome.ok());
  EXPECT_EQ(out, encrypted(text.size(), false).size());
  ::close(ends[0]);
}

TEST(EngineRun, EveryTruncationReleasesWholeChunksAndFails) {
  engine machine(cpu_options());
  const bytes text = sample(3 * 65536 - 7);
  const bytes sealed = encrypted(text.size(), false);
  const std::size_t header = sealed.size() - text.size() - 3 * 16;
  for (const std::size_t keep :
       {std::size_t{0}, std::size_t{1}, header - 17, header - 1, header,
        header + 15, header + 65551, header + 65552, header + 65553,
        header + 2 * 65552 - 1, header + 2 * 65552, header + 2 * 65552 + 16,
        sealed.size() - 1}) {
    const auto opened = decrypt_with(machine, byte_view(sealed).first(keep));
    EXPECT_EQ(opened.report.outcome.code(), status_code::invalid_data) << keep;
    EXPECT_EQ(opened.output.size() % 65536, 0u) << keep;
    EXPECT_TRUE(
        std::equal(opened.output.begin(), opened.output.end(), text.begin()))
        << keep;
    const std::size_t whole = keep < header ? 0 : (keep - header) / 65552;
    EXPECT_EQ(opened.output.size(), whole * 65536) << keep;
  }
}

}  // namespace
}  // namespace nexus::test
