// Runs whose devices live in processes of their own, and what may happen to
// those.
#include <dirent.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <nexus/proof_stream.hpp>
#include <set>
#include <sstream>

#include "support/engine_fixture.hpp"
#include "support/sanitizers.hpp"

namespace nexus::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// The value of one line of /proc/PID/status, or empty.
std::string status_of(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) != 0) continue;
    const std::size_t at = line.find_first_not_of(" \t", key.size() + 1);
    return at == line.npos ? "" : line.substr(at);
  }
  return {};
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.insert(name);
  }
  ::closedir(open);
  return names;
}

// Helper processes of this one, zombies among them.
std::vector<pid_t> helpers() {
  std::vector<pid_t> found;
  const std::string self = std::to_string(::getpid());
  for (const std::string& name : names_in("/proc")) {
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    const pid_t pid = static_cast<pid_t>(std::stol(name));
    if (status_of(pid, "PPid") == self &&
        status_of(pid, "Name").rfind("nexus-pipe-work", 0) == 0)
      found.push_back(pid);
  }
  return found;
}

template <class Condition>
bool comes_true(Condition condition, std::chrono::milliseconds within = 10s) {
  const auto limit = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

// Says so once a job came back: before, a helper may still be starting.
run_options telling(std::atomic<bool>& works) {
  run_options options;
  options.trace = [&works](const segment_event& event) {
    if (event.step == segment_step::computed) works = true;
  };
  return options;
}

void wait_for(const std::atomic<bool>& either, const std::atomic<bool>& other) {
  while (!either && !other) std::this_thread::sleep_for(1ms);
}

class EngineIsolate : public testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("NEXUS_STUB");
    EXPECT_TRUE(comes_true([] { return helpers().empty(); }))
        << "helpers are left";
  }

  // Settings of the stub for this process, which looks at its devices, and for
  // the helpers, which run them.
  void set(const std::string& settings) {
    stub_.set(settings);
    ::setenv("NEXUS_STUB", settings.c_str(), 1);
  }

  engine_options isolated(engine_options options,
                          isolate_mode mode = isolate_mode::all) {
    options.isolation.mode = mode;
    options.isolation.program = NEXUS_TEST_WORKER;
    options.isolation.hang_seconds = 2;
    options.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      log_ += line + "\n";
    };
    return options;
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  telemetry expect_right_bytes(const engine_options& options) {
    engine machine(options);
    auto there = encrypt_with(machine, text_);
    EXPECT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
    EXPECT_EQ(there.output, sealed_);
    return there.report.statistics;
  }
  static std::uint64_t restarts(const telemetry& t) {
    std::uint64_t sum = 0;
    for (const auto& device : t.devices) sum += device.restarts;
    return sum;
  }

  stub stub_;
  const bytes text_ = sample(5000001);
  const bytes sealed_ = encrypted(text_.size(), false);
  const bytes armored_ = encrypted(text_.size(), true);

 private:
  std::mutex mutex_;
  std::string log_;
};

TEST_F(EngineIsolate, GivesTheSameBytesAsWithout) {
  engine machine(isolated(cpu_options()));
  for (const bool armor : {false, true}) {
    auto there = encrypt_with(machine, text_, armor);
    ASSERT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
    EXPECT_EQ(there.output, armor ? armored_ : sealed_);
    auto back = decrypt_with(machine, there.output);
    ASSERT_TRUE(back.report.outcome.ok()) << back.report.outcome.message();
    EXPECT_EQ(back.output, text_);
    ASSERT_EQ(back.report.statistics.devices.size(), 2u);
    EXPECT_EQ(back.report.statistics.devices[0].id, "cpu:0/0");
    EXPECT_EQ(back.report.statistics.devices[1].id, "cpu:0/1");
    EXPECT_EQ(restarts(back.report.statistics), 0u);
  }
  EXPECT_EQ(helpers().size(), 2u);
}

TEST_F(EngineIsolate, ReadsAndWritesFilesAndPipes) {
  const scratch_directory files;
  write_file(files / "in", text_);
  engine machine(isolated(cpu_options()));
  auto work = age::make_encrypt(to_test_identity(false));
  const auto report = machine.run(*work, *source::from_file(files / "in"),
                                  sink::to_file(files / "out"));
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(read_file(files / "out"), sealed_);
  const auto& io = report.statistics.io;
  EXPECT_GT(io.lane_reads, 0u) << "filled by the threads of the slots";

  fed_pipe pipe(sealed_);
  auto back = decryption();
  bytes output;
  const auto done = machine.run(*back, source::from_descriptor(pipe.fd()),
                                sink::to_memory(output));
  ASSERT_TRUE(done.outcome.ok()) << done.outcome.message();
  EXPECT_EQ(output, text_);
}

