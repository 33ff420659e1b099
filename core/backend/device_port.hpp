// How an open device is reached: a plugin's table in this process, or a helper
// process that holds the plugin (isolate/remote_device.hpp).
#pragma once

#include <nexus/plugin.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace nexus {

// A result's status beyond those of the ABI: the process that had the job is
// gone, for reasons that need not be the job's. No plugin can report it.
constexpr std::int32_t worker_died = 1000;

// The rules of nexus/plugin.h hold: submit() and cancel() are called by one
// thread at a time, the rest from any; `done` comes once for a job that
// submit() accepted, from any thread.
class device_port {
 public:
  device_port() = default;
  // No job is left, and all buffers are released.
  virtual ~device_port() = default;
  device_port(const device_port&) = delete;
  device_port& operator=(const device_port&) = delete;

  virtual std::int32_t caps(const char* operation, nexus_caps& caps) = 0;
  // patience: seconds after which the device counts as hung, where it can be
  // given up at all; 0: never.
  virtual std::int32_t submit(std::uint32_t lane, const nexus_job& job,
                              double patience, nexus_done done, void* user) = 0;
  virtual void cancel(std::uint64_t job_id) = 0;
  // As nexus_backend.health; may take its time.
  virtual std::int32_t health(nexus_health& health) = 0;

  virtual bool imports() = 0;
  // True: importing takes no time at all, and memory has to be shared
  // (buffer_pool::share) to be worth it.
  virtual bool remote() { return false; }
  // fd: what is behind the memory, at offset 0, or -1. NULL: it could not.
  virtual nexus_buffer* import_buffer(void* memory, std::size_t size,
                                      int fd) = 0;
  virtual void release_buffer(nexus_buffer* buffer) = 0;
  // Of its process, so far.
  virtual std::uint64_t restarts() { return 0; }
};

}  // namespace nexus
