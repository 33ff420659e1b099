#include "isolate/remote_device.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>
#include <nexus/secret.hpp>
#include <system_error>

#include "async/thread_setup.hpp"
#include "base/bytes.hpp"
#include "base/shared_pages.hpp"

namespace nexus::isolate {
namespace {

using clock = std::chrono::steady_clock;

// A job that is not wanted any more may take so long before the helper is.
constexpr auto cancel_patience = std::chrono::seconds(5);
constexpr double health_patience = 10;  // seconds

// What import_buffer() hands out. The memory and descriptor stay the caller's.
struct imported {
  std::uint64_t id;
  std::byte* base;
  std::size_t size;
  int fd;
  bool writable;
};

const imported* from_handle(const nexus_buffer* buffer) {
  return reinterpret_cast<const imported*>(buffer);
}

// Memory of a slot's own, for what is not in a shared buffer.
class scratch {
 public:
  explicit scratch(bool writable) : writable_(writable) {}
  ~scratch() { drop(); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  // At least `size` bytes, under a number of its own; false: no memory. drops:
  // told the number that is of no use any more.
  template <class Drop>
  bool reserve(std::size_t size, std::atomic<std::uint64_t>& numbers,
               Drop drops) {
    if (size <= size_) return true;
    if (size_ != 0) drops(id_);
    drop();
    const std::size_t rounded = round_up(size, 4096);
    pages_ = map_shared_pages(rounded, writable_);
    if (pages_.data == nullptr) return false;
    size_ = rounded;
    id_ = numbers++;
    return true;
  }
  [[nodiscard]] std::byte* data() const { return pages_.data; }
  [[nodiscard]] imported as_import() const {
    return {id_, pages_.data, size_, pages_.fd, writable_};
  }

 private:
  void drop() {
    if (pages_.data == nullptr) return;
    wipe(pages_.data, size_);
    ::munmap(pages_.data, size_);
    ::close(pages_.fd);
    pages_ = {};
    size_ = 0;
  }

  const bool writable_;
  shared_pages pages_;
  std::size_t size_ = 0;
  std::uint64_t id_ = 0;
};

place place_of(const imported& memory, const void* begin, std::size_t size) {
  place at;
  at.id = memory.id;
  at.file_bytes = memory.size;
  at.offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(begin) -
                                         memory.base);
  at.bytes = size;
  at.writable = memory.writable ? 1 : 0;
  return at;
}

bool is_status(std::int32_t status) {
  return status >= NEXUS_OK && status <= NEXUS_E_IO && status != NEXUS_E_END;
}

}  // namespace

struct remote_device::outcome {
  job_result result;
  std::string text;

  static outcome of(std::int32_t status, std::string text) {
    outcome made;
    made.result.status = status;
    made.text = std::move(text);
    return made;
  }
};

struct remote_device::slot {
  std::uint32_t index = 0;
  std::uint32_t lane = 0;
  std::thread thread;
  // One word from cancel() to the thread that waits for an answer.
  descriptor wake;

  // Under the device's mutex.
  bool busy = false;
  bool taken = false;  // by the slot's thread
  bool cancelled = false;
  nexus_job job{};
  double patience = 0;
  nexus_done done = nullptr;
  void* user = nullptr;

  // Of the slot's thread alone.
  isolate::job request;
  imported input{};
  imported output{};
  scratch own_input{false};
  scratch own_output{true};
  scratch own_tags{true};
};

result<std::unique_ptr<device_port>> remote_device::open(
    remote_settings settings) {
  std::unique_ptr<remote_device> made(new remote_device(std::move(settings)));
  const status slots = made->start_slots();
  if (!slots.ok()) return slots;
  std::string why;
  bool gone = false;
  if (!made->running(why, gone)) return status(status_code::device_failed, why);
  return std::unique_ptr<device_port>(std::move(made));
}

remote_device::remote_device(remote_settings settings)
    : settings_(std::move(settings)) {
  hello& greeting = settings_.worker.greeting;
  const std::uint32_t most =
      static_cast<std::uint32_t>(max_slots) / greeting.lane_count;
  settings_.lane_depth = std::clamp(settings_.lane_depth, 1u, most);
  greeting.slot_count = greeting.lane_count * settings_.lane_depth;
}

status remote_device::start_slots() {
  const hello& greeting = settings_.worker.greeting;
  for (std::uint32_t i = 0; i < greeting.slot_count; ++i) {
    slots_.push_back(std::make_unique<slot>());
    slot& mine = *slots_.back();
    mine.index = i;
    mine.lane = i / settings_.lane_depth;
    mine.wake = descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!mine.wake)
      return {status_code::device_failed, "no descriptors for a device"};
    try {
      mine.thread = std::thread([this, &mine] { serve(mine); });
    } catch (const std::system_error&) {
      return {status_code::device_failed, "no threads for a device"};
    }
  }
  return {};
}

