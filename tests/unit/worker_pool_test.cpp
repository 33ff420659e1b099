#include "common/worker_pool.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "common/results.hpp"

namespace nexus::common {
namespace {

// Counts calls of done, and lets jobs wait for the test.
struct desk {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::uint64_t> done;  // ids, in the order of their completions
  std::vector<std::int32_t> statuses;
  int running = 0;
  bool open = false;  // the jobs may end

  static void on_done(void* user, std::uint64_t id,
                      const nexus_result* result) {
    auto* self = static_cast<desk*>(user);
    const std::lock_guard lock(self->mutex);
    self->done.push_back(id);
    self->statuses.push_back(result->status);
    self->changed.notify_all();
  }
  nexus_result hold(const std::atomic<bool>& cancelled) {
    std::unique_lock lock(mutex);
    ++running;
    changed.notify_all();
    while (!open && !cancelled) {
      changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    return cancelled ? failed(NEXUS_E_CANCELLED, nullptr) : succeeded(0);
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  template <typename Predicate>
  bool wait_until(Predicate holds) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(30), holds);
  }
};

nexus_lane unbound() {
  nexus_lane lane{};
  lane.size = sizeof lane;
  lane.numa_node = -1;
  return lane;
}

nexus_job job_with(std::uint64_t id) {
  nexus_job job{};
  job.size = sizeof job;
  job.id = id;
  return job;
}

std::unique_ptr<worker_pool> start(const std::vector<const nexus_lane*>& lanes,
                                   std::uint32_t depth,
                                   worker_pool::run_function run,
                                   const nexus_host* host = nullptr) {
  worker_pool::options options;
  options.lanes = lanes;
  options.depth = depth;
  options.thread_name = "pool-test";
  options.host = host;
  options.run = std::move(run);
  return worker_pool::start(std::move(options));
}

auto holding(desk& d) {
  return [&d](std::uint32_t, const nexus_job&,
              const std::atomic<bool>& cancelled) { return d.hold(cancelled); };
}

TEST(WorkerPool, IsBusyBeyondItsDepthAndHasRoomAgainWhenDoneIsCalled) {
  desk d;
  const nexus_lane lane = unbound();
  const auto pool = start({&lane}, 2, holding(d));
  ASSERT_NE(pool, nullptr);
  const nexus_job jobs[] = {job_with(1), job_with(2), job_with(3)};
  EXPECT_EQ(pool->submit(0, &jobs[0], desk::on_done, &d), NEXUS_OK);
  EXPECT_EQ(pool->submit(0, &jobs[1], desk::on_done, &d), NEXUS_OK);
  EXPECT_EQ(pool->submit(0, &jobs[2], desk::on_done, &d), NEXUS_E_BUSY);
  EXPECT_EQ(pool->submit(1, &jobs[2], desk::on_done, &d), NEXUS_E_ARGUMENT);
  d.let_go();
  ASSERT_TRUE(d.wait_until([&] { return d.done.size() == 2; }));
  EXPECT_EQ(d.done, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(pool->submit(0, &jobs[2], desk::on_done, &d), NEXUS_OK);
  EXPECT_TRUE(d.wait_until([&] { return d.done.size() == 3; }));
}

TEST(WorkerPool, TakesTheNextJobFromWithinDone) {
  struct chain {
    worker_pool* pool = nullptr;
    std::vector<nexus_job> jobs;
    std::atomic<std::size_t> ended{0};
    std::atomic<int> refused{0};
    static void next(void* user, std::uint64_t, const nexus_result*) {
      auto* self = static_cast<chain*>(user);
      const std::size_t i = self->ended.load() + 1;
      if (i < self->jobs.size() &&
          self->pool->submit(0, &self->jobs[i], next, self) != NEXUS_OK) {
        ++self->refused;
      }
      self->ended = i;
    }
  } c;
  for (std::uint64_t i = 0; i < 50; ++i) c.jobs.push_back(job_with(i));
  const nexus_lane lane = unbound();
  const auto pool =
      start({&lane}, 1,
            [](std::uint32_t, const nexus_job&, const std::atomic<bool>&) {
              return succeeded(0);
            });
  c.pool = pool.get();
  ASSERT_EQ(pool->submit(0, &c.jobs[0], chain::next, &c), NEXUS_OK);
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (c.ended < 50 && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(c.ended, 50u);
  EXPECT_EQ(c.refused, 0);
}

TEST(WorkerPool, CancelsTheJobThatRunsAndTheOneThatWaits) {
  desk d;
  const nexus_lane lane = unbound();
  const auto pool = start({&lane}, 3, holding(d));
  const nexus_job jobs[] = {job_with(7), job_with(8), job_with(9)};
  for (const nexus_job& job : jobs) pool->submit(0, &job, desk::on_done, &d);
  ASSERT_TRUE(d.wait_until([&] { return d.running == 1; }));
  pool->cancel(8);
  pool->cancel(1234);
  pool->cancel(7);
  ASSERT_TRUE(d.wait_until([&] { return d.running == 3; }));
  d.let_go();
  ASSERT_TRUE(d.wait_until([&] { return d.done.size() == 3; }));
  EXPECT_EQ(d.done, (std::vector<std::uint64_t>{7, 8, 9}));
  EXPECT_EQ(d.statuses, (std::vector<std::int32_t>{
                            NEXUS_E_CANCELLED, NEXUS_E_CANCELLED, NEXUS_OK}));
}

TEST(WorkerPool, DoesNotCancelALaterJobInTheSameSlot) {
  desk d;
  const nexus_lane lane = unbound();
  const auto pool = start({&lane}, 1, holding(d));
  const nexus_job first = job_with(1), second = job_with(2);
  pool->submit(0, &first, desk::on_done, &d);
  pool->cancel(1);
  ASSERT_TRUE(d.wait_until([&] { return d.done.size() == 1; }));
  pool->submit(0, &second, desk::on_done, &d);
  d.let_go();
  ASSERT_TRUE(d.wait_until([&] { return d.done.size() == 2; }));
  EXPECT_EQ(d.statuses.back(), NEXUS_OK);
}

TEST(WorkerPool, EndsEveryJobBeforeItGoes) {
  desk d;
  const nexus_lane lane = unbound();
  auto pool = start({&lane, &lane}, 2, holding(d));
  std::vector<nexus_job> jobs;
  for (std::uint64_t i = 0; i < 4; ++i) jobs.push_back(job_with(i));
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_EQ(pool->submit(i % 2, &jobs[i], desk::on_done, &d), NEXUS_OK);
  }
  pool.reset();
  EXPECT_EQ(d.done.size(), 4u);
}

TEST(WorkerPool, RunsEachLaneWhereItWasPut) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  std::vector<std::uint32_t> processors;
  for (std::uint32_t p = 0; p < CPU_SETSIZE && processors.size() < 2; ++p) {
    if (CPU_ISSET(p, &allowed)) processors.push_back(p);
  }
  std::vector<nexus_lane> lanes(processors.size(), unbound());
  std::vector<const nexus_lane*> pointers;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].processor_count = 1;
    lanes[i].processors = &processors[i];
    pointers.push_back(&lanes[i]);
  }
  desk d;
  std::vector<int> seen(lanes.size(), -1), set_size(lanes.size(), -1);
  const auto pool = start(
      pointers, 1,
      [&](std::uint32_t lane, const nexus_job&, const std::atomic<bool>&) {
        cpu_set_t mine;
        sched_getaffinity(0, sizeof mine, &mine);
        set_size[lane] = CPU_COUNT(&mine);
        seen[lane] = sched_getcpu();
        return succeeded(0);
      });
  const nexus_job jobs[] = {job_with(0), job_with(1)};
  for (std::uint32_t i = 0; i < lanes.size(); ++i) {
    pool->submit(i, &jobs[i], desk::on_done, &d);
  }
  ASSERT_TRUE(d.wait_until([&] { return d.done.size() == lanes.size(); }));
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    EXPECT_EQ(set_size[i], 1);
    EXPECT_EQ(seen[i], static_cast<int>(processors[i]));
  }
}

