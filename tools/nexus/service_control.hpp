// The service, as seen from the commands: whether it runs, start and stop.
#pragma once

#include <nexus/status.hpp>
#include <string>

#include "home.hpp"
#include "process.hpp"
#include "store.hpp"

namespace nexus::queue {

struct service_identity {
  process_identity process;
  std::string session;  // of screen; empty: in none
};

// Who holds the lock, by what it wrote there; pid 0: nobody who lives.
[[nodiscard]] service_identity running_service(const home& where);
[[nodiscard]] std::string describe(const service_identity& service);

// Starts it in the session "nexus" unless it runs, and waits until it has
// looked at the GPUs, for 15 s at most. True: it was started.
[[nodiscard]] result<bool> ensure_service(const home& where, store& jobs);

// Asks it to end, with its jobs or without them, and waits until it did.
// invalid_argument: it does not run.
[[nodiscard]] status end_service(const home& where, store& jobs,
                                 bool with_jobs);

}  // namespace nexus::queue