remote_device::~remote_device() {
  closing_ = true;
  {
    const std::lock_guard lock(mutex_);
    handed_.notify_all();
  }
  for (const auto& each : slots_)
    if (each->thread.joinable()) each->thread.join();
}

std::int32_t remote_device::caps(const char* operation, nexus_caps& caps) {
  return settings_.caps(operation, caps);
}

std::int32_t remote_device::submit(std::uint32_t lane, const nexus_job& job,
                                   double patience, nexus_done done,
                                   void* user) {
  if (job.params_bytes > max_params ||
      std::strlen(job.operation) >= sizeof isolate::job{}.operation)
    return NEXUS_E_ARGUMENT;
  const std::lock_guard lock(mutex_);
  for (const auto& each : slots_) {
    if (each->lane != lane || each->busy) continue;
    each->busy = true;
    each->taken = each->cancelled = false;
    each->job = job;
    each->patience = patience;
    each->done = done;
    each->user = user;
    handed_.notify_all();
    return NEXUS_OK;
  }
  return NEXUS_E_BUSY;
}

void remote_device::cancel(std::uint64_t job_id) {
  process_ptr process;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : slots_) {
      if (!each->busy || each->job.id != job_id || each->cancelled) continue;
      each->cancelled = true;
      ++cancelling_;
      const std::uint64_t one = 1;
      (void)!::write(each->wake.get(), &one, sizeof one);
      process = process_;
    }
  }
  if (!process) return;
  isolate::cancel order;
  order.id = job_id;
  process->send_control(packet(order));
}

std::int32_t remote_device::health(nexus_health& health) {
  std::string why;
  bool gone = false;
  const process_ptr process = running(why, gone);
  if (!process) {
    health.status = gone ? NEXUS_E_LOST : NEXUS_E_DEVICE;
    std::snprintf(health.message, sizeof health.message, "%s", why.c_str());
    return NEXUS_OK;
  }
  health = process->ask_health(health_patience);
  if (health.status != NEXUS_E_LOST) return NEXUS_OK;
  // Some errors end what the driver keeps for a process, and with it are over:
  // whether the device is gone is for the next one to say.
  process->end(health.message);
  (void)process->cause();  // waits for its end
  health.status = NEXUS_E_DEVICE;
  return NEXUS_OK;
}

remote_device::process_ptr remote_device::running(std::string& why,
                                                  bool& gone) {
  const std::lock_guard starting(starting_);
  process_ptr old;
  {
    const std::lock_guard lock(mutex_);
    if (process_ && process_->alive()) return process_;
    old.swap(process_);
  }
  old.reset();  // may wait for its end
  const auto give_up = [this] { return closing_ || cancelling_ != 0; };
  auto made = worker_process::start(settings_.worker, give_up, gone);
  if (!made.ok()) {
    why = made.error().message();
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  if (std::exchange(was_started_, true)) {
    ++restarts_;
    if (settings_.worker.log)
      settings_.worker.log(settings_.worker.name +
                           ": its process was started again");
  }
  process_ = *made;
  return process_;
}

// ---- buffers ----------------------------------------------------------------

nexus_buffer* remote_device::import_buffer(void* memory, std::size_t size,
                                           int fd) {
  if (fd < 0) return nullptr;
  auto* made = new (std::nothrow)
      imported{next_place_++, static_cast<std::byte*>(memory), size, fd,
               others_may_write(fd)};
  return reinterpret_cast<nexus_buffer*>(made);
}

void remote_device::release_buffer(nexus_buffer* buffer) {
  const std::unique_ptr<const imported> made(from_handle(buffer));
  process_ptr process;
  {
    const std::lock_guard lock(mutex_);
    process = process_;
  }
  if (!process) return;
  isolate::forget order;
  order.id = made->id;
  process->send_control(packet(order));
}

// ---- a slot's thread --------------------------------------------------------

void remote_device::serve(slot& mine) {
  set_up_thread("nexus-remote");
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      handed_.wait(lock,
                   [&] { return closing_ || (mine.busy && !mine.taken); });
      if (!mine.busy || mine.taken) return;
      mine.taken = true;
    }
    outcome made;
    try {
      made = perform(mine);
    } catch (const std::bad_alloc&) {
      made.result.status = NEXUS_E_NO_MEMORY;
    }
    wipe(mine.request.params, sizeof mine.request.params);
    nexus_result told{};
    told.size = sizeof told;
    told.status = made.result.status;
    told.output_bytes = made.result.output_bytes;
    told.error_offset = made.result.error_offset;
    told.flags = made.result.flags;
    told.tags_bytes = made.result.tags_bytes;
    told.device_ns = made.result.device_ns;
    told.message = made.text.empty() ? nullptr : made.text.c_str();
    nexus_done done = nullptr;
    void* user = nullptr;
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(mutex_);
      if (mine.cancelled) --cancelling_;
      std::uint64_t rest = 0;
      (void)!::read(mine.wake.get(), &rest, sizeof rest);
      done = mine.done;
      user = mine.user;
      id = mine.job.id;
      mine.busy = false;
    }
    done(user, id, &told);
  }
}

