// A plugin for tests: poses as CPUs and GPUs, really runs the CPU plugin's
// operations, and misbehaves on command (stub_control.h).
#include <nexus/plugin.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "common/results.hpp"
#include "common/worker_pool.hpp"
#include "job_runner.hpp"
#include "soft_age_lane.hpp"
#include "stub_control.h"
#include "stub_state.hpp"

using nexus::common::hand_over;
using nexus::common::refuse;
using nexus::common::worker_pool;
using nexus::cpu::job_runner;
using nexus::stub::device_record;
using nexus::stub::device_settings;
using nexus::stub::exists;
using nexus::stub::lane_record;
using nexus::stub::settings_of;
using nexus::stub::state;
using nexus::stub::stub_state;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// One job on its way. The pool runs it in place of the engine's own.
struct order : nexus_job {
  nexus_device* owner = nullptr;
  nexus_done done = nullptr;
  void* user = nullptr;
  std::uint64_t number = 0;  // of the accepted ones on its device, from 1
  nexus_result result{};
};

// Calls `done` for completed jobs from a thread of its own.
class completer {
 public:
  completer() : thread_([this] { serve(); }) {}
  ~completer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  completer(const completer&) = delete;
  completer& operator=(const completer&) = delete;

  // Delivered once `batch` of them are here, the last first.
  void add(order* finished, std::size_t batch) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(finished);
    batch_ = batch;
    wake_.notify_one();
  }

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<order*> waiting_;
  std::size_t batch_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

struct nexus_buffer {
  const std::uint8_t* memory;
  std::uint64_t bytes;
};

struct nexus_device {
  std::uint32_t index = 0;
  std::vector<std::unique_ptr<job_runner>> runners;  // one per lane
  std::unique_ptr<job_runner> inline_runner;         // for done=submit
  completer late;
  std::unique_ptr<worker_pool> pool;
};

namespace {

void deliver(order* finished) {
  const std::unique_ptr<order> owned(finished);
  {
    const std::lock_guard lock(state().mutex);
    device_record& record = state().devices[owned->owner->index];
    ++record.counters.completed;
    if (record.held > 0) --record.held;
  }
  owned->done(owned->user, owned->id, &owned->result);
}

void completer::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    // A batch that nothing is added to for a while goes as it is.
    for (std::size_t seen = 0;
         !stopping_ && waiting_.size() < batch_ && waiting_.size() != seen;) {
      seen = waiting_.size();
      wake_.wait_for(lock, milliseconds(20),
                     [&] { return stopping_ || waiting_.size() != seen; });
    }
    std::vector<order*> now;
    now.swap(waiting_);
    lock.unlock();
    for (auto each = now.rbegin(); each != now.rend(); ++each) deliver(*each);
    lock.lock();
  }
}

