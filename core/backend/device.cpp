#include "backend/device.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace nexus {
namespace {

constexpr std::uint32_t max_devices = 64;

const char* words(std::int32_t code) {
  switch (code) {
    case NEXUS_E_NO_MEMORY:
      return "out of memory";
    case NEXUS_E_BUSY:
      return "its queue is full";
    case NEXUS_E_LOST:
      return "the device is gone";
    case NEXUS_E_UNSUPPORTED:
      return "it does not support the operation";
    case NEXUS_E_ARGUMENT:
      return "it refused the job's parameters";
    default:
      return "the device failed";
  }
}

// A plugin's struct may be older than ours: what it lacks stays zero.
device_result copy_result(const nexus_result* from) {
  device_result result;
  nexus_result known{};
  if (from == nullptr || from->size < sizeof(std::uint32_t) * 2) {
    result.message = "it reported no result";
    return result;
  }
  std::memcpy(&known, from, std::min<std::size_t>(from->size, sizeof known));
  result.status = known.status;
  result.output_bytes = known.output_bytes;
  result.error_offset = known.error_offset;
  result.flags = known.flags;
  result.tags_bytes = known.tags_bytes;
  result.device_ns = known.device_ns;
  if (known.status != NEXUS_OK)
    result.message =
        known.message != nullptr ? known.message : words(known.status);
  return result;
}

// A plugin's own table.
class plugin_port final : public device_port {
 public:
  plugin_port(std::shared_ptr<const loaded_plugin> plugin, std::uint32_t index,
              nexus_device* handle)
      : plugin_(std::move(plugin)),
        table_(plugin_->backend),
        index_(index),
        handle_(handle) {}
  ~plugin_port() override { table_.close(handle_); }

  std::int32_t caps(const char* operation, nexus_caps& caps) override {
    return table_.caps(index_, operation, &caps);
  }
  std::int32_t submit(std::uint32_t lane, const nexus_job& job, double,
                      nexus_done done, void* user) override {
    return table_.submit(handle_, lane, &job, done, user);
  }
  void cancel(std::uint64_t job_id) override {
    if (table_.cancel != nullptr) table_.cancel(handle_, job_id);
  }
  std::int32_t health(nexus_health& health) override {
    return table_.health != nullptr ? table_.health(handle_, &health)
                                    : NEXUS_OK;
  }
  bool imports() override { return table_.import_buffer != nullptr; }
  nexus_buffer* import_buffer(void* memory, std::size_t size, int fd) override {
    nexus_buffer* made = nullptr;
    const std::int32_t code =
        table_.import_buffer(handle_, memory, size, fd, &made);
    return code == NEXUS_OK ? made : nullptr;
  }
  void release_buffer(nexus_buffer* buffer) override {
    table_.release_buffer(handle_, buffer);
  }

 private:
  const std::shared_ptr<const loaded_plugin> plugin_;
  const nexus_backend& table_;
  const std::uint32_t index_;
  nexus_device* const handle_;
};

}  // namespace

std::vector<probed_device> probe_devices(
    const std::shared_ptr<const loaded_plugin>& plugin,
    const nexus_host* host) {
  std::vector<probed_device> devices;
  if (!plugin->has_backend) return devices;
  for (std::uint32_t i = 0; i < max_devices; ++i) {
    probed_device device{plugin, i, {}};
    device.info.size = sizeof(nexus_device_info);
    device.info.numa_node = -1;
    if (plugin->backend.probe(host, i, &device.info) != NEXUS_OK) break;
    device.info.name[sizeof device.info.name - 1] = '\0';
    device.info.pci_id[sizeof device.info.pci_id - 1] = '\0';
    device.info.driver[sizeof device.info.driver - 1] = '\0';
    device.info.note[sizeof device.info.note - 1] = '\0';
    device.info.lane_depth = std::max(device.info.lane_depth, 1u);
    devices.push_back(std::move(device));
  }
  return devices;
}

bool stands_before(const probed_device& a, const probed_device& b) {
  const std::string_view card = a.info.pci_id;
  if (card.empty() || card != b.info.pci_id || a.plugin == b.plugin)
    return false;
  if (a.info.score <= 0 || (a.info.flags & NEXUS_DEVICE_ON_REQUEST) != 0)
    return false;
  if (a.info.score != b.info.score) return a.info.score > b.info.score;
  return a.plugin->name < b.plugin->name;
}

