// OpenCL devices as a backend: those of every driver that the loader knows.
#include <nexus/plugin.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "cl_age_lane.hpp"
#include "cl_digest_lane.hpp"
#include "cl_lane.hpp"
#include "common/device_job.hpp"
#include "common/results.hpp"
#include "common/worker_pool.hpp"
#include "enumeration.hpp"
#include "program.hpp"
#include "program_cache.hpp"

using nexus::common::hand_over;
using nexus::common::refuse;
using nexus::common::worker_pool;
using namespace nexus::opencl;

struct nexus_device {
  const device_entry* entry = nullptr;
  const nexus_host* host = nullptr;
  cl_context_owner context;
  age_program age;
  std::mutex building;
  cl_program_owner digest;  // under `building`
  struct lane {
    std::unique_ptr<cl_lane> shared;  // by the others
    std::unique_ptr<cl_age_lane> age;
    std::unique_ptr<cl_digest_lane> digest;
    nexus::common::job_scratch scratch;
  };
  std::vector<lane> lanes;            // they use all of the above
  std::unique_ptr<worker_pool> pool;  // its threads use the lanes
};

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
// Below that the way there and back takes longer than a processor does.
constexpr std::uint64_t least_bytes_for_card = mebibyte;
constexpr std::uint64_t preferred_bytes = 16 * mebibyte;
constexpr std::uint64_t most_bytes = 512 * mebibyte;

// Input and output, of all lanes, are to fit beside what others have there.
std::uint64_t max_bytes_of(const device_entry& entry) {
  std::uint64_t most = std::min(most_bytes, entry.max_allocation / 2);
  if (entry.info.memory_bytes != 0) {
    most = std::min(most, entry.info.memory_bytes / 16);
  }
  return most / mebibyte * mebibyte;
}

const device_entry* at_index(const std::vector<device_entry>& all,
                             std::uint32_t index) {
  return index < all.size() ? &all[index] : nullptr;
}

std::int32_t probe(const nexus_host* host, std::uint32_t index,
                   nexus_device_info* info) {
  try {
    const device_entry* entry = at_index(devices_for(host), index);
    return entry == nullptr ? NEXUS_E_END : hand_over(entry->info, info);
  } catch (const std::bad_alloc&) {
    return NEXUS_E_END;
  }
}

std::int32_t caps(std::uint32_t index, const char* operation,
                  nexus_caps* caps) {
  try {
    const device_entry* entry = at_index(known_devices(), index);
    if (entry == nullptr || entry->info.score == 0 ||
        !nexus::common::supports_operation(operation)) {
      return NEXUS_E_UNSUPPORTED;
    }
    const bool cpu = entry->info.kind == NEXUS_DEVICE_CPU;
    nexus_caps made{};
    made.size = sizeof made;
    // A card of its own memory copies from pinned pages, which the API does not
    // make of memory that is somebody else's.
    made.flags = entry->host_memory ? +NEXUS_CAPS_WANTS_IMPORT : 0u;
    made.min_bytes = cpu ? 0 : least_bytes_for_card;
    // The statement of a digest fixes its size.
    made.preferred_bytes =
        nexus::common::is_digest(operation) ? 0 : preferred_bytes;
    made.max_bytes = max_bytes_of(*entry);
    // Of a job of the preferred size: its input and output once more.
    made.scratch_bytes = 2 * preferred_bytes;
    return hand_over(made, caps);
  } catch (const std::bad_alloc&) {
    return NEXUS_E_UNSUPPORTED;
  }
}

bool well_formed(const nexus_open* options) {
  if (options == nullptr || options->size < sizeof *options ||
      options->lane_count == 0 || options->lanes == nullptr) {
    return false;
  }
  const std::span lanes(options->lanes, options->lane_count);
  return std::all_of(lanes.begin(), lanes.end(), [](const nexus_lane* lane) {
    return lane != nullptr && lane->size >= sizeof *lane &&
           (lane->processor_count == 0 || lane->processors != nullptr);
  });
}

std::int32_t digest_program(nexus_device& owner, cl_program& program) {
  const std::lock_guard lock(owner.building);
  std::int32_t status = NEXUS_OK;
  if (!owner.digest) {
    std::string why;
    const program_cache cache(program_cache::users_folder());
    status = build_digest_program(*owner.entry, owner.context.get(), cache,
                                  owner.digest, why);
    if (status != NEXUS_OK) {
      owner.digest = {};
      if (owner.host != nullptr && owner.host->log != nullptr) {
        const std::string line =
            "opencl: " + std::string(owner.entry->info.name) + ": " + why;
        owner.host->log(owner.host->context, NEXUS_LOG_WARNING, line.c_str());
      }
    }
  }
  program = owner.digest.get();
  return status;
}

std::int32_t make_lane(nexus_device& owner, nexus_device::lane& made) {
  const device_entry& entry = *owner.entry;
  std::int32_t status =
      cl_lane::create(owner.context.get(), entry.device, made.shared);
  if (status == NEXUS_OK) {
    status = cl_age_lane::create(owner.age, *made.shared, made.age);
  }
  if (status != NEXUS_OK) return status;
  const auto program = [&owner](cl_program& wanted) {
    return digest_program(owner, wanted);
  };
  made.digest = std::make_unique<cl_digest_lane>(
      program, *made.shared, entry.info.kind == NEXUS_DEVICE_CPU);
  return NEXUS_OK;
}

std::int32_t make_lanes(nexus_device& owner, std::uint32_t count) {
  owner.lanes.resize(count);
  for (auto& lane : owner.lanes) {
    const std::int32_t status = make_lane(owner, lane);
    if (status != NEXUS_OK) return status;
  }
  return NEXUS_OK;
}