TEST_F(EngineIsolate, ProvesAndDigests) {
  const byte_view data = byte_view(text_).first(100000);
  proofs::prove_options options;
  options.cut.rows = 256;
  engine plain(cpu_options()), machine(isolated(cpu_options()));
  const auto here = proofs::make_prove(options);
  const auto there = proofs::make_prove(options);
  const auto expected = run_in_memory(plain, *here, data);
  const auto got = run_in_memory(machine, *there, data);
  ASSERT_TRUE(got.report.outcome.ok()) << got.report.outcome.message();
  EXPECT_EQ(got.output, expected.output);
  const auto check = proofs::make_verify({});
  EXPECT_TRUE(run_in_memory(machine, *check, got.output).report.outcome.ok());
}

TEST_F(EngineIsolate, DamagedInputReleasesTheSamePrefix) {
  bytes damaged = sealed_;
  damaged[damaged.size() / 2] ^= std::byte{1};
  engine plain(cpu_options()), machine(isolated(cpu_options()));
  const auto expected = decrypt_with(plain, damaged);
  const auto got = decrypt_with(machine, damaged);
  EXPECT_EQ(got.report.outcome.code(), status_code::invalid_data);
  EXPECT_EQ(got.report.outcome.message(), expected.report.outcome.message());
  EXPECT_EQ(got.output, expected.output);
}

TEST_F(EngineIsolate, ACrashIsDoneAgainByANewProcess) {
  set("cpus=1;crash=only:7");
  const auto t = expect_right_bytes(isolated(stub_options()));
  EXPECT_GT(t.retries, 0u);
  EXPECT_GT(restarts(t), 0u);
  EXPECT_THAT(log(), HasSubstr("its process crashed: Segmentation fault"));
}

TEST_F(EngineIsolate, AnExitIsDoneAgainByANewProcess) {
  set("cpus=1;quit=only:9");
  expect_right_bytes(isolated(stub_options()));
  EXPECT_THAT(log(), HasSubstr("its process exited with status 7"));
}

TEST_F(EngineIsolate, AProcessThatIsKilledIsReplaced) {
  set("cpus=1;delay_us=5000");
  engine machine(isolated(stub_options()));
  std::atomic<bool> works{false};
  std::atomic<bool> over{false};
  std::thread killer([&] {
    wait_for(works, over);
    for (int i = 0; i < 2 && !over;) {
      const auto now = helpers();
      if (!now.empty() && ::kill(now.front(), SIGKILL) == 0) ++i;
      std::this_thread::sleep_for(40ms);
    }
  });
  auto there = encrypt_with(machine, text_, false, telling(works));
  over = true;
  killer.join();
  ASSERT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
  EXPECT_EQ(there.output, sealed_);
  EXPECT_GT(restarts(there.report.statistics), 0u);
  EXPECT_THAT(log(), HasSubstr("its process was killed: Killed"));
}

// Nobody has a job for them, and still nothing is left of them.
TEST_F(EngineIsolate, AProcessThatDiesIdleIsNoZombie) {
  engine machine(isolated(cpu_options()));
  ASSERT_EQ(encrypt_with(machine, text_).output, sealed_);
  const auto before = helpers();
  ASSERT_EQ(before.size(), 2u);
  for (const pid_t each : before) ::kill(each, SIGKILL);
  EXPECT_TRUE(comes_true([] { return helpers().empty(); }));
  const auto after = encrypt_with(machine, text_);
  EXPECT_EQ(after.output, sealed_);
  EXPECT_EQ(restarts(after.report.statistics), 2u);
}

// Then the kernel waits for children, and their numbers are free at once.
TEST_F(EngineIsolate, AHostMayIgnoreItsChildren) {
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGCHLD, &ignore, &before), 0);
  set("cpus=1;crash=only:7");
  const auto t = expect_right_bytes(isolated(stub_options()));
  EXPECT_GT(restarts(t), 0u);
  ASSERT_EQ(::sigaction(SIGCHLD, &before, nullptr), 0);
}