TEST(WorkerPool, RunsUnboundAndSaysSoWhereItMayNot) {
  static std::string said;
  nexus_host host{};
  host.size = sizeof host;
  host.log = [](void*, std::int32_t, const char* line) { said = line; };
  const std::uint32_t nowhere = 100000;
  nexus_lane lane = unbound();
  lane.processor_count = 1;
  lane.processors = &nowhere;
  desk d;
  d.open = true;
  auto pool = start({&lane}, 1, holding(d), &host);
  const nexus_job job = job_with(1);
  pool->submit(0, &job, desk::on_done, &d);
  EXPECT_TRUE(d.wait_until([&] { return d.done.size() == 1; }));
  pool.reset();
  EXPECT_NE(said.find("lane 0"), std::string::npos) << said;
}

TEST(WorkerPool, NamesItsThreadsAndKeepsSignalsAway) {
  desk d;
  const nexus_lane lane = unbound();
  std::string name;
  bool blocked = false;
  int faults_blocked = 0;
  int policy = -1;
  const auto pool =
      start({&lane}, 1,
            [&](std::uint32_t, const nexus_job&, const std::atomic<bool>&) {
              char text[16] = {};
              pthread_getname_np(pthread_self(), text, sizeof text);
              name = text;
              sigset_t now;
              pthread_sigmask(SIG_BLOCK, nullptr, &now);
              blocked = sigismember(&now, SIGINT) == 1 &&
                        sigismember(&now, SIGTERM) == 1;
              for (const int fault :
                   {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
                faults_blocked += sigismember(&now, fault);
              policy = sched_getscheduler(0);
              return succeeded(0);
            });
  sigset_t here;
  pthread_sigmask(SIG_BLOCK, nullptr, &here);
  EXPECT_EQ(sigismember(&here, SIGINT), 0) << "the caller's mask came back";
  const nexus_job job = job_with(1);
  pool->submit(0, &job, desk::on_done, &d);
  ASSERT_TRUE(d.wait_until([&] { return d.done.size() == 1; }));
  EXPECT_EQ(name, "pool-test-0");
  EXPECT_TRUE(blocked);
  EXPECT_EQ(faults_blocked, 0) << "a crash would kill past every handler";
  EXPECT_NE(policy, SCHED_FIFO);
  EXPECT_NE(policy, SCHED_RR);
}

TEST(WorkerPool, NudgedLanesWithoutAJobIdleUntilOneComes) {
  desk d;
  const nexus_lane lane = unbound();
  const std::vector<const nexus_lane*> lanes = {&lane, &lane, &lane};
  std::atomic<int> idling{0};
  std::atomic<int> idled{0};
  worker_pool::options options;
  options.lanes = lanes;
  options.depth = 1;
  options.thread_name = "pool-test";
  options.run = holding(d);
  options.idle = [&](std::uint32_t, const std::atomic<bool>& wanted) {
    ++idling;
    while (!wanted) std::this_thread::yield();
    ++idled;
  };
  const auto pool = worker_pool::start(std::move(options));
  ASSERT_NE(pool, nullptr);
  const nexus_job jobs[] = {job_with(1), job_with(2), job_with(3)};
  ASSERT_EQ(pool->submit(0, &jobs[0], desk::on_done, &d), NEXUS_OK);
  ASSERT_TRUE(d.wait_until([&] { return d.running == 1; }));
  // No more than were asked for, and none that is busy.
  pool->nudge(1);
  while (idling != 1) std::this_thread::yield();
  pool->nudge(5);
  while (idling != 2) std::this_thread::yield();
  pool->nudge(5);
  ASSERT_EQ(pool->submit(1, &jobs[1], desk::on_done, &d), NEXUS_OK);
  ASSERT_EQ(pool->submit(2, &jobs[2], desk::on_done, &d), NEXUS_OK);
  ASSERT_TRUE(d.wait_until([&] { return d.running == 3; }));
  EXPECT_EQ(idled, 2);
  EXPECT_EQ(idling, 2);
  d.let_go();
  EXPECT_TRUE(d.wait_until([&] { return d.done.size() == 3; }));
}

TEST(WorkerPool, EndsWhileALaneIdles) {
  const nexus_lane lane = unbound();
  const nexus_lane* const lanes[] = {&lane};
  std::atomic<bool> idling{false};
  worker_pool::options options;
  options.lanes = lanes;
  options.thread_name = "pool-test";
  options.run = [](std::uint32_t, const nexus_job&, const std::atomic<bool>&) {
    return succeeded(0);
  };
  options.idle = [&](std::uint32_t, const std::atomic<bool>& wanted) {
    idling = true;
    while (!wanted) std::this_thread::yield();
  };
  auto pool = worker_pool::start(std::move(options));
  ASSERT_NE(pool, nullptr);
  pool->nudge(1);
  while (!idling) std::this_thread::yield();
  pool.reset();
}

}  // namespace
}  // namespace nexus::common
