// NVIDIA cards as a backend.
#include <nexus/plugin.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "age_kernel.hpp"
#include "common/device_job.hpp"
#include "common/results.hpp"
#include "common/worker_pool.hpp"
#include "cuda_age_lane.hpp"
#include "cuda_digest_lane.hpp"
#include "cuda_lane.hpp"
#include "digest_kernel.hpp"
#include "enumeration.hpp"
#include "pinned_memory.hpp"

using nexus::common::hand_over;
using nexus::common::refuse;
using nexus::common::worker_pool;
using namespace nexus::cuda;

struct nexus_device {
  int index = 0;  // as the runtime counts
  nexus_device_info info{};
  std::atomic<bool> lost{false};
  struct lane {
    std::unique_ptr<cuda_lane> shared;  // by the operations
    nexus::common::job_scratch scratch;
  };
  std::vector<lane> lanes;
  std::unique_ptr<worker_pool> pool;  // its threads use the lanes
};

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
// Below that the way there and back takes longer than a processor does.
constexpr std::uint64_t least_bytes = mebibyte;
constexpr std::uint64_t preferred_bytes = 16 * mebibyte;
constexpr std::uint64_t most_bytes = 512 * mebibyte;

// Input and output, of all lanes, are to fit beside what others have there.
std::uint64_t max_bytes_of(const nexus_device_info& info) {
  const std::uint64_t most = info.memory_bytes == 0
                                 ? most_bytes
                                 : std::min(most_bytes, info.memory_bytes / 16);
  return most / mebibyte * mebibyte;
}

// The current device belongs to a thread, and those of the caller are not ours
// to change: whatever sets it runs here.
template <typename Function>
void on_own_thread(Function function) {
  try {
    std::thread(function).join();
  } catch (const std::system_error&) {
    function();  // no thread left: better than not at all
  }
}

const nexus_device_info* find_device(std::uint32_t index) {
  const auto& all = all_devices();
  return index < all.size() ? &all[index] : nullptr;
}

std::int32_t probe(const nexus_host*, std::uint32_t index,
                   nexus_device_info* info) {
  try {
    const nexus_device_info* found = find_device(index);
    return found == nullptr ? NEXUS_E_END : hand_over(*found, info);
  } catch (const std::bad_alloc&) {
    return NEXUS_E_END;
  }
}