TEST_F(EngineIsolate, AHostMayHaveAThousandDescriptors) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  if (limit.rlim_cur < 4096) GTEST_SKIP() << "so many are not allowed";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  std::vector<int> many;
  while (many.size() < 1500) many.push_back(::dup(1));
  EXPECT_EQ(std::count(many.begin(), many.end(), -1), 0);
  set("cpus=1;crash=only:7");
  EXPECT_GT(restarts(expect_right_bytes(isolated(stub_options()))), 0u);
  for (const int each : many) ::close(each);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

// No descriptors for another process: a clear error, and none left behind.
TEST_F(EngineIsolate, ARestartWithoutDescriptorsIsAnError) {
  if (NEXUS_ASAN)
    GTEST_SKIP() << "UBSan looks at objects through a pipe: without "
                    "descriptors it calls all of them bad";
  set("cpus=1;crash=all");
  const std::size_t open = names_in("/proc/self/fd").size();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  {
    engine_options options = isolated(stub_options());
    std::atomic<bool> over{false};
    // Taken away in mid-run, once the helper has a job.
    std::atomic<bool> works{false};
    std::thread taker([&] {
      wait_for(works, over);
      const rlimit none{12, before.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &none);
    });
    engine machine(options);
    run_options watched;
    watched.trace = [&works](const segment_event& event) {
      if (event.step == segment_step::submitted) works = true;
    };
    auto there = encrypt_with(machine, text_, false, std::move(watched));
    over = true;
    taker.join();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_FALSE(there.report.outcome.ok());
    EXPECT_FALSE(there.report.outcome.message().empty());
  }
  EXPECT_EQ(names_in("/proc/self/fd").size(), open);
}

TEST_F(EngineIsolate, AHangIsGivenUp) {
  set("cpus=1;hang=only:20");
  const auto begin = std::chrono::steady_clock::now();
  expect_right_bytes(isolated(stub_options()));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_THAT(log(), HasSubstr("it did not answer for "));
}

TEST_F(EngineIsolate, AStoppedProcessIsGivenUp) {
  set("cpus=1;delay_us=5000");
  engine machine(isolated(stub_options()));
  std::atomic<bool> works{false};
  std::atomic<bool> over{false};
  std::thread stopper([&] {
    wait_for(works, over);
    for (const pid_t each : helpers()) ::kill(each, SIGSTOP);
  });
  auto there = encrypt_with(machine, text_, false, telling(works));
  over = true;
  stopper.join();
  ASSERT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
  EXPECT_EQ(there.output, sealed_);
}

// A process that is frozen, as one that waits for a driver in the kernel, does
// not end by SIGKILL.
TEST_F(EngineIsolate, AProcessThatCannotBeEndedIsLeftBehind) {
  const std::string group =
      "/sys/fs/cgroup/freezer/nexus-test-" + std::to_string(::getpid());
  if (::mkdir(group.c_str(), 0700) != 0)
    GTEST_SKIP() << "no freezer of cgroups: " << std::strerror(errno);
  const auto write = [&group](const char* file, const std::string& text) {
    std::ofstream(group + "/" + file) << text << std::flush;
  };
  set("cpus=1;delay_us=5000");
  std::vector<pid_t> frozen;
  {
    engine machine(isolated(stub_options()));
    std::atomic<bool> works{false};
    std::atomic<bool> over{false};
    std::thread freezer([&] {
      wait_for(works, over);
      frozen = helpers();
      for (const pid_t each : frozen)
        write("cgroup.procs", std::to_string(each));
      write("freezer.state", "FROZEN");
    });
    auto there = encrypt_with(machine, text_, false, telling(works));
    over = true;
    freezer.join();
    ASSERT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
    EXPECT_EQ(there.output, sealed_);
    EXPECT_THAT(log(), HasSubstr("its process cannot be ended: "));
  }
  EXPECT_FALSE(frozen.empty());
  write("freezer.state", "THAWED");
  for (const pid_t each : frozen) (void)::waitpid(each, nullptr, 0);
  EXPECT_TRUE(comes_true([&] { return ::rmdir(group.c_str()) == 0; }));
}

TEST_F(EngineIsolate, PatienceMayBeLongerThanAClockCounts) {
  engine_options options = isolated(cpu_options());
  options.isolation.hang_seconds = 1e300;
  EXPECT_EQ(restarts(expect_right_bytes(options)), 0u);
}

