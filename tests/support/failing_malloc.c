/* Preloaded, it lets an allocation of a process fail: NEXUS_FAIL_MALLOC=N the
 * N-th, from 1. NEXUS_COUNT_MALLOC=FILE: at the end FILE says how many there
 * were.
 *
 * Those of libcrypto on the first thread, and on those that open devices, never
 * fail: where it finds no memory to set itself up it crashes, which is not ours
 * to mend. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static atomic_ulong calls;
static atomic_ulong wanted = -1ul; /* to fail; -1: not known yet */

/* Two threads may read it: they read the same. */
static unsigned long read_wish(void) {
  const char* wish = getenv("NEXUS_FAIL_MALLOC");
  const unsigned long number = wish == NULL ? 0 : strtoul(wish, NULL, 10);
  atomic_store(&wanted, number);
  return number;
}

/* Whether the calling thread may be setting libcrypto up. */
static int may_set_up(void) {
  char name[16] = "";
  if (gettid() == getpid()) return 1;
  return prctl(PR_GET_NAME, name) == 0 && strcmp(name, "nexus-block") == 0;
}

static int is_spared(const void* caller) {
  Dl_info from;
  return may_set_up() && dladdr(caller, &from) != 0 &&
         strstr(from.dli_fname, "libcrypto") != NULL;
}

/* Whether this call is the one. */
static int fails(const void* caller) {
  const unsigned long call = atomic_fetch_add(&calls, 1) + 1;
  unsigned long number = atomic_load(&wanted);
  if (number == -1ul) number = read_wish();
  if (call != number || is_spared(caller)) return 0;
  errno = ENOMEM;
  return 1;
}

#pragma GCC visibility push(default)

void* malloc(size_t size) {
  return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) {
  return fails(__builtin_return_address(0)) ? NULL
                                            : __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) {
  return fails(__builtin_return_address(0)) ? NULL
                                            : __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  void* made = memalign(alignment, size);
  if (made == NULL) return ENOMEM;
  *memory = made;
  return 0;
}

#pragma GCC visibility pop

__attribute__((destructor)) static void report(void) {
  const char* path = getenv("NEXUS_COUNT_MALLOC");
  char text[32];
  const int size = snprintf(text, sizeof text, "%lu\n", atomic_load(&calls));
  if (path == NULL) return;
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  if (write(file, text, (size_t)size) != size) _exit(99);
  close(file);
}