result<std::unique_ptr<device>> device::open(
    probed_device probed, const std::vector<worker_binding>& lanes,
    const nexus_host* host) {
  std::vector<nexus_lane> tables;
  tables.reserve(lanes.size());
  for (const auto& binding : lanes) {
    nexus_lane lane{};
    lane.size = sizeof lane;
    lane.numa_node = binding.processors.empty()
                         ? -1
                         : static_cast<std::int32_t>(binding.numa_node);
    lane.processor_count =
        static_cast<std::uint32_t>(binding.processors.size());
    lane.processors = binding.processors.data();
    tables.push_back(lane);
  }
  std::vector<const nexus_lane*> pointers;
  for (const auto& lane : tables) pointers.push_back(&lane);
  nexus_open options{};
  options.size = sizeof options;
  options.device_index = probed.index;
  options.lane_count = static_cast<std::uint32_t>(tables.size());
  options.lanes = pointers.data();
  nexus_error error{};
  error.size = sizeof error;
  nexus_device* handle = nullptr;
  const std::int32_t code =
      probed.plugin->backend.open(host, &options, &handle, &error);
  if (code != NEXUS_OK || handle == nullptr) {
    error.message[sizeof error.message - 1] = '\0';
    return status(status_code::device_failed,
                  probed.id() + " cannot be opened: " +
                      (error.message[0] != '\0' ? error.message : words(code)));
  }
  const auto count = static_cast<std::uint32_t>(tables.size());
  auto port =
      std::make_unique<plugin_port>(probed.plugin, probed.index, handle);
  std::string id = probed.id();
  return std::make_unique<device>(std::move(probed), count, std::move(id),
                                  std::move(port));
}

device::device(probed_device probed, std::uint32_t lanes, std::string id,
               std::unique_ptr<device_port> port)
    : probed_(std::move(probed)),
      id_(std::move(id)),
      lanes_(lanes),
      port_(std::move(port)) {}

device::~device() = default;

task<device_result> device::submit(std::uint32_t lane, nexus_job& job,
                                   std::uint64_t owner, double patience) {
  job.id = next_id_++;
  auto start = [this, lane, &job, owner,
                patience](completion<device_result> resume) {
    {
      // Filed before the call: `done` may come from within submit.
      const std::lock_guard lock(mutex_);
      pending_.emplace(job.id, pending{owner, std::move(resume)});
    }
    const std::int32_t code =
        port_->submit(lane, job, patience, &device::on_done, this);
    if (code == NEXUS_OK) return;
    nexus_result refused{};
    refused.size = sizeof refused;
    refused.status = code;
    on_done(this, job.id, &refused);
  };
  try {
    co_return co_await suspend<device_result>(std::move(start));
  } catch (const std::bad_alloc&) {
    // It never was submitted.
  }
  device_result refused;
  refused.status = NEXUS_E_NO_MEMORY;
  refused.message = "out of memory for the job";
  co_return refused;
}

void device::on_done(void* user, std::uint64_t job_id,
                     const nexus_result* result) {
  auto* self = static_cast<device*>(user);
  device_result copy = copy_result(result);
  completion<device_result> resume;
  {
    const std::lock_guard lock(self->mutex_);
    auto node = self->pending_.extract(job_id);
    if (!node) {
      ++self->stray_;
      return;
    }
    resume = std::move(node.mapped().resume);
  }
  resume(std::move(copy));
}

void device::cancel(std::uint64_t owner) {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, job] : pending_)
      if (job.owner == owner) ids.push_back(id);
  }
  for (const auto id : ids) port_->cancel(id);
}

std::int32_t device::caps(const std::string& operation,
                          nexus_caps& caps) const {
  caps = {};
  caps.size = sizeof caps;
  return port_->caps(operation.c_str(), caps);
}

std::int32_t device::health(std::string& text) const {
  nexus_health said{};
  said.size = sizeof said;
  std::int32_t code = port_->health(said);
  if (code == NEXUS_OK) code = said.status;
  if (code != NEXUS_E_DEVICE && code != NEXUS_E_LOST) return NEXUS_OK;
  said.message[sizeof said.message - 1] = '\0';
  text = said.message[0] != '\0' ? said.message : words(code);
  return code;
}

nexus_buffer* device::import_buffer(void* memory, std::size_t size, int fd) {
  return port_->import_buffer(memory, size, fd);
}

void device::release_buffer(nexus_buffer* buffer) {
  port_->release_buffer(buffer);
}

std::uint64_t device::stray_completions() const {
  const std::lock_guard lock(mutex_);
  return stray_;
}

}  // namespace nexus
