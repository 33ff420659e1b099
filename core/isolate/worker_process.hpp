// One life of a helper process: made, watched, ended. A restart is another one.
#pragma once

#include <spawn.h>
#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <nexus/status.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "isolate/channel.hpp"
#include "isolate/memory_limit.hpp"
#include "isolate/protocol.hpp"

namespace nexus::isolate {

struct worker_settings {
  std::string program;  // absolute path of nexus-pipe-worker
  std::string name;     // of the device, for messages
  hello greeting;       // slot_count sockets are made for it
  std::optional<std::uint64_t> memory_bytes;  // beside the shared buffers
  std::function<void(const std::string&)> log;
};

// Thread-safe.
class worker_process {
 public:
  // Starts the program and waits until it has opened its device. give_up is
  // asked now and then meanwhile. Fails with device_failed, and `gone` set
  // where the device said that it is lost for good.
  static result<std::shared_ptr<worker_process>> start(
      const worker_settings& settings, const std::function<bool()>& give_up,
      bool& gone);
  // Closes its socket, waits a little for it to end by itself, and kills it.
  ~worker_process();
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool alive() const noexcept { return alive_; }
  [[nodiscard]] int slot(std::size_t index) const noexcept {
    return slots_[index].get();
  }
  // Whether it has been given the place with this number; from now on it has.
  bool meets(std::uint64_t id);
  void send_control(std::span<const std::byte> data) noexcept;
  // Asks the device and waits for at most `seconds`; without an answer the
  // process is ended.
  nexus_health ask_health(double seconds);

  // Kills it, unless it is gone already; the first reason stays.
  void end(const std::string& why) noexcept;
  // Waits until it is gone, and says what it died of, such as "its process
  // crashed: Segmentation fault".
  std::string cause();

 private:
  worker_process() = default;
  status spawn(const worker_settings& settings);
  int execute(const std::string& program,
              const posix_spawn_file_actions_t* files);
  status greet(const hello& greeting, const std::function<bool()>& give_up,
               bool& gone);
  void watch();
  bool read_control();
  void take(std::span<const std::byte> packet);
  void read_words();
  void say(const std::string& line) const;
  void kill_it() const noexcept;
  [[nodiscard]] bool ended(int wait_ms) const;
  void reap(int patience_ms);
  [[nodiscard]] std::string describe_end(int code, int status) const;

  std::string name_;
  std::function<void(const std::string&)> log_;
  pid_t pid_ = -1;
  descriptor pidfd_;
  descriptor control_;
  descriptor words_;  // what it prints on standard error
  std::string line_;  // of that, not yet ended
  std::vector<descriptor> slots_;
  memory_watch memory_;
  std::uint64_t oom_kills_ = 0;  // of the system, when it began
  std::atomic<bool> alive_{false};
  std::thread watcher_;

  mutable std::mutex mutex_;
  std::set<std::uint64_t> met_;
  std::string why_;    // we ended it
  std::string cause_;  // once it is reaped
  std::condition_variable answered_;
  std::uint32_t turn_ = 0;
  std::optional<health> answer_;
  std::optional<opened> opened_;
};

}  // namespace nexus::isolate