remote_device::outcome remote_device::perform(slot& mine) {
  const nexus_job& job = mine.job;
  if (job.fill != nullptr) {
    const std::int32_t got = job.fill(job.fill_context);
    if (got != NEXUS_OK) return outcome::of(got, {});
  }
  {
    const std::lock_guard lock(mutex_);
    if (mine.cancelled) return outcome::of(NEXUS_E_CANCELLED, {});
  }
  std::string why;
  bool gone = false;
  const process_ptr process = running(why, gone);
  if (!process && !gone) {
    // It was not started since others do not want it any more.
    const std::lock_guard lock(mutex_);
    if (!mine.cancelled && cancelling_ != 0)
      return outcome::of(NEXUS_E_BUSY, why);
  }
  if (!process)
    return outcome::of(
        gone ? static_cast<std::int32_t>(NEXUS_E_LOST) : worker_died, why);
  outcome made = exchange(mine, *process);
  if (made.result.status == NEXUS_OK || made.result.status == NEXUS_E_DATA)
    take_back(mine, made);
  if (made.result.status == NEXUS_OK && job.drain != nullptr)
    job.drain(job.drain_context, made.result.output_bytes, made.result.flags);
  return made;
}

// Sends the job and waits for what becomes of it.
remote_device::outcome remote_device::exchange(slot& mine,
                                               worker_process& process) {
  const nexus_job& job = mine.job;
  isolate::job& request = mine.request;
  request = {};
  request.lane = mine.lane;
  request.id = job.id;
  std::snprintf(request.operation, sizeof request.operation, "%s",
                job.operation);
  request.params_bytes = job.params_bytes;
  request.tells_steps = job.step != nullptr ? 1 : 0;
  if (job.params_bytes != 0)
    std::memcpy(request.params, job.params, job.params_bytes);

  // Memory of a host's own, which nobody else can map, is copied.
  const auto drops = [&process](std::uint64_t id) {
    isolate::forget order;
    order.id = id;
    process.send_control(packet(order));
  };
  const bool has_room =
      (job.input_import != nullptr ||
       mine.own_input.reserve(job.input_bytes, next_place_, drops)) &&
      (job.output_import != nullptr ||
       mine.own_output.reserve(job.output_capacity, next_place_, drops)) &&
      mine.own_tags.reserve(job.tags_capacity, next_place_, drops);
  if (!has_room)
    return outcome::of(NEXUS_E_NO_MEMORY,
                       "no memory to share with its process");
  mine.input = job.input_import != nullptr ? *from_handle(job.input_import)
                                           : mine.own_input.as_import();
  mine.output = job.output_import != nullptr ? *from_handle(job.output_import)
                                             : mine.own_output.as_import();
  const void* input = job.input;
  const void* output = job.output;
  if (job.input_import == nullptr && job.input_bytes != 0) {
    std::memcpy(mine.own_input.data(), job.input, job.input_bytes);
    input = mine.own_input.data();
  }
  if (job.output_import == nullptr) output = mine.own_output.data();
  const imported tags = mine.own_tags.as_import();
  std::vector<int> descriptors;
  const auto name = [&](place& at, const imported& memory, const void* begin,
                        std::uint64_t size) {
    if (size == 0) return;
    at = place_of(memory, begin, size);
    if (process.meets(memory.id)) return;
    at.descriptor = 1;
    descriptors.push_back(memory.fd);
  };
  name(request.input, mine.input, input, job.input_bytes);
  name(request.output, mine.output, output, job.output_capacity);
  name(request.tags, tags, mine.own_tags.data(), job.tags_capacity);
  const auto sent =
      send_packet(process.slot(mine.index), packet(request), descriptors);
  if (sent != channel_state::ok) {
    process.end("it does not take jobs");
    return outcome::of(worker_died, process.cause());
  }
  return await(mine, process);
}

