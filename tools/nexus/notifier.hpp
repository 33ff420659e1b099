// Passes word of ended jobs on, in one way: from a thread of its own, for who
// listens may take his time, or not be there.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "config.hpp"
#include "home.hpp"
#include "service_log.hpp"
#include "store.hpp"

namespace nexus::queue {

class notifier {
 public:
  notifier(const home& where, channel by, config rules, service_log& log);

  void set_rules(config rules);
  // There may be something new.
  void look_now();

 private:
  void run(const std::stop_token& stop);
  // How long until there may be something to do.
  std::chrono::milliseconds pass_on(store& jobs, const config& rules,
                                    const std::stop_token& stop);
  void try_again_later(store& jobs, const config& rules, const notice& which,
                       const status& failed);

  const home where_;
  const channel by_;
  service_log& log_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  config rules_;
  bool asked_ = true;
  std::jthread thread_;  // last: uses what is above
};

}  // namespace nexus::queue
