#include "isolate/confine.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <vector>

namespace nexus::isolate {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t architecture = 0;
#endif

// Of no use to any device.
constexpr int never[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_open_by_handle_at,
    SYS_acct,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_quotactl,
};

// Of no use to one that only computes.
constexpr int not_to_compute[] = {
    SYS_execve,
    SYS_execveat,
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_kill,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_mkdirat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmodat,
    SYS_fchownat,
    SYS_truncate,
    SYS_setxattr,
    SYS_io_uring_setup,
    SYS_openat2,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_unlink,
    SYS_rename,
    SYS_renameat,
    SYS_mkdir,
    SYS_rmdir,
    SYS_link,
    SYS_symlink,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_creat,
#endif
};

constexpr std::uint32_t refuse_with(int error) {
  return SECCOMP_RET_ERRNO |
         (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA);
}

class filter {
 public:
  filter() {
    load(offsetof(seccomp_data, arch));
    // A call by another convention than this program's own.
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0));
    answer(refuse_with(EPERM));
    load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
    // The x32 convention: other numbers for the same calls.
    code_.push_back(jump(BPF_JGE, 0x40000000, 0, 1));
    answer(refuse_with(EPERM));
#endif
  }
  // Unless an argument's lower half is this value.
  void refuse_unless(long call, int argument, std::uint32_t value) {
    code_.push_back(jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 4));
    load_argument(argument);
    code_.push_back(jump(BPF_JEQ, value, 1, 0));
    answer(refuse_with(EPERM));
    load(offsetof(seccomp_data, nr));
  }
  void refuse(long call, int error = EPERM) {
    only_if(call);
    answer(refuse_with(error));
  }
  // Where any of these bits is set in an argument's lower half.
  void refuse_with_bits(long call, int argument, std::uint32_t bits) {
    code_.push_back(jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 4));
    load_argument(argument);
    code_.push_back(jump(BPF_JSET, bits, 0, 1));
    answer(refuse_with(EPERM));
    load(offsetof(seccomp_data, nr));
  }
  // Where one of these bits is missing.
  void refuse_without_bits(long call, int argument, std::uint32_t bits) {
    code_.push_back(jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 4));
    load_argument(argument);
    code_.push_back(jump(BPF_JSET, bits, 1, 0));
    answer(refuse_with(EPERM));
    load(offsetof(seccomp_data, nr));
  }
  bool install() {
    answer(SECCOMP_RET_ALLOW);
    sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
  }

 private:
  static sock_filter jump(int how, std::uint32_t value, std::uint8_t yes,
                          std::uint8_t no) {
    return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | how | BPF_K), value,
                    yes, no);
  }
  void load(std::size_t offset) {
    code_.push_back(
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void load_argument(int number) {
    // Little-endian, as both architectures are.
    load(offsetof(seccomp_data, args) +
         static_cast<std::size_t>(number) * sizeof(std::uint64_t));
  }
  void only_if(long call) {
    code_.push_back(jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 1));
  }
  void answer(std::uint32_t what) {
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, what));
  }

  std::vector<sock_filter> code_;
};

}  // namespace

void confine_early() {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  (void)::prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
}

// Where all lanes are bound: the driver's own threads go there, too.
bool set_processors(const hello& wanted) {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (std::uint32_t lane = 0; lane < wanted.lane_count; ++lane) {
    bool bound = false;
    for (std::uint32_t p = 0;
         p < std::min<std::uint32_t>(max_processors, CPU_SETSIZE); ++p) {
      if ((wanted.processors[lane][p / 64] >> (p % 64) & 1) == 0) continue;
      CPU_SET(p, &all);
      bound = true;
    }
    if (!bound) return true;
  }
  return ::sched_setaffinity(0, sizeof all, &all) == 0;
}

bool set_priorities(const hello& wanted) {
  bool done = set_processors(wanted);
  if (wanted.nice != 0)
    done &= ::setpriority(PRIO_PROCESS, 0, wanted.nice) == 0;
  if (wanted.io_class != 0) {
    constexpr int who_process = 1;  // IOPRIO_WHO_PROCESS
    const int value = wanted.io_class << 13 | wanted.io_level;
    done &= ::syscall(SYS_ioprio_set, who_process, 0, value) == 0;
  }
  return done;
}

bool confine_calls(confinement how) {
  if (how == confinement::none || architecture == 0) return true;
  filter rules;
  for (const int call : never) rules.refuse(call);
  if (how == confinement::processor) {
    for (const int call : not_to_compute) rules.refuse(call);
    // Threads, but no processes. The flags of clone3 cannot be seen; the C
    // library falls back to clone where it is not there.
    rules.refuse(SYS_clone3, ENOSYS);
    rules.refuse_without_bits(SYS_clone, 0, CLONE_THREAD);
    // Signals to itself alone, as of abort().
    rules.refuse_unless(SYS_tgkill, 0, static_cast<std::uint32_t>(::getpid()));
    constexpr std::uint32_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    rules.refuse_with_bits(SYS_openat, 2, writing);
#if defined(__x86_64__)
    rules.refuse_with_bits(SYS_open, 1, writing);
#endif
  }
  return rules.install();
}

}  // namespace nexus::isolate