// Whether the packet is a step after `last`, and no answer: more of them than
// there are would hold off the end of patience.
bool remote_device::take_step(const slot& mine, const job_result& packet,
                              std::size_t size, std::uint32_t& last) {
  job_step said;
  if (size != sizeof said || packet.kind != message::job_step) return false;
  std::memcpy(static_cast<void*>(&said), &packet, sizeof said);
  const bool good = said.id == mine.job.id && mine.job.step != nullptr &&
                    said.step > last && said.step <= said.steps &&
                    said.steps <= max_steps;
  if (!good) return false;
  last = said.step;
  said.name[sizeof said.name - 1] = '\0';
  mine.job.step(mine.job.step_context, said.step, said.steps, said.name);
  return true;
}

remote_device::outcome remote_device::await(slot& mine,
                                            worker_process& process) {
  const auto died = [&](const char* why) {
    if (why != nullptr) process.end(why);
    return outcome::of(worker_died, process.cause());
  };
  const auto begin = clock::now();
  const bool for_ever = mine.patience <= 0;
  // Some thirty years: more would not fit the clock.
  constexpr double longest = 1e9;
  auto limit =
      begin +
      std::chrono::duration_cast<clock::duration>(
          std::chrono::duration<double>(std::min(mine.patience, longest)));
  bool hurried = false;
  std::uint32_t step = 0;
  for (;;) {
    pollfd waits[] = {{process.slot(mine.index), POLLIN, 0},
                      {mine.wake.get(), POLLIN, 0}};
    int wait_ms = -1;
    if (!for_ever || hurried) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(limit - clock::now());
      wait_ms = static_cast<int>(
          std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
    }
    const int ready = ::poll(waits, hurried ? 1 : 2, wait_ms);
    if (ready < 0 && errno != EINTR) return died("its socket cannot be read");
    if (ready == 0 && clock::now() < limit) continue;  // poll() waits no longer
    if (ready == 0) {
      char text[80];
      std::snprintf(
          text, sizeof text, "it did not answer for %.1f seconds",
          std::chrono::duration<double>(clock::now() - begin).count());
      return died(text);
    }
    if (ready > 0 && waits[1].revents != 0 && !hurried) {
      hurried = true;
      const auto soon = clock::now() + cancel_patience;
      limit = for_ever ? soon : std::min(limit, soon);
    }
    if (ready <= 0 || waits[0].revents == 0) continue;
    outcome made;
    std::size_t size = 0;
    const auto got = receive_packet(process.slot(mine.index),
                                    packet_room(made.result), size);
    if (got == channel_state::closed) return died(nullptr);
    if (got == channel_state::ok && take_step(mine, made.result, size, step))
      continue;
    const job_result& said = made.result;
    if (got != channel_state::ok || size != sizeof said ||
        said.kind != message::job_result || said.id != mine.job.id ||
        !is_status(said.status))
      return died("it sent what makes no sense");
    if (said.output_bytes > mine.job.output_capacity ||
        said.tags_bytes > mine.job.tags_capacity)
      return died("it claims more output than there is room for");
    if (said.status != NEXUS_OK)
      made.text.assign(said.text, ::strnlen(said.text, sizeof said.text));
    return made;
  }
}

// What the helper made, where the job's owner looks for it.
void remote_device::take_back(slot& mine, outcome& made) {
  const nexus_job& job = mine.job;
  const job_result& said = made.result;
  if (job.output_import == nullptr && said.output_bytes != 0)
    std::memcpy(job.output, mine.own_output.data(), said.output_bytes);
  if (said.tags_bytes != 0)
    std::memcpy(job.tags, mine.own_tags.data(), said.tags_bytes);
}

}  // namespace nexus::isolate
