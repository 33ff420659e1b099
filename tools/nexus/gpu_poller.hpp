// Looks at the GPUs from a thread of its own: nvidia-smi may take its time, or
// hang, and jobs still have to be watched.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "gpus.hpp"

namespace nexus::queue {

class gpu_poller {
 public:
  explicit gpu_poller(config rules);

  void set_rules(config rules);
  // Without waiting for the next turn.
  void look_now();
  // True: there is a newer snapshot.
  bool take(gpu_snapshot& into);

 private:
  void run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any wake_;
  config rules_;
  gpu_snapshot latest_;
  bool fresh_ = false;
  bool asked_ = true;
  std::jthread thread_;  // last: uses what is above
};

}  // namespace nexus::queue