std::int32_t caps(std::uint32_t index, const char* operation,
                  nexus_caps* caps) {
  try {
    const nexus_device_info* found = find_device(index);
    if (found == nullptr || found->score == 0 ||
        !nexus::common::supports_operation(operation)) {
      return NEXUS_E_UNSUPPORTED;
    }
    nexus_caps made{};
    made.size = sizeof made;
    made.flags = NEXUS_CAPS_WANTS_IMPORT;
    made.min_bytes = least_bytes;
    // The statement of a digest fixes its size.
    made.preferred_bytes =
        nexus::common::is_digest(operation) ? 0 : preferred_bytes;
    made.max_bytes = max_bytes_of(*found);
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

// Also finds out whether the kernels run here, before a job has to.
cudaError_t make_lanes(nexus_device& made) {
  cudaError_t code = cudaSuccess;
  on_own_thread([&]() noexcept {
    for (auto& lane : made.lanes) {
      if (code == cudaSuccess)
        code = cuda_lane::create(made.index, lane.shared);
    }
    if (code == cudaSuccess) code = find_age_kernel();
    if (code == cudaSuccess) code = find_digest_kernel();
  });
  return code;
}

void clear_lanes(nexus_device& device) {
  on_own_thread([&]() noexcept { device.lanes.clear(); });
}

std::unique_ptr<worker_pool> start_pool(const nexus_host* host,
                                        const nexus_open& options,
                                        nexus_device& owner) {
  worker_pool::options wanted;
  wanted.lanes = {options.lanes, options.lane_count};
  wanted.depth = lane_depth;
  wanted.thread_name = "nexus-gpu";
  wanted.host = host;
  wanted.run = [&owner](std::uint32_t lane, const nexus_job& job,
                        const std::atomic<bool>& cancelled) {
    auto& mine = owner.lanes[lane];
    cuda_age_lane age(*mine.shared);
    cuda_digest_lane digest(*mine.shared);
    nexus_result result =
        nexus::common::run_job(age, digest, job, mine.scratch, cancelled);
    const bool ill =
        result.status == NEXUS_E_DEVICE || result.status == NEXUS_E_LOST;
    if (ill && mine.shared->is_dead()) {
      owner.lost = true;
      result = nexus::common::failed(NEXUS_E_LOST,
                                     nexus::common::words_for(NEXUS_E_LOST));
    }
    return result;
  };
  return worker_pool::start(std::move(wanted));
}

std::int32_t open_device(const nexus_host* host, const nexus_open* options,
                         nexus_device** device, nexus_error* error) {
  if (device == nullptr || !well_formed(options)) {
    return refuse(error, NEXUS_E_ARGUMENT,
                  "cuda: lanes are not given as pinned");
  }
  const nexus_device_info* found = find_device(options->device_index);
  if (found == nullptr || found->score == 0 ||
      options->lane_count > found->max_lanes) {
    return refuse(error, NEXUS_E_ARGUMENT,
                  "cuda: no such device here, or too many lanes");
  }
  auto made = std::make_unique<nexus_device>();
  made->index = static_cast<int>(options->device_index);
  made->info = *found;
  made->lanes.resize(options->lane_count);
  const cudaError_t code = make_lanes(*made);
  if (code == cudaSuccess) made->pool = start_pool(host, *options, *made);
  if (made->pool == nullptr) {
    clear_lanes(*made);
    return code != cudaSuccess
               ? refuse(error, status_of(code),
                        ("cuda: " + std::string(found->name) + ": " +
                         cudaGetErrorString(code))
                            .c_str())
               : refuse(error, NEXUS_E_NO_MEMORY,
                        "cuda: the system gives no more threads");
  }
  *device = made.release();
  return NEXUS_OK;
}

std::int32_t open(const nexus_host* host, const nexus_open* options,
                  nexus_device** device, nexus_error* error) {
  try {
    return open_device(host, options, device, error);
  } catch (const std::bad_alloc&) {
    return refuse(error, NEXUS_E_NO_MEMORY, "cuda: out of memory");
  }
}

void close(nexus_device* device) {
  device->pool.reset();
  clear_lanes(*device);
  delete device;
}

std::int32_t submit(nexus_device* device, std::uint32_t lane,
                    const nexus_job* job, nexus_done done, void* user) {
  if (device == nullptr || done == nullptr) return NEXUS_E_ARGUMENT;
  const std::int32_t fit =
      nexus::common::check_job(job, max_bytes_of(device->info));
  return fit == NEXUS_OK ? device->pool->submit(lane, job, done, user) : fit;
}

void cancel(nexus_device* device, std::uint64_t job_id) {
  device->pool->cancel(job_id);
}

std::int32_t health(nexus_device* device, nexus_health* health) {
  nexus_health made{};
  made.size = sizeof made;
  if (device->lost) {
    made.status = NEXUS_E_LOST;
    std::snprintf(made.message, sizeof made.message,
                  "a job broke the device's context");
  }
  return hand_over(made, health);
}

// Pinned memory is copied by the card itself. The handle is the memory.
std::int32_t import_buffer(nexus_device* device, void* memory,
                           std::uint64_t bytes, int, nexus_buffer** buffer) {
  cudaError_t code = cudaSuccess;
  on_own_thread([&]() noexcept {
    code = cudaSetDevice(device->index);
    try {
      if (code == cudaSuccess) code = pin(memory, bytes);
    } catch (const std::bad_alloc&) {
      code = cudaErrorMemoryAllocation;
    }
  });
  if (code == cudaSuccess) *buffer = static_cast<nexus_buffer*>(memory);
  return status_of(code);
}

void release_buffer(nexus_device* device, nexus_buffer* buffer) {
  // Also where the device is lost: it is pinned for others, too.
  on_own_thread([&]() noexcept {
    cudaSetDevice(device->index);
    unpin(buffer);
  });
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
    sizeof(nexus_plugin), NEXUS_ABI_MAJOR, NEXUS_ABI_MINOR, 0, "cuda",
    NEXUS_PLUGIN_VERSION, &backend,        nullptr};

}  // namespace

extern "C" const nexus_plugin* nexus_plugin_entry(const nexus_host*) {
  return &plugin;
}