// The same number for the same job, whatever came before (splitmix64).
std::uint64_t scatter(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

microseconds delay_of(const order& job, const device_settings& set) {
  std::uint64_t us = set.delay_us;
  if (set.jitter_us > 0) us += scatter(job.number) % (set.jitter_us + 1);
  if (set.late.holds(job.number)) us += set.late_us;
  return microseconds(us);
}

// False: cancelled meanwhile.
bool wait_out(const order& job, const device_settings& set,
              const std::atomic<bool>& cancelled) {
  const auto until = std::chrono::steady_clock::now() + delay_of(job, set);
  stub_state& all = state();
  std::unique_lock lock(all.mutex);
  while (!cancelled) {
    const bool held = all.settings.device(job.owner->index).hold;
    if (held && all.tickets > 0) {
      --all.tickets;
      return true;
    }
    const auto left = until - std::chrono::steady_clock::now();
    if (!held && left <= left.zero()) return true;
    const auto nap = std::chrono::nanoseconds(milliseconds(1));
    all.changed.wait_for(
        lock, held ? nap : std::min<std::chrono::nanoseconds>(nap, left));
  }
  return false;
}

bool is_lost(const order& job, const device_settings& set) {
  const std::lock_guard lock(state().mutex);
  bool& lost = state().devices[job.owner->index].lost;
  lost = lost || set.lost.holds(job.number);
  return lost;
}

// As a graphics card does it. Other jobs are those of the cpu plugin.
nexus_result leave_tags(const order& job, const std::atomic<bool>& cancelled) {
  nexus::test::soft_age_lane lane;
  std::vector<std::uint8_t> tags;
  return nexus::common::run_age(lane, job, tags, cancelled);
}

// What only a process of its own survives.
void misbehave(const order& job, const device_settings& set) {
  if (set.eat.holds(job.number)) {
    void* eaten = ::mmap(nullptr, set.eat_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (eaten != MAP_FAILED) std::memset(eaten, 1, set.eat_bytes);
  }
  if (set.crash.holds(job.number)) {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
  }
  if (set.quit.holds(job.number)) ::_exit(7);
  while (set.hang.holds(job.number))
    std::this_thread::sleep_for(milliseconds(50));
}

nexus_result execute(job_runner& runner, const order& job,
                     const device_settings& set,
                     const std::atomic<bool>& cancelled) {
  misbehave(job, set);
  if (is_lost(job, set)) {
    return nexus::common::failed(NEXUS_E_LOST, "stub: told to be lost");
  }
  if (set.fail.holds(job.number)) {
    if (job.output_capacity > 0) {
      std::memset(job.output, 0xa5, job.output_capacity / 2);
    }
    return nexus::common::failed(set.code, "stub: told to fail");
  }
  const bool opens = std::strcmp(job.operation, NEXUS_JOB_AGE_OPEN) == 0;
  nexus_job quiet = job;  // what is drained is drained below, spoilt or not
  quiet.drain = nullptr;
  const nexus_result result = set.tags && opens ? leave_tags(job, cancelled)
                                                : runner.run(quiet, cancelled);
  if (result.output_bytes > 0 && set.corrupt.holds(job.number)) {
    job.output[result.output_bytes / 2] ^= 1;
  }
  if (set.garbage.holds(job.number)) {
    std::memset(job.output, 0x5a, result.output_bytes);
  }
  if (job.drain != nullptr && result.status == NEXUS_OK) {
    job.drain(job.drain_context, result.output_bytes, result.flags);
  }
  if (set.regret.holds(job.number)) {
    return nexus::common::failed(set.code, "stub: told to think again");
  }
  return result;
}

// One of the jobs that are at work.
class work_mark {
 public:
  work_mark() {
    const std::lock_guard lock(state().mutex);
    number_ = ++state().at_work;
  }
  ~work_mark() {
    const std::lock_guard lock(state().mutex);
    --state().at_work;
  }
  work_mark(const work_mark&) = delete;
  work_mark& operator=(const work_mark&) = delete;
  [[nodiscard]] std::uint32_t number() const { return number_; }

 private:
  std::uint32_t number_ = 0;
};

nexus_result run_on_lane(nexus_device& device, std::uint32_t lane,
                         const order& job, const std::atomic<bool>& cancelled) {
  const device_settings set = settings_of(device.index);
  const work_mark mark;
  if (set.room != 0 && mark.number() > set.room) {
    return nexus::common::failed(NEXUS_E_NO_MEMORY, "stub: no room");
  }
  if (!wait_out(job, set, cancelled)) {
    return nexus::common::failed(NEXUS_E_CANCELLED, nullptr);
  }
  return execute(*device.runners[lane], job, set, cancelled);
}

// The pool's `done`: passes the completion on in the way that is set.
void finished(void* user, std::uint64_t, const nexus_result* result) {
  auto* job = static_cast<order*>(user);
  job->result = *result;
  const device_settings set = settings_of(job->owner->index);
  if (set.reorder > 1) {
    job->owner->late.add(job, set.reorder);
  } else if (set.done == device_settings::caller::thread) {
    job->owner->late.add(job, 1);
  } else {
    deliver(job);
  }
}

// ---- the backend's functions ----------------------------------------------

std::int32_t probe(const nexus_host*, std::uint32_t index,
                   nexus_device_info* info) {
  if (!exists(index)) return NEXUS_E_END;
  const device_settings set = settings_of(index);
  const std::lock_guard lock(state().mutex);
  const bool gpu = state().settings.is_gpu(index);
  nexus_device_info made{};
  made.size = sizeof made;
  made.kind = gpu ? NEXUS_DEVICE_GPU : NEXUS_DEVICE_CPU;
  made.score = set.score;
  made.flags = set.on_request ? +NEXUS_DEVICE_ON_REQUEST : 0u;
  made.max_lanes = set.max_lanes;
  made.lane_depth = set.depth;
  made.numa_node = -1;
  made.memory_bytes = set.memory;
  std::snprintf(made.name, sizeof made.name, "stub %s %u", gpu ? "gpu" : "cpu",
                index);
  std::snprintf(made.pci_id, sizeof made.pci_id, "%s", set.pci.c_str());
  std::snprintf(made.driver, sizeof made.driver, "stub");
  if (set.score == 0) {
    std::snprintf(made.note, sizeof made.note, "told to be unable");
  }
  return hand_over(made, info);
}

bool offers(const device_settings& set, const char* operation) {
  if (operation == nullptr || !nexus::cpu::supports_operation(operation)) {
    return false;
  }
  const std::string list = "," + set.operations + ",";
  return set.operations.empty() ||
         list.find("," + std::string(operation) + ",") != std::string::npos;
}

std::int32_t caps(std::uint32_t index, const char* operation,
                  nexus_caps* caps) {
  if (!exists(index)) return NEXUS_E_UNSUPPORTED;
  const device_settings set = settings_of(index);
  if (!offers(set, operation)) return NEXUS_E_UNSUPPORTED;
  nexus_caps made{};
  made.size = sizeof made;
  made.flags = set.import ? +NEXUS_CAPS_WANTS_IMPORT : 0u;
  if (set.drains) made.flags |= NEXUS_CAPS_DRAINS;
  made.min_bytes = set.min_bytes;
  made.preferred_bytes = set.preferred_bytes;
  made.max_bytes = set.max_bytes;
  made.alignment = set.alignment;
  made.scratch_bytes = set.scratch_bytes;
  return hand_over(made, caps);
}

void record_lanes(const nexus_open& options) {
  const std::lock_guard lock(state().mutex);
  device_record& record = state().devices[options.device_index];
  ++record.counters.opened;
  record.lanes.clear();
  for (std::uint32_t i = 0; i < options.lane_count; ++i) {
    const nexus_lane& lane = *options.lanes[i];
    record.lanes.push_back(
        {lane.numa_node,
         {lane.processors, lane.processors + lane.processor_count}});
  }
}

std::int32_t open_device(const nexus_host* host, const nexus_open* options,
                         nexus_device** device, nexus_error* error) {
  if (!exists(options->device_index) || options->lane_count == 0) {
    return refuse(error, NEXUS_E_ARGUMENT, "stub: no such device");
  }
  const device_settings set = settings_of(options->device_index);
  if (set.open_code != NEXUS_OK) {
    return refuse(error, set.open_code, "stub: told not to open");
  }
  if (set.max_lanes != 0 && options->lane_count > set.max_lanes) {
    return refuse(error, NEXUS_E_ARGUMENT, "stub: too many lanes");
  }
  auto made = std::make_unique<nexus_device>();
  made->index = options->device_index;
  const auto& armor = nexus::cpu::pick_armor_codec(nullptr);
  made->inline_runner = job_runner::create(armor);
  for (std::uint32_t i = 0; i < options->lane_count; ++i) {
    made->runners.push_back(job_runner::create(armor));
    if (!made->runners.back() || !made->inline_runner) {
      return refuse(error, NEXUS_E_UNSUPPORTED, "stub: no cipher");
    }
  }
  worker_pool::options wanted;
  wanted.lanes = {options->lanes, options->lane_count};
  wanted.depth = set.depth;
  wanted.thread_name = "nexus-stb";
  wanted.host = host;
  wanted.run = [owner = made.get()](std::uint32_t lane, const nexus_job& job,
                                    const std::atomic<bool>& cancelled) {
    return run_on_lane(*owner, lane, static_cast<const order&>(job), cancelled);
  };
  made->pool = worker_pool::start(std::move(wanted));
  if (!made->pool) return refuse(error, NEXUS_E_NO_MEMORY, "stub: no threads");
  record_lanes(*options);
  *device = made.release();
  return NEXUS_OK;
}

std::int32_t open(const nexus_host* host, const nexus_open* options,
                  nexus_device** device, nexus_error* error) {
  try {
    return open_device(host, options, device, error);
  } catch (const std::bad_alloc&) {
    return refuse(error, NEXUS_E_NO_MEMORY, "stub: out of memory");
  } catch (const std::system_error&) {
    return refuse(error, NEXUS_E_NO_MEMORY, "stub: no threads");
  }
}

void close(nexus_device* device) {
  {
    const std::lock_guard lock(state().mutex);
    device_record& record = state().devices[device->index];
    ++record.counters.closed;
    record.counters.bad_imports += record.imports.size();
    record.imports.clear();
  }
  delete device;
}

bool holds(const nexus_buffer* import, const device_record& record,
           const std::uint8_t* begin, std::uint64_t bytes) {
  if (!record.imports.contains(import)) return false;
  return begin >= import->memory &&
         begin + bytes <= import->memory + import->bytes;
}

// Under the lock.
void count_imports(const order& job, device_record& record) {
  const bool in = job.input_import != nullptr;
  const bool out = job.output_import != nullptr;
  if (!in && !out) return;
  ++record.counters.imported_jobs;
  if ((in && !holds(job.input_import, record, job.input, job.input_bytes)) ||
      (out &&
       !holds(job.output_import, record, job.output, job.output_capacity)))
    ++record.counters.bad_imports;
}

// Counts the job as accepted, or takes that back.
void count(order& job, bool accepted) {
  const std::lock_guard lock(state().mutex);
  device_record& record = state().devices[job.owner->index];
  nexus_stub_counters& c = record.counters;
  if (!accepted) {
    --c.accepted;
    --record.held;
    c.bytes -= job.input_bytes;
    return;
  }
  job.number = ++c.accepted;
  c.bytes += job.input_bytes;
  c.most_held = std::max(c.most_held, ++record.held);
  record.last_operation = job.operation;
  count_imports(job, record);
}

// What submit() answers before the job is looked at.
std::int32_t first_answer(std::uint32_t device, const device_settings& set) {
  const std::lock_guard lock(state().mutex);
  const std::uint64_t call = ++state().devices[device].counters.submitted;
  if (set.refuse.holds(call)) return set.code;
  return set.busy.holds(call) ? NEXUS_E_BUSY : NEXUS_OK;
}

std::int32_t submit_order(nexus_device* device, std::uint32_t lane,
                          const nexus_job* job, nexus_done done, void* user) {
  const device_settings set = settings_of(device->index);
  std::int32_t answer = first_answer(device->index, set);
  if (answer == NEXUS_OK) answer = nexus::cpu::check_job(job);
  if (answer == NEXUS_OK && !offers(set, job->operation)) {
    answer = NEXUS_E_UNSUPPORTED;
  }
  if (answer == NEXUS_OK && lane >= device->runners.size()) {
    answer = NEXUS_E_ARGUMENT;
  }
  if (answer != NEXUS_OK) return answer;
  auto made = std::make_unique<order>();
  static_cast<nexus_job&>(*made) = *job;
  made->owner = device;
  made->done = done;
  made->user = user;
  count(*made, true);
  if (set.done == device_settings::caller::submit) {
    const std::atomic<bool> never{false};
    made->result = execute(*device->inline_runner, *made, set, never);
    deliver(made.release());
    return NEXUS_OK;
  }
  // Once the pool has taken it, the lane's thread may have freed it already.
  order* const sent = made.release();
  answer = device->pool->submit(lane, sent, finished, sent);
  if (answer == NEXUS_OK) return NEXUS_OK;
  made.reset(sent);
  count(*made, false);
  return answer;
}

std::int32_t submit(nexus_device* device, std::uint32_t lane,
                    const nexus_job* job, nexus_done done, void* user) {
  try {
    return submit_order(device, lane, job, done, user);
  } catch (const std::bad_alloc&) {
    return NEXUS_E_NO_MEMORY;
  }
}

void cancel(nexus_device* device, std::uint64_t job_id) {
  {
    const std::lock_guard lock(state().mutex);
    ++state().devices[device->index].counters.cancelled;
  }
  device->pool->cancel(job_id);
  state().changed.notify_all();
}

std::int32_t health(nexus_device* device, nexus_health* health) {
  const std::lock_guard lock(state().mutex);
  device_record& record = state().devices[device->index];
  ++record.counters.health_asked;
  nexus_health made{};
  made.size = sizeof made;
  made.status = record.lost ? NEXUS_E_LOST
                            : state().settings.device(device->index).health;
  std::snprintf(made.message, sizeof made.message, "%s",
                record.lost               ? "stub: lost"
                : made.status == NEXUS_OK ? ""
                                          : "stub: told to be ill");
  hand_over(made, health);
  return NEXUS_OK;
}

std::int32_t import_buffer(nexus_device* device, void* memory,
                           std::uint64_t bytes, int, nexus_buffer** buffer) {
  const std::lock_guard lock(state().mutex);
  device_record& record = state().devices[device->index];
  ++record.counters.imported;
  const std::int32_t code = state().settings.device(device->index).import_code;
  if (code != NEXUS_OK) return code;
  auto* made = new (std::nothrow)
      nexus_buffer{static_cast<const std::uint8_t*>(memory), bytes};
  if (made == nullptr) return NEXUS_E_NO_MEMORY;
  record.imports.insert(made);
  *buffer = made;
  return NEXUS_OK;
}

void release_buffer(nexus_device* device, nexus_buffer* buffer) {
  const std::lock_guard lock(state().mutex);
  device_record& record = state().devices[device->index];
  ++record.counters.released;
  if (record.imports.erase(buffer) == 0) {
    ++record.counters.bad_imports;
    return;
  }
  delete buffer;
}

const void* get_extension(const char* name) {
  return std::strcmp(name, NEXUS_STUB_CONTROL) == 0 ? &nexus::stub::control()
                                                    : nullptr;
}

constexpr nexus_backend backend = {sizeof(nexus_backend),
                                   0,
                                   probe,
                                   caps,
                                   open,
                                   close,
                                   submit,
                                   cancel,
                                   health,
                                   import_buffer,
                                   release_buffer,
                                   get_extension};

constexpr nexus_plugin plugin = {sizeof(nexus_plugin),
                                 NEXUS_ABI_MAJOR,
                                 NEXUS_ABI_MINOR,
                                 0,
                                 "stub",
                                 "1.0.0",
                                 &backend,
                                 nullptr};

}  // namespace

extern "C" const nexus_plugin* nexus_plugin_entry(const nexus_host*) {
  nexus::stub::read_environment();
  return &plugin;
}
