// The helper's side: one device of one plugin, jobs by socket.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <nexus/engine.hpp>
#include <nexus/hardware.hpp>
#include <nexus/secret.hpp>
#include <nexus/worker.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "async/thread_setup.hpp"
#include "backend/device.hpp"
#include "backend/plugin_loader.hpp"
#include "isolate/channel.hpp"
#include "isolate/confine.hpp"
#include "isolate/protocol.hpp"

namespace nexus::isolate {
namespace {

template <std::size_t N>
void put_text(char (&into)[N], const std::string& text) {
  std::snprintf(into, N, "%s", text.c_str());
}

template <std::size_t N>
std::string get_text(const char (&text)[N]) {
  return {text, ::strnlen(text, N)};
}

// A memfd of the engine's, mapped here, and what the plugin made of it.
class mapping {
 public:
  mapping(descriptor file, std::uint64_t bytes, bool writable)
      : bytes_(static_cast<std::size_t>(bytes)) {
    struct stat about{};
    if (::fstat(file.get(), &about) != 0 ||
        static_cast<std::uint64_t>(about.st_size) < bytes)
      return;
    writable_ = writable;
    file_ = std::move(file);
    try_to_map();
  }
  // The engine hands a file over once: what failed for lack of memory is tried
  // again with the next job.
  void try_to_map() {
    if (data_ != nullptr || !file_) return;
    void* at = ::mmap(nullptr, bytes_, PROT_READ | (writable_ ? PROT_WRITE : 0),
                      MAP_SHARED, file_.get(), 0);
    if (at != MAP_FAILED) data_ = static_cast<std::byte*>(at);
  }
  ~mapping() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return bytes_; }
  [[nodiscard]] int fd() const { return file_.get(); }

  nexus_buffer* handle = nullptr;
  bool tried_import = false;

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_;
  bool writable_ = false;
  descriptor file_;
};

class server {
 public:
  explicit server(descriptor control) : control_(std::move(control)) {}
  int run();

 private:
  struct slot {
    server* owner = nullptr;
    descriptor socket;
    std::thread thread;
    isolate::job request;
    nexus_job job{};
    std::shared_ptr<mapping> input, output, tags;
  };

  status receive_hello();
  status open_device();
  bool answer(std::int32_t status, const std::string& text);
  void serve_slot(slot& mine);
  std::int32_t submit(slot& mine, std::vector<descriptor>& files);
  std::shared_ptr<mapping> map(const place& at, std::size_t& next,
                               std::vector<descriptor>& files);
  std::uint8_t* memory_of(const place& at, const mapping& in) const;
  nexus_buffer* import(mapping& memory, const char* operation);
  void reply(slot& mine, const nexus_result& result);
  static void on_step(void* context, std::uint32_t step, std::uint32_t steps,
                      const char* name);
  static void on_done(void* user, std::uint64_t, const nexus_result* result);
  void serve_control();
  void forget_place(std::uint64_t id);
  void tell_health(std::uint32_t turn);
  void close_device();

