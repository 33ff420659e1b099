/* Runs a command for which io_uring does not exist.
 *
 *   no_uring [--enosys] COMMAND [ARGUMENT]...
 *
 * Its three system calls fail with EPERM, as in most containers, or with
 * ENOSYS, as in a kernel built without it. Their numbers are the same on every
 * architecture. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { first_call = 425, last_call = 427 }; /* setup, enter, register */

static int block(int error) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_call, 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_call, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog filter = {.len = sizeof program / sizeof program[0],
                                    .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

int main(int argc, char** argv) {
  int error = EPERM;
  int command = 1;
  if (argc > 1 && strcmp(argv[1], "--enosys") == 0) {
    error = ENOSYS;
    command = 2;
  }
  if (command >= argc) {
    fputs("usage: no_uring [--enosys] COMMAND [ARGUMENT]...\n", stderr);
    return 125;
  }
  if (block(error) != 0) {
    perror("no_uring: seccomp");
    return 125;
  }
  execvp(argv[command], argv + command);
  perror("no_uring: exec");
  return 127;
}