std::unique_ptr<worker_pool> start_pool(const nexus_host* host,
                                        const nexus_open& options,
                                        nexus_device& owner) {
  worker_pool::options wanted;
  wanted.lanes = {options.lanes, options.lane_count};
  wanted.depth = lane_depth;
  wanted.thread_name = "nexus-ocl";
  wanted.host = host;
  wanted.run = [&owner](std::uint32_t lane, const nexus_job& job,
                        const std::atomic<bool>& cancelled) {
    auto& mine = owner.lanes[lane];
    return nexus::common::run_job(*mine.age, *mine.digest, job, mine.scratch,
                                  cancelled);
  };
  return worker_pool::start(std::move(wanted));
}

std::int32_t open_device(const nexus_host* host, const nexus_open* options,
                         nexus_device** device, nexus_error* error) {
  if (device == nullptr || !well_formed(options)) {
    return refuse(error, NEXUS_E_ARGUMENT,
                  "opencl: lanes are not given as pinned");
  }
  const device_entry* entry =
      at_index(devices_for(host), options->device_index);
  if (entry == nullptr || entry->info.score == 0 ||
      options->lane_count > entry->info.max_lanes) {
    return refuse(error, NEXUS_E_ARGUMENT,
                  "opencl: no such device here, or too many lanes");
  }
  auto made = std::make_unique<nexus_device>();
  made->entry = entry;
  made->host = host;
  std::string why;
  const program_cache cache(program_cache::users_folder());
  std::int32_t status = make_context(*entry, made->context, why);
  if (status == NEXUS_OK) {
    status =
        build_age_program(*entry, made->context.get(), cache, made->age, why);
  }
  if (status != NEXUS_OK) {
    return refuse(
        error, status,
        ("opencl: " + std::string(entry->info.name) + ": " + why).c_str());
  }
  status = make_lanes(*made, options->lane_count);
  if (status != NEXUS_OK) {
    return refuse(error, status,
                  status == NEXUS_E_NO_MEMORY
                      ? "opencl: the device is out of memory"
                      : "opencl: the driver makes no command queue");
  }
  made->pool = start_pool(host, *options, *made);
  if (!made->pool) {
    return refuse(error, NEXUS_E_NO_MEMORY,
                  "opencl: the system gives no more threads");
  }
  *device = made.release();
  return NEXUS_OK;
}

std::int32_t open(const nexus_host* host, const nexus_open* options,
                  nexus_device** device, nexus_error* error) {
  try {
    return open_device(host, options, device, error);
  } catch (const std::bad_alloc&) {
    return refuse(error, NEXUS_E_NO_MEMORY, "opencl: out of memory");
  }
}

void close(nexus_device* device) {
  delete device;
}

std::int32_t submit(nexus_device* device, std::uint32_t lane,
                    const nexus_job* job, nexus_done done, void* user) {
  if (device == nullptr || done == nullptr) return NEXUS_E_ARGUMENT;
  const std::int32_t fit =
      nexus::common::check_job(job, max_bytes_of(*device->entry));
  return fit == NEXUS_OK ? device->pool->submit(lane, job, done, user) : fit;
}

void cancel(nexus_device* device, std::uint64_t job_id) {
  device->pool->cancel(job_id);
}

std::int32_t health(nexus_device* device, nexus_health* health) {
  nexus_health made{};
  made.size = sizeof made;
  if (value_of<cl_bool>(device->entry->device, CL_DEVICE_AVAILABLE, 0) == 0) {
    made.status = NEXUS_E_LOST;
    std::snprintf(made.message, sizeof made.message,
                  "the driver says that the device is not available");
  }
  return hand_over(made, health);
}

// Where the device works in the host's memory, it can do so in the engine's.
std::int32_t import_buffer(nexus_device* device, void* memory,
                           std::uint64_t bytes, int, nexus_buffer** buffer) {
  if (!device->entry->host_memory) return NEXUS_E_UNSUPPORTED;
  std::unique_ptr<nexus_buffer> made(new (std::nothrow) nexus_buffer);
  if (!made) return NEXUS_E_NO_MEMORY;
  cl_int code = CL_SUCCESS;
  made->memory = cl_memory_owner(clCreateBuffer(
      device->context.get(), CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
      static_cast<std::size_t>(bytes), memory, &code));
  if (!made->memory) return status_of(code);
  made->base = static_cast<const std::uint8_t*>(memory);
  *buffer = made.release();
  return NEXUS_OK;
}

void release_buffer(nexus_device*, nexus_buffer* buffer) {
  delete buffer;
}

constexpr nexus_backend make_backend() {
  nexus_backend backend{};
  backend.size = sizeof backend;
  backend.probe = probe;
  backend.caps = caps;
  backend.open = open;
  backend.close = close;
  backend.submit = submit;
  backend.cancel = cancel;
  backend.health = health;
  backend.import_buffer = import_buffer;
  backend.release_buffer = release_buffer;
  return backend;
}
constexpr nexus_backend backend = make_backend();

#ifndef NEXUS_PLUGIN_VERSION
#define NEXUS_PLUGIN_VERSION "0.0.0"
#endif

constexpr nexus_plugin plugin = {
    sizeof(nexus_plugin), NEXUS_ABI_MAJOR, NEXUS_ABI_MINOR, 0, "opencl",
    NEXUS_PLUGIN_VERSION, &backend,        nullptr};

}  // namespace

extern "C" const nexus_plugin* nexus_plugin_entry(const nexus_host*) {
  return &plugin;
}
