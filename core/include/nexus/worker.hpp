// The helper process of an isolated device, for hosts that bring a program of
// their own instead of the installed nexus-pipe-worker.
#pragma once

#include <nexus/export.hpp>

namespace nexus {

// The whole of main(): serves the engine that started the process, and returns
// the exit status when that goes away. To be called before the program has done
// anything else; it takes descriptor 3, and confines the process for good. 2,
// and a line on standard error, where no engine has started it.
NEXUS_API int serve_device();

}  // namespace nexus
