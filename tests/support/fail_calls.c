/* Runs a command some of whose system calls fail.
 *
 *   fail_calls CALL ERROR FIRST TIMES REPORT COMMAND [ARGUMENT]...
 *
 * CALL is a name of the table below, ERROR a number of errno. Calls are counted
 * over all threads and over the processes that the command starts, from its
 * first prctl on, by which it names its threads and forbids core dumps: what the
 * loader does is not its doing. Those from number FIRST on fail, TIMES of them; 0 is for ever.
 * FIRST 0: none fails. REPORT gets how many there were and how many failed.
 * Reads and writes are those of files, pipes and sockets: what threads wake each
 * other with does not fail. Of epoll_ctl only additions take memory.
 *
 * A filter hands the calls to this process, which answers for the kernel
 * (seccomp_unotify(2)). So it sees those, too, that libraries make past libc.
 * Exit status: the command's, 128 and more for signals; 125: not allowed here. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(name) {#name, SYS_##name}
static const struct {
  const char* name;
  int number;
} calls[] = {
    CALL(clone3),        CALL(close),         CALL(epoll_create1),
    CALL(epoll_ctl),     CALL(epoll_wait),    CALL(eventfd2),
    CALL(execve),        CALL(fallocate),     CALL(fcntl),
    CALL(fstat),         CALL(fsync),         CALL(ftruncate),
    CALL(futex),         CALL(getrandom),     CALL(io_uring_enter),
    CALL(io_uring_setup), CALL(ioctl),        CALL(linkat),
    CALL(lseek),         CALL(madvise),       CALL(memfd_create),
    CALL(mmap),          CALL(mprotect),      CALL(munmap),
    CALL(newfstatat),    CALL(openat),        CALL(pidfd_open),
    CALL(pidfd_send_signal), CALL(pipe2),     CALL(poll),
    CALL(pread64),       CALL(preadv),        CALL(pwrite64),
    CALL(pwritev2),      CALL(read),          CALL(recvmsg),
    CALL(rename),        CALL(renameat2),     CALL(sched_getaffinity),
    CALL(sched_setaffinity), CALL(sendmsg),   CALL(sendto),
    CALL(socketpair),    CALL(timerfd_create), CALL(timerfd_settime),
    CALL(unlink),        CALL(vfork),         CALL(waitid),
    CALL(write),         CALL(writev),
};

/* Both processes see it: the child may make no call that is watched before the
 * parent listens. */
struct shared {
  atomic_int listener; /* in the child; -1: not yet, -2: not allowed */
  atomic_int heard;
};

static int number_of(const char* name) {
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; ++i)
    if (strcmp(calls[i].name, name) == 0) return calls[i].number;
  return -1;
}

/* Hands over the call, and the one that begins the count. */
static int listen_to(int number) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog filter = {.len = sizeof program / sizeof program[0],
                                    .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
}

static void become(char** command, int number, struct shared* both) {
  const int listener = listen_to(number);
  atomic_store(&both->listener, listener < 0 ? -2 : listener);
  while (!atomic_load(&both->heard)) {
  }
  execvp(command[0], command);
  _exit(127);
}

struct plan {
  int number, error;
  unsigned long first, times;
  unsigned long seen, failed;
  int counting;
};

static int counts(const struct seccomp_notif* asked) {
  if (asked->data.nr == SYS_epoll_ctl) return asked->data.args[1] == 1;
  if (asked->data.nr != SYS_read && asked->data.nr != SYS_write) return 1;
  char link[64];
  char target[16] = {0};
  snprintf(link, sizeof link, "/proc/%u/fd/%llu", asked->pid,
           (unsigned long long)asked->data.args[0]);
  if (readlink(link, target, sizeof target - 1) < 0) return 0;
  return strncmp(target, "anon_inode:", 11) != 0;
}

static void answer(int listener, struct plan* plan) {
  struct seccomp_notif asked;
  memset(&asked, 0, sizeof asked);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;
  struct seccomp_notif_resp said = {.id = asked.id,
                                    .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  if (asked.data.nr != plan->number) {
    plan->counting = 1;
  } else if (plan->counting && counts(&asked)) {
    ++plan->seen;
    const int due = plan->first != 0 && plan->seen >= plan->first &&
                    (plan->times == 0 || plan->seen - plan->first < plan->times);
    if (due) {
      ++plan->failed;
      said.flags = 0;
      said.error = -plan->error;
    }
  }
  (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
}

int main(int argc, char** argv) {
  if (argc < 7) {
    fputs("usage: fail_calls CALL ERROR FIRST TIMES REPORT COMMAND...\n",
          stderr);
    return 125;
  }
  struct plan plan = {.number = number_of(argv[1]),
                      .error = atoi(argv[2]),
                      .first = strtoul(argv[3], NULL, 10),
                      .times = strtoul(argv[4], NULL, 10)};
  if (plan.number < 0) {
    fprintf(stderr, "fail_calls: no such call: %s\n", argv[1]);
    return 125;
  }
  struct shared* both = mmap(NULL, sizeof *both, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (both == MAP_FAILED) return 125;
  atomic_store(&both->listener, -1);
  const pid_t child = fork();
  if (child < 0) return 125;
  if (child == 0) become(argv + 6, plan.number, both);
  int theirs;
  while ((theirs = atomic_load(&both->listener)) == -1) usleep(100);
  const int process = (int)syscall(SYS_pidfd_open, child, 0);
  const int listener =
      theirs < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
  if (listener < 0) {
    perror("fail_calls: the kernel does not let it listen");
    kill(child, SIGKILL);
    return 125;
  }
  atomic_store(&both->heard, 1);
  struct pollfd wait = {.fd = listener, .events = POLLIN};
  /* Until nobody is left who could call. */
  while (poll(&wait, 1, -1) > 0 || errno == EINTR) {
    if ((wait.revents & POLLIN) != 0) answer(listener, &plan);
    if ((wait.revents & (POLLHUP | POLLERR)) != 0) break;
  }
  int how = 0;
  while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
  }
  FILE* report = fopen(argv[5], "w");
  if (report == NULL) return 125;
  fprintf(report, "%lu %lu\n", plan.seen, plan.failed);
  fclose(report);
  return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}