TEST_F(EngineIsolate, AStopDoesNotWaitForAHang) {
  set("cpus=1;hang=all");
  engine_options options = isolated(stub_options());
  options.isolation.hang_seconds = 1000;
  engine machine(options);
  std::stop_source stop;
  std::thread stopper([&stop] {
    std::this_thread::sleep_for(200ms);
    stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  run_options stoppable;
  stoppable.stop = stop.get_token();
  auto there = encrypt_with(machine, text_, false, stoppable);
  stopper.join();
  EXPECT_EQ(there.report.outcome.code(), status_code::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 15s);
}

TEST_F(EngineIsolate, ASegmentThatKillsEveryProcessEndsTheRun) {
  set("cpus=1;crash=all");
  engine machine(isolated(stub_options()));
  auto there = encrypt_with(machine, text_);
  EXPECT_EQ(there.report.outcome.code(), status_code::device_failed);
  EXPECT_THAT(there.report.outcome.message(), HasSubstr("was lost with 9"));
  EXPECT_THAT(there.report.outcome.message(), HasSubstr("Segmentation fault"));
}

TEST_F(EngineIsolate, AGpuThatKeepsCrashingIsLeftAlone) {
  set("cpus=0;gpus=1;crash=all");
  engine_options options = isolated(mixed_options(), isolate_mode::gpu);
  options.policy = schedule_policy::round_robin;
  // Longer than four crashes with the pauses between them take.
  options.segment_bytes = 64u << 10;
  engine machine(options);
  telemetry t;
  for (int i = 0; i < 200; ++i) {
    auto there = encrypt_with(machine, text_);
    ASSERT_TRUE(there.report.outcome.ok()) << there.report.outcome.message();
    ASSERT_EQ(there.output, sealed_);
    t = there.report.statistics;
    const auto& gpu = t.devices[t.devices[0].gpu ? 0 : 1];
    if (gpu.state == device_state::quarantined) break;
    std::this_thread::sleep_for(20ms);
  }
  ASSERT_EQ(t.devices.size(), 2u);
  const auto& gpu = t.devices[t.devices[0].gpu ? 0 : 1];
  EXPECT_EQ(gpu.state, device_state::quarantined);
  EXPECT_THAT(gpu.last_error, HasSubstr("crashed"));
  EXPECT_THAT(log(), HasSubstr("is left alone for a while"));
}

TEST_F(EngineIsolate, AProcessThatTakesTooMuchMemoryIsReplaced) {
  if (NEXUS_ASAN || NEXUS_TSAN)
    GTEST_SKIP() << "sanitizers take more than that";
  set("cpus=1;eat=only:5;eat_bytes=400000000");
  engine_options options = isolated(stub_options());
  options.isolation.memory_bytes = 100u << 20;
  expect_right_bytes(options);
  EXPECT_THAT(log(),
              testing::AnyOf(HasSubstr("it took more memory than it may"),
                             testing::ContainsRegex("it took [0-9]+ MiB")));
}

TEST_F(EngineIsolate, GarbageWithAGoodStatusIsCaught) {
  // Proofs always: the parent verifies each.
  set("cpus=2;cpu0.corrupt=all");
  engine_options options = isolated(stub_options());
  options.segment_bytes.reset();
  options.policy = schedule_policy::round_robin;
  engine machine(options);
  proofs::prove_options small;
  small.cut.rows = 256;
  const auto work = proofs::make_prove(small);
  const auto got =
      run_in_memory(machine, *work, byte_view(text_).first(100000));
  ASSERT_TRUE(got.report.outcome.ok()) << got.report.outcome.message();
  EXPECT_GT(got.report.statistics.retries, 0u);
  engine plain(cpu_options());
  const auto check = proofs::make_verify({});
  EXPECT_TRUE(run_in_memory(plain, *check, got.output).report.outcome.ok());
}

// At every submit, each way in which a plugin may fail one.
TEST_F(EngineIsolate, AFaultAtAnyJobIsSeenByNobody) {
  constexpr std::uint64_t jobs = 5;
  for (const char* fault : {"refuse", "busy", "fail", "regret", "lost"}) {
    for (std::uint64_t n = 1; n <= jobs; ++n) {
      SCOPED_TRACE(std::string(fault) + " at " + std::to_string(n));
      set("cpus=2;cpu0." + std::string(fault) + "=only:" + std::to_string(n));
      engine_options options = isolated(stub_options());
      options.segment_bytes = 1u << 20;
      options.policy = schedule_policy::round_robin;
      EXPECT_EQ(expect_right_bytes(options).segments, jobs);
    }
  }
}

TEST_F(EngineIsolate, AProgramThatIsNotThereIsAnError) {
  engine_options options = isolated(cpu_options());
  options.isolation.program = "/nowhere/nexus-pipe-worker";
  engine machine(options);
  auto there = encrypt_with(machine, text_);
  EXPECT_FALSE(there.report.outcome.ok());
  EXPECT_THAT(there.report.outcome.hint(),
              HasSubstr("/nowhere/nexus-pipe-worker"));
}

TEST_F(EngineIsolate, WithoutAProgramDevicesMayBeUsedAsTheyAre) {
  engine_options options = isolated(cpu_options());
  options.isolation.program = "/nowhere/nexus-pipe-worker";
  options.isolation.required = false;
  expect_right_bytes(options);
  EXPECT_THAT(log(), HasSubstr("is not isolated: there is no program"));
}

TEST_F(EngineIsolate, AnotherProgramIsAnError) {
  engine_options options = isolated(cpu_options());
  for (const char* program : {"/bin/true", "/bin/cat", "/dev/null"}) {
    options.isolation.program = program;
    engine machine(options);
    const auto begin = std::chrono::steady_clock::now();
    auto there = encrypt_with(machine, text_);
    EXPECT_FALSE(there.report.outcome.ok()) << program;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s) << program;
  }
}

TEST_F(EngineIsolate, ADeviceThatCannotBeOpenedSaysWhy) {
  set("cpus=1;open_code=DEVICE");
  engine machine(isolated(stub_options()));
  auto there = encrypt_with(machine, text_);
  EXPECT_FALSE(there.report.outcome.ok());
  EXPECT_THAT(there.report.outcome.hint(), HasSubstr("told not to open"));
}

TEST_F(EngineIsolate, HelpersAreConfined) {
  engine_options options = isolated(cpu_options());
  options.isolation.nice = 5;
  options.isolation.processors = {0};
  engine machine(options);
  ASSERT_EQ(encrypt_with(machine, text_).output, sealed_);
  const auto all = helpers();
  ASSERT_EQ(all.size(), 2u);
  for (const pid_t pid : all) {
    EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1");
    EXPECT_EQ(status_of(pid, "Seccomp"), "2");
    EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)), 5);
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    int bound = 0;
    for (const std::string& task : names_in(tasks))
      bound += status_of(static_cast<pid_t>(std::stol(task)),
                         "Cpus_allowed_list") == "0";
    EXPECT_GE(bound, 1) << "its lane";
  }
}

