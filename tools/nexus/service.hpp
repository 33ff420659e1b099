// The service: one a home. Looks at the GPUs, starts jobs, and sees to it that
// every job that ended is known to have ended.
#pragma once

#include "home.hpp"

namespace nexus::queue {

// Until it is told to stop: by `nexus stop`, by `nexus restart`, or by SIGTERM
// or SIGINT, which leave the jobs running. Returns the exit status.
int serve(const home& where);

}  // namespace nexus::queue
