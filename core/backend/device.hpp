// An open device of a plugin. Engine thread only, but for the plugin's own
// calls of `done`.
#pragma once

#include <nexus/plugin.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <nexus/engine.hpp>
#include <nexus/hardware.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "async/completion.hpp"
#include "backend/device_port.hpp"
#include "backend/plugin_loader.hpp"

namespace nexus {

// A device as probe() described it.
struct probed_device {
  std::shared_ptr<const loaded_plugin> plugin;
  std::uint32_t index = 0;
  nexus_device_info info{};
  [[nodiscard]] std::string id() const {
    return plugin->name + ":" + std::to_string(index);
  }
};

// Every device of a plugin, up to 64.
[[nodiscard]] std::vector<probed_device> probe_devices(
    const std::shared_ptr<const loaded_plugin>& plugin, const nexus_host* host);

// Of two plugins' devices that are the same card, whether the first is the one
// to use: the one with the higher score, or else of the plugin whose name comes
// first ("cuda", "opencl"). One that cannot run, or runs on request alone,
// stands in nobody's way.
[[nodiscard]] bool stands_before(const probed_device& a,
                                 const probed_device& b);

// What became of a job, copied out of the plugin's hands.
struct device_result {
  std::int32_t status = NEXUS_E_DEVICE;
  std::uint64_t output_bytes = 0;
  std::uint64_t error_offset = 0;
  std::uint32_t flags = 0;
  std::uint64_t tags_bytes = 0;
  std::uint64_t device_ns = 0;
  std::string message;
};

class device {
 public:
  // lanes: one binding each. Fails with device_failed and the plugin's words.
  static result<std::unique_ptr<device>> open(
      probed_device probed, const std::vector<worker_binding>& lanes,
      const nexus_host* host);
  // The same device, reached in another way.
  device(probed_device probed, std::uint32_t lanes, std::string id,
         std::unique_ptr<device_port> port);
  // No job may be left.
  ~device();
  device(const device&) = delete;
  device& operator=(const device&) = delete;

  // Sets job.id. Everything behind job stays valid until this returns. owner:
  // what cancel() names. patience: see device_port.
  task<device_result> submit(std::uint32_t lane, nexus_job& job,
                             std::uint64_t owner, double patience = 0);
  // Hurries every job of the owner's that is under way.
  void cancel(std::uint64_t owner);

  [[nodiscard]] const probed_device& probed() const noexcept { return probed_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] bool gpu() const noexcept {
    return probed_.info.kind == NEXUS_DEVICE_GPU;
  }
  // It is a processor that this process computes on: what it makes is as good
  // as what the host would make itself.
  [[nodiscard]] bool trusted() const noexcept {
    return probed_.info.kind == NEXUS_DEVICE_CPU && !port_->remote();
  }
  [[nodiscard]] std::uint32_t lanes() const noexcept { return lanes_; }
  // NEXUS_OK and the device's limits, or NEXUS_E_UNSUPPORTED.
  std::int32_t caps(const std::string& operation, nexus_caps& caps) const;
  // (any thread) What the device says of itself: NEXUS_OK, NEXUS_E_DEVICE (try
  // later) or NEXUS_E_LOST, with its words. May take its time.
  std::int32_t health(std::string& text) const;

  [[nodiscard]] bool imports() const { return port_->imports(); }
  // It lives in a process of its own.
  [[nodiscard]] bool remote() const { return port_->remote(); }
  [[nodiscard]] std::uint64_t restarts() const { return port_->restarts(); }
  // (any thread) What the plugin makes of host memory, until release_buffer();
  // NULL where it cannot. May take its time, unless remote(). Only if
  // imports(). fd: what is behind the memory, or -1.
  nexus_buffer* import_buffer(void* memory, std::size_t size, int fd);
  // (any thread) No job may use it any more.
  void release_buffer(nexus_buffer* buffer);
  // Calls of `done` for jobs that were not under way: a defect of the plugin.
  [[nodiscard]] std::uint64_t stray_completions() const;

 private:
  static void on_done(void* user, std::uint64_t job_id,
                      const nexus_result* result);

  struct pending {
    std::uint64_t owner;
    completion<device_result> resume;
  };

  const probed_device probed_;
  const std::string id_;
  const std::uint32_t lanes_;
  std::uint64_t next_id_ = 1;
  mutable std::mutex mutex_;
  // A job is found by its number, never by a pointer that a plugin kept: a
  // second `done` then finds nothing.
  std::unordered_map<std::uint64_t, pending> pending_;
  std::uint64_t stray_ = 0;
  // Goes first: its threads may still call `done`.
  const std::unique_ptr<device_port> port_;
};

}  // namespace nexus
