// What every thread of the library does first.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace nexus {

// Names the thread, and keeps signals away from it: they are the host's
// business, and a reader of our output that goes away is an error value here.
inline void set_up_thread(const char* name) noexcept {
  ::pthread_setname_np(::pthread_self(), name);
  sigset_t all;
  ::sigfillset(&all);
  for (const int fault :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
    ::sigdelset(&all, fault);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace nexus
