#include "common/worker_pool.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace nexus::common {
namespace {

struct slot {
  const nexus_job* job = nullptr;
  nexus_done done = nullptr;
  void* user = nullptr;
  std::atomic<bool> cancelled{false};
};

void log_line(const nexus_host* host, const char* line) {
  if (host != nullptr && host->size >= sizeof *host && host->log != nullptr) {
    host->log(host->context, NEXUS_LOG_WARNING, line);
  }
}

// Keeps signals away from the threads that are born while it lives, but for
// those that a thread raises by its own fault: blocked, they kill the process
// past every handler that would tell where it happened.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t most;
    sigfillset(&most);
    for (const int fault :
         {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
      sigdelset(&most, fault);
    pthread_sigmask(SIG_SETMASK, &most, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

// Work of milliseconds has no place among real-time threads.
void leave_real_time() {
  sched_param param{};
  int policy = SCHED_OTHER;
  if (pthread_getschedparam(pthread_self(), &policy, &param) != 0) return;
  if (policy != SCHED_FIFO && policy != SCHED_RR) return;
  const sched_param plain{};
  pthread_setschedparam(pthread_self(), SCHED_OTHER, &plain);
}

// Binds the calling thread. False: the system said no.
bool bind_to(const std::vector<std::uint32_t>& processors) {
  if (processors.empty()) return true;
  std::uint32_t highest = 0;
  for (const std::uint32_t p : processors) highest = p > highest ? p : highest;
  constexpr std::uint32_t sane = 1u << 20;
  if (highest >= sane) return false;
  cpu_set_t* set = CPU_ALLOC(highest + 1);
  if (set == nullptr) return false;
  const std::size_t bytes = CPU_ALLOC_SIZE(highest + 1);
  CPU_ZERO_S(bytes, set);
  for (const std::uint32_t p : processors) CPU_SET_S(p, bytes, set);
  const bool bound = pthread_setaffinity_np(pthread_self(), bytes, set) == 0;
  CPU_FREE(set);
  return bound;
}

}  // namespace

struct worker_pool::lane {
  lane(std::uint32_t number_, std::uint32_t depth)
      : number(number_), slots(depth) {}

  const std::uint32_t number;
  std::vector<std::uint32_t> processors;

  std::mutex mutex;
  std::condition_variable wake;
  // A ring: slots[head] is the job that runs or runs next. All under mutex,
  // except that the thread reads its running slot, which nobody else writes.
  std::vector<slot> slots;
  std::size_t head = 0;
  std::size_t count = 0;
  bool stopping = false;
  bool nudged = false;
  bool idling = false;               // in options::idle
  std::atomic<bool> wanted = false;  // a job waits, or the end

  std::thread thread;
};

worker_pool::worker_pool(options wanted) : options_(std::move(wanted)) {
  lanes_.reserve(options_.lanes.size());
  for (const nexus_lane* wish : options_.lanes) {
    auto made = std::make_unique<lane>(
        static_cast<std::uint32_t>(lanes_.size()), options_.depth);
    made->processors.assign(wish->processors,
                            wish->processors + wish->processor_count);
    lanes_.push_back(std::move(made));
  }
}

std::unique_ptr<worker_pool> worker_pool::start(options wanted) {
  std::unique_ptr<worker_pool> pool(new worker_pool(std::move(wanted)));
  if (!pool->start_threads()) return nullptr;
  return pool;
}

bool worker_pool::start_threads() {
  const signals_blocked guard;
  for (const auto& each : lanes_) {
    try {
      each->thread = std::thread([this, &mine = *each] { serve(mine); });
    } catch (const std::system_error&) {
      return false;
    }
  }
  return true;
}

worker_pool::~worker_pool() {
  for (const auto& each : lanes_) {
    const std::lock_guard lock(each->mutex);
    each->stopping = true;
    each->wanted = true;
    for (slot& s : each->slots) s.cancelled = true;
    each->wake.notify_one();
  }
  for (const auto& each : lanes_) {
    if (each->thread.joinable()) each->thread.join();
  }
}

std::int32_t worker_pool::submit(std::uint32_t lane_number,
                                 const nexus_job* job, nexus_done done,
                                 void* user) {
  if (lane_number >= lanes_.size()) return NEXUS_E_ARGUMENT;
  lane& to = *lanes_[lane_number];
  {
    const std::lock_guard lock(to.mutex);
    if (to.count == to.slots.size()) return NEXUS_E_BUSY;
    slot& free = to.slots[(to.head + to.count) % to.slots.size()];
    free.job = job;
    free.done = done;
    free.user = user;
    free.cancelled = to.stopping;
    ++to.count;
    to.wanted = true;
  }
  to.wake.notify_one();
  return NEXUS_OK;
}

void worker_pool::nudge(std::size_t lanes) {
  if (!options_.idle) return;
  for (const auto& each : lanes_) {
    if (lanes == 0) return;
    {
      const std::lock_guard lock(each->mutex);
      if (each->count != 0 || each->idling || each->nudged) continue;
      each->nudged = true;
    }
    each->wake.notify_one();
    --lanes;
  }
}

void worker_pool::cancel(std::uint64_t job_id) {
  for (const auto& each : lanes_) {
    const std::lock_guard lock(each->mutex);
    for (std::size_t i = 0; i < each->count; ++i) {
      slot& s = each->slots[(each->head + i) % each->slots.size()];
      if (s.job->id == job_id) s.cancelled = true;
    }
  }
}

void worker_pool::serve(lane& mine) {
  char text[96];
  std::snprintf(text, sizeof text, "%.9s-%u", options_.thread_name,
                mine.number % 10000);
  pthread_setname_np(pthread_self(), text);
  leave_real_time();
  if (!bind_to(mine.processors)) {
    std::snprintf(text, sizeof text,
                  "lane %u may not be bound to its processors and runs unbound",
                  mine.number);
    log_line(options_.host, text);
  }
  std::unique_lock lock(mine.mutex);
  for (;;) {
    mine.wake.wait(
        lock, [&] { return mine.count > 0 || mine.stopping || mine.nudged; });
    if (mine.count == 0 && mine.stopping) return;
    if (std::exchange(mine.nudged, false) && mine.count == 0) {
      mine.wanted = false;
      mine.idling = true;
      lock.unlock();
      options_.idle(mine.number, mine.wanted);
      lock.lock();
      mine.idling = false;
      continue;
    }
    slot& now = mine.slots[mine.head];
    lock.unlock();
    const std::uint64_t id = now.job->id;
    const nexus_result result =
        options_.run(mine.number, *now.job, now.cancelled);
    const nexus_done done = now.done;
    void* const user = now.user;
    lock.lock();
    mine.head = (mine.head + 1) % mine.slots.size();
    --mine.count;
    lock.unlock();
    done(user, id, &result);
    lock.lock();
  }
}

}  // namespace nexus::common