// Nothing of ours is open in a helper but what it was given.
TEST_F(EngineIsolate, HelpersInheritNoDescriptors) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // not closed on exec
  ASSERT_GE(leaky, 0);
  engine machine(isolated(cpu_options()));
  ASSERT_EQ(encrypt_with(machine, text_).output, sealed_);
  for (const pid_t pid : helpers()) {
    const std::string directory = "/proc/" + std::to_string(pid) + "/fd/";
    for (const std::string& name : names_in(directory)) {
      char target[256] = {};
      const std::string link = directory + name;
      if (::readlink(link.c_str(), target, sizeof target - 1) <= 0) continue;
      const std::string what = target;
      const bool standard = name == "0" || name == "1";
      const bool known = what.rfind("socket:", 0) == 0 ||
                         what.rfind("pipe:", 0) == 0 ||
                         what.rfind("/memfd:nexus-segment", 0) == 0 ||
                         (standard && what == "/dev/null");
      EXPECT_TRUE(known) << name << " is " << what;
    }
  }
  ::close(leaky);
}

TEST_F(EngineIsolate, LeavesNothingBehind) {
  const std::size_t before = names_in("/proc/self/fd").size();
  for (int i = 0; i < 3; ++i) {
    set("cpus=1;crash=only:11");
    expect_right_bytes(isolated(stub_options()));
  }
  EXPECT_EQ(names_in("/proc/self/fd").size(), before);
  int status = 0;
  EXPECT_EQ(::waitpid(-1, &status, WNOHANG), -1) << "no child is left";
}

}  // namespace
}  // namespace nexus::test
