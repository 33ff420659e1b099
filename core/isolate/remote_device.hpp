// A device that lives in a helper process: what goes wrong there ends that
// process and nothing else. Jobs go over sockets, payload stays in memfds that
// both sides map.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nexus/status.hpp>
#include <string>
#include <thread>
#include <vector>

#include "backend/device_port.hpp"
#include "isolate/protocol.hpp"
#include "isolate/worker_process.hpp"

namespace nexus::isolate {

struct remote_settings {
  worker_settings worker;  // greeting.lane_count lanes; slots are set here
  std::uint32_t lane_depth = 1;
  // What the device does with an operation, as the plugin says it here.
  std::function<std::int32_t(const char*, nexus_caps&)> caps;
};

// Each slot has a thread here, which takes a job from end to end: fills its
// input, sends it, waits for the answer or the end of its patience, and drains.
// A helper that died is started again for the next job, or by health().
class remote_device final : public device_port {
 public:
  // Starts the helper and opens the device. May take seconds.
  static result<std::unique_ptr<device_port>> open(remote_settings settings);
  ~remote_device() override;

  std::int32_t caps(const char* operation, nexus_caps& caps) override;
  std::int32_t submit(std::uint32_t lane, const nexus_job& job, double patience,
                      nexus_done done, void* user) override;
  void cancel(std::uint64_t job_id) override;
  std::int32_t health(nexus_health& health) override;
  bool imports() override { return true; }
  bool remote() override { return true; }
  nexus_buffer* import_buffer(void* memory, std::size_t size, int fd) override;
  void release_buffer(nexus_buffer* buffer) override;
  std::uint64_t restarts() override { return restarts_; }

 private:
  struct slot;
  struct outcome;
  using process_ptr = std::shared_ptr<worker_process>;

  explicit remote_device(remote_settings settings);
  status start_slots();
  void serve(slot& mine);
  outcome perform(slot& mine);
  outcome exchange(slot& mine, worker_process& process);
  static bool take_step(const slot& mine, const job_result& packet,
                        std::size_t size, std::uint32_t& last);
  outcome await(slot& mine, worker_process& process);
  void take_back(slot& mine, outcome& made);
  // The helper, started if need be; or NULL and why.
  process_ptr running(std::string& why, bool& gone);

  remote_settings settings_;
  std::atomic<std::uint64_t> next_place_{1};
  std::atomic<std::uint64_t> restarts_{0};
  std::atomic<std::uint32_t> cancelling_{0};  // slots whose job is not wanted
  std::atomic<bool> closing_{false};

  std::mutex starting_;       // held while a helper starts; before mutex_
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable handed_;
  std::vector<std::unique_ptr<slot>> slots_;  // lane_depth to a lane
  process_ptr process_;
  bool was_started_ = false;
};

}  // namespace nexus::isolate