  descriptor control_;
  hello greeting_;
  std::vector<descriptor> sockets_;
  std::unique_ptr<plugin_loader> loader_;
  std::shared_ptr<const loaded_plugin> plugin_;
  nexus_device* device_ = nullptr;
  std::vector<std::unique_ptr<slot>> slots_;
  std::mutex device_mutex_;  // of submit and cancel
  std::mutex places_mutex_;
  std::map<std::uint64_t, std::shared_ptr<mapping>> places_;
};

int server::run() {
  status ready = receive_hello();
  if (!ready.ok()) {
    (void)answer(NEXUS_E_UNSUPPORTED, ready.message());
    return 1;
  }
  confine_early();
  const bool placed = set_priorities(greeting_);
  ready = open_device();
  if (!ready.ok()) {
    (void)answer(
        ready.code() == status_code::no_device ? NEXUS_E_LOST : NEXUS_E_DEVICE,
        ready.message());
    return 1;
  }
  if (greeting_.lane_count == 0) return answer(NEXUS_OK, {}) ? 0 : 1;
  log_line note;
  if (!placed) {
    put_text(note.text, "its priority could not be changed");
    (void)send_if_room(control_.get(), packet(note));
  }
  if (!confine_calls(greeting_.confine)) {
    put_text(note.text, "the kernel has no filter of system calls for it");
    (void)send_if_room(control_.get(), packet(note));
  }
  for (auto& socket : sockets_) {
    slots_.push_back(std::make_unique<slot>());
    slot& mine = *slots_.back();
    mine.owner = this;
    mine.socket = std::move(socket);
    mine.thread = std::thread([this, &mine] { serve_slot(mine); });
  }
  // Nobody hears of it: then nobody waits for it either.
  if (!answer(NEXUS_OK, {})) ::_exit(1);
  serve_control();
  // Nobody waits for the jobs that are under way.
  ::alarm(4);
  for (auto& each : slots_) {
    (void)::shutdown(each->socket.get(), SHUT_RDWR);
    each->thread.join();
  }
  close_device();
  return 0;
}

status server::receive_hello() {
  std::size_t size = 0;
  const auto got =
      receive_packet(control_.get(), packet_room(greeting_), size, &sockets_);
  if (got != channel_state::ok || size != sizeof greeting_ ||
      greeting_.kind != message::hello ||
      greeting_.version != protocol_version ||
      get_text(greeting_.release) != version())
    return {status_code::unsupported,
            std::string("nexus-pipe-worker is of release ") + version() +
                ", and the engine of another"};
  if (greeting_.lane_count > max_lanes ||
      (greeting_.lane_count == 0) != (greeting_.slot_count == 0) ||
      greeting_.slot_count != sockets_.size())
    return {status_code::unsupported, "the engine's greeting makes no sense"};
  return {};
}

bool server::answer(std::int32_t status, const std::string& text) {
  opened ready;
  ready.status = status;
  put_text(ready.text, text);
  return send_packet(control_.get(), packet(ready)) == channel_state::ok;
}

status server::open_device() {
  const auto log = [this](const std::string& line) {
    log_line said;
    put_text(said.text, line);
    (void)send_if_room(control_.get(), packet(said));
  };
  const std::string name = get_text(greeting_.plugin);
  loader_ = std::make_unique<plugin_loader>(
      std::vector<std::string>{get_text(greeting_.directory)}, log);
  loader_->set_requested(get_text(greeting_.requested));
  loader_->load(name);
  std::string reason = "it is not there";
  for (const auto& candidate : loader_->candidates()) {
    if (candidate.plugin && candidate.plugin->name == name)
      plugin_ = candidate.plugin;
    if (!candidate.reason.empty()) reason = candidate.reason;
  }
  if (!plugin_ || !plugin_->has_backend)
    return {status_code::unsupported,
            "its process cannot load plugin " + name + ": " + reason};
  const auto probed = probe_devices(plugin_, loader_->host());
  if (greeting_.lane_count == 0) return {};  // it was to survive that
  if (greeting_.device_index >= probed.size())
    return {status_code::no_device, "its process does not see the device"};

  std::vector<std::vector<std::uint32_t>> processors(greeting_.lane_count);
  std::vector<nexus_lane> lanes(greeting_.lane_count);
  std::vector<const nexus_lane*> pointers;
  for (std::uint32_t i = 0; i < greeting_.lane_count; ++i) {
    for (std::uint32_t p = 0; p < max_processors; ++p)
      if ((greeting_.processors[i][p / 64] >> (p % 64) & 1) != 0)
        processors[i].push_back(p);
    lanes[i].size = sizeof lanes[i];
    lanes[i].numa_node = greeting_.numa_node[i];
    lanes[i].processor_count = static_cast<std::uint32_t>(processors[i].size());
    lanes[i].processors = processors[i].data();
    pointers.push_back(&lanes[i]);
  }
  nexus_open options{};
  options.size = sizeof options;
  options.device_index = greeting_.device_index;
  options.lane_count = greeting_.lane_count;
  options.lanes = pointers.data();
  nexus_error error{};
  error.size = sizeof error;
  const std::int32_t code =
      plugin_->backend.open(loader_->host(), &options, &device_, &error);
  if (code == NEXUS_OK && device_ != nullptr) return {};
  error.message[sizeof error.message - 1] = '\0';
  return {
      code == NEXUS_E_LOST ? status_code::no_device
                           : status_code::device_failed,
      error.message[0] != '\0' ? error.message : "the device cannot be opened"};
}

// ---- jobs -------------------------------------------------------------------

void server::serve_slot(slot& mine) {
  set_up_thread("nexus-slot");
  for (;;) {
    std::vector<descriptor> files;
    std::size_t size = 0;
    const auto got = receive_packet(mine.socket.get(),
                                    packet_room(mine.request), size, &files);
    if (got == channel_state::closed) return;
    if (got == channel_state::garbage) {
      // Descriptors that found no room here do not come again: the next process
      // is given all of them.
      std::fputs("it lost descriptors of a job\n", stderr);
      ::_exit(1);
    }
    std::int32_t status = NEXUS_E_ARGUMENT;
    if (size == sizeof mine.request && mine.request.kind == message::job)
      status = submit(mine, files);
    if (status == NEXUS_OK) continue;
    nexus_result refused{};
    refused.size = sizeof refused;
    refused.status = status;
    reply(mine, refused);
  }
}

std::int32_t server::submit(slot& mine, std::vector<descriptor>& files) {
  isolate::job& request = mine.request;
  request.operation[sizeof request.operation - 1] = '\0';
  if (request.params_bytes > sizeof request.params) return NEXUS_E_ARGUMENT;
  std::size_t next = 0;
  mine.input = map(request.input, next, files);
  mine.output = map(request.output, next, files);
  mine.tags = map(request.tags, next, files);
  nexus_job& job = mine.job;
  job = {};
  job.size = sizeof job;
  job.params_bytes = request.params_bytes;
  job.id = request.id;
  job.operation = request.operation;
  job.params = request.params;
  if (request.tells_steps != 0) {
    job.step = &server::on_step;
    job.step_context = &mine;
  }
  if (mine.input) {
    job.input = memory_of(request.input, *mine.input);
    job.input_bytes = request.input.bytes;
    job.input_import = import(*mine.input, request.operation);
  }
  if (mine.output) {
    job.output = memory_of(request.output, *mine.output);
    job.output_capacity = request.output.bytes;
    job.output_import = import(*mine.output, request.operation);
  }
  if (mine.tags) {
    job.tags = memory_of(request.tags, *mine.tags);
    job.tags_capacity = request.tags.bytes;
  }
  const bool missing = (request.input.id != 0 && job.input == nullptr) ||
                       (request.output.id != 0 && job.output == nullptr) ||
                       (request.tags.id != 0 && job.tags == nullptr);
  if (missing) return NEXUS_E_NO_MEMORY;
  // A plugin may look at the address of nothing at all.
  static std::uint8_t nothing[64];
  if (job.input == nullptr) job.input = nothing;
  if (job.output == nullptr) job.output = nothing;
  const std::lock_guard lock(device_mutex_);
  return plugin_->backend.submit(device_, request.lane, &job, &server::on_done,
                                 &mine);
}

std::shared_ptr<mapping> server::map(const place& at, std::size_t& next,
                                     std::vector<descriptor>& files) {
  if (at.id == 0) return nullptr;
  const std::lock_guard lock(places_mutex_);
  if (at.descriptor != 0 && next < files.size())
    places_[at.id] = std::make_shared<mapping>(std::move(files[next++]),
                                               at.file_bytes, at.writable != 0);
  const auto found = places_.find(at.id);
  if (found == places_.end()) return nullptr;
  found->second->try_to_map();
  return found->second;
}

std::uint8_t* server::memory_of(const place& at, const mapping& in) const {
  const bool inside = in.data() != nullptr && at.offset <= in.size() &&
                      at.bytes <= in.size() - at.offset;
  return inside ? reinterpret_cast<std::uint8_t*>(in.data() + at.offset)
                : nullptr;
}

// Once for each piece of memory; what cannot be imported is used as it is.
nexus_buffer* server::import(mapping& memory, const char* operation) {
  if (plugin_->backend.import_buffer == nullptr || memory.data() == nullptr)
    return nullptr;
  const std::lock_guard lock(places_mutex_);
  if (memory.tried_import) return memory.handle;
  nexus_caps caps{};
  caps.size = sizeof caps;
  if (plugin_->backend.caps(greeting_.device_index, operation, &caps) !=
          NEXUS_OK ||
      (caps.flags & NEXUS_CAPS_WANTS_IMPORT) == 0)
    return nullptr;
  memory.tried_import = true;
  nexus_buffer* made = nullptr;
  if (plugin_->backend.import_buffer(device_, memory.data(), memory.size(),
                                     memory.fd(), &made) == NEXUS_OK)
    memory.handle = made;
  return memory.handle;
}

// On a thread of the plugin's, which does not wait: a step may get lost.
void server::on_step(void* context, std::uint32_t step, std::uint32_t steps,
                     const char* name) {
  const auto& mine = *static_cast<const slot*>(context);
  job_step told;
  told.step = step;
  told.id = mine.request.id;
  told.steps = steps;
  std::snprintf(told.name, sizeof told.name, "%s", name != nullptr ? name : "");
  (void)send_if_room(mine.socket.get(), packet(told));
}

// On whatever thread the plugin calls from. The next job may be here as soon as
// the reply is sent: nothing of the slot is touched after.
void server::on_done(void* user, std::uint64_t, const nexus_result* result) {
  auto& mine = *static_cast<slot*>(user);
  nexus_result known{};
  if (result == nullptr || result->size < 2 * sizeof(std::uint32_t)) {
    known.status = NEXUS_E_DEVICE;
  } else {
    std::memcpy(&known, result,
                std::min<std::size_t>(result->size, sizeof known));
  }
  mine.owner->reply(mine, known);
}

void server::reply(slot& mine, const nexus_result& result) {
  wipe(mine.request.params, sizeof mine.request.params);
  job_result told;
  told.status = result.status;
  told.id = mine.request.id;
  told.output_bytes = result.output_bytes;
  told.error_offset = result.error_offset;
  told.tags_bytes = result.tags_bytes;
  told.device_ns = result.device_ns;
  told.flags = result.flags;
  if (result.status != NEXUS_OK && result.message != nullptr)
    put_text(told.text, result.message);
  if (send_packet(mine.socket.get(), packet(told)) == channel_state::ok) return;
  // A reply that gets lost would be waited for until the job counts as hung:
  // with nobody to speak to, this process ends.
  (void)::shutdown(mine.socket.get(), SHUT_RDWR);
  (void)::shutdown(control_.get(), SHUT_RDWR);
}

// ---- the control socket -----------------------------------------------------

void server::serve_control() {
  alignas(8) std::byte room[64];
  for (;;) {
    std::size_t size = 0;
    const auto got = receive_packet(control_.get(), room, size);
    if (got == channel_state::closed) return;
    if (got != channel_state::ok || size < sizeof(message)) continue;
    message kind{};
    std::memcpy(&kind, room, sizeof kind);
    if (kind == message::cancel && size == sizeof(isolate::cancel)) {
      isolate::cancel order;
      std::memcpy(&order, room, sizeof order);
      const std::lock_guard lock(device_mutex_);
      if (plugin_->backend.cancel != nullptr)
        plugin_->backend.cancel(device_, order.id);
    } else if (kind == message::forget && size == sizeof(forget)) {
      forget order;
      std::memcpy(&order, room, sizeof order);
      forget_place(order.id);
    } else if (kind == message::ask_health && size == sizeof(ask_health)) {
      ask_health question;
      std::memcpy(&question, room, sizeof question);
      tell_health(question.turn);
    }
  }
}

void server::forget_place(std::uint64_t id) {
  const std::lock_guard lock(places_mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) return;
  if (found->second->handle != nullptr)
    plugin_->backend.release_buffer(device_, found->second->handle);
  places_.erase(found);
}

void server::tell_health(std::uint32_t turn) {
  health told;
  told.turn = turn;
  if (plugin_->backend.health != nullptr) {
    nexus_health said{};
    said.size = sizeof said;
    const std::int32_t code = plugin_->backend.health(device_, &said);
    told.status = code == NEXUS_OK ? said.status : code;
    said.message[sizeof said.message - 1] = '\0';
    std::memcpy(told.text, said.message, sizeof told.text);
  }
  (void)send_packet(control_.get(), packet(told));
}

// Wipes what the device holds, which is why it is done at all.
void server::close_device() {
  while (!places_.empty()) forget_place(places_.begin()->first);
  plugin_->backend.close(device_);
}

}  // namespace
}  // namespace nexus::isolate

namespace nexus {

int serve_device() {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(isolate::control_descriptor, SOL_SOCKET, SO_TYPE, &type,
                   &size) != 0 ||
      type != SOCK_SEQPACKET) {
    std::fputs(
        "nexus-pipe-worker: an engine starts this program; it is of no use by "
        "itself\n",
        stderr);
    return 2;
  }
  (void)::fcntl(isolate::control_descriptor, F_SETFD, FD_CLOEXEC);
  isolate::server worker{isolate::descriptor(isolate::control_descriptor)};
  const int code = worker.run();
  // Plugins' destructors have nothing left to do, and may take long.
  ::_exit(code);
}

}  // namespace nexus
