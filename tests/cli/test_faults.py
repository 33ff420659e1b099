#!/usr/bin/env python3
"""System calls that fail, one at a time and for ever: the run ends, with the
very same bytes or with a clear error, and leaves nothing half written."""

import errno
import os
import pathlib
import time

import harness

TIMEOUT = 30  # seconds
PLACES = 4    # of the calls of a kind at which one fails

# These do not come for ever. Where no memory is left for good, Asio's co_spawn
# ends the process.
ONCE = ("EINTR", "mmap")
# The first of these calls that count: what Asio asks for as it makes its loop,
# it does not look at.
FROM = {"epoll_ctl": 3}

# What a call can fail with although its arguments are right.
FILES = {
    "openat": ["EMFILE", "EACCES"],
    "fstat": ["EIO"],
    "newfstatat": ["EIO"],
    "fcntl": ["EINVAL"],
    "read": ["EIO"],
    "pread64": ["EIO"],
    "preadv": ["EIO"],
    "write": ["ENOSPC"],
    "writev": ["ENOSPC"],
    "pwrite64": ["ENOSPC", "EIO"],
    "pwritev2": ["EIO"],
    "fsync": ["EIO"],
    "ftruncate": ["EIO"],
    "fallocate": ["ENOSPC", "EOPNOTSUPP"],
    "rename": ["EIO"],
    "renameat2": ["EIO"],
    "linkat": ["EIO"],
    "unlink": ["EIO"],
    "lseek": ["ESPIPE"],
    "close": ["EIO"],
}
MEMORY = {
    "mmap": ["ENOMEM"],
    # munmap: glibc ends the process where the stack of a thread stays.
    "mprotect": ["ENOMEM"],
    "madvise": ["EINVAL"],
    "memfd_create": ["EMFILE", "ENOMEM"],
    "getrandom": ["ENOSYS"],
}
LOOP = {
    "clone3": ["EAGAIN"],
    "epoll_create1": ["EMFILE"],
    "epoll_ctl": ["ENOMEM"],
    "eventfd2": ["EMFILE"],
    "timerfd_create": ["EMFILE"],
    "io_uring_setup": ["ENOMEM", "EPERM"],
    "io_uring_enter": ["EAGAIN", "EBUSY", "ENOMEM"],
    "sched_getaffinity": ["EINVAL"],
    "sched_setaffinity": ["EINVAL"],
}
PROCESSES = {
    "execve": ["ENOENT", "ENOMEM"],
    "pidfd_open": ["EMFILE"],
    "pidfd_send_signal": ["EPERM"],
    "pipe2": ["EMFILE"],
    "poll": ["EINTR", "ENOMEM"],
    "recvmsg": ["ENOMEM"],
    "sendmsg": ["ENOBUFS"],
    "sendto": ["ENOBUFS"],
    "socketpair": ["EMFILE"],
    "waitid": ["EINTR"],
}


class Faults(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.shim = os.environ.get("NEXUS_FAIL_CALLS", "")
        if not pathlib.Path(self.shim).is_file():
            self.skipTest("the program that lets calls fail was not built")
        if harness.sanitized():
            self.skipTest("a sanitizer makes calls of its own")
        self.text = harness.pattern(5 * 65536 + 17)
        (self.dir / "in").write_bytes(self.text)
        probe = self.run_with("read", 1, 0, 0, "--version")
        if probe.returncode == 125:
            self.skipTest(probe.stderr.decode().strip())

    def run_with(self, call, error, first, times, *command):
        words = [self.shim, call, str(error), str(first), str(times),
                 str(self.dir / "home/report"), str(harness.binary),
                 *map(str, command)]
        return harness.run_group(words, cwd=self.dir, env=self.env,
                                 timeout=TIMEOUT)

    def counted(self):
        seen, failed = (self.dir / "home/report").read_text().split()
        return int(seen), int(failed)

    def sweep(self, calls, is_right, *command):
        """How many runs ended with which status, and the calls that failed."""
        ended = {0: 0, 2: 0, 3: 0}
        hit = set()
        for call, errors in calls.items():
            self.assert_exit(self.run_with(call, 1, 0, 0, *command), 0)
            self.assertTrue(is_right(b""), command)
            (self.dir / "out").unlink(missing_ok=True)
            total, _ = self.counted()
            begin = FROM.get(call, 1)
            places = sorted({begin + i * (total - begin) // (PLACES - 1)
                             for i in range(PLACES)} if total >= begin else ())
            for error in errors:
                for_ever = () if {call, error} & set(ONCE) else places[:2]
                for first, times in ([(p, 1) for p in places] +
                                     [(p, 0) for p in for_ever]):
                    with self.subTest(command=command, call=call, error=error,
                                      first=first, times=times):
                        code = self.once(call, error, first, times, is_right,
                                         command)
                        ended[code] += 1
                        if self.counted()[1]:
                            hit.add(call)
        return ended, hit

    def once(self, call, error, first, times, is_right, command):
        begin = time.monotonic()
        try:
            done = self.run_with(call, getattr(errno, error), first, times,
                                 *command)
            took = time.monotonic() - begin
            code = harness.status(done.returncode)
            if code == 0:
                self.assertTrue(is_right(done.stdout), "wrong bytes")
                (self.dir / "out").unlink(missing_ok=True)
            else:
                # 2: --io=uring asks for what is not there.
                self.assertIn(code, (2, 3), done.stderr)
                self.assert_clear_error(done, code)
            self.assertEqual(self.names(), self.kept)
        finally:
            for left in set(self.names()) - set(self.kept):
                (self.dir / left).unlink()
        if took > 5:
            print(f"slow: {took:.1f} s: {call} {error} {first} {times} "
                  f"{command}", flush=True)
        return code

    # ---- the runs, and how their output is looked at ------------------------

    def encrypted(self, _):
        plain = harness.run_group(
            [str(harness.binary), "decrypt", "-i", str(harness.ALICE_KEY),
             "out"], cwd=self.dir, env=self.env)
        return plain.stdout == self.text

    def encrypts(self, calls, *more):
        self.kept = ["in"]
        return self.sweep(calls, self.encrypted, "encrypt", "-r",
                          harness.ALICE, "--segment-size", "64K", *more, "-o",
                          "out", "in")

    def decrypts(self, calls, *more):
        """To standard output, where a failing run leaves a prefix."""
        (self.dir / "age").write_bytes(self.encrypt(self.text))
        self.kept = ["age", "in"]
        return self.sweep(calls, lambda out: out in (b"", self.text),
                          "decrypt", "-i", harness.ALICE_KEY, *more, "age")

    def proves(self, calls, *more):
        command = ["prove", "--segment-rows", "256", *more, "-o", "out", "in"]
        self.assert_exit(self.run_it(*command), 0)
        right = (self.dir / "out").read_bytes()
        self.kept = ["in"]
        return self.sweep(calls,
                          lambda _: (self.dir / "out").read_bytes() == right,
                          *command)

    def check(self, what, calls, must_fail, *more):
        ended, hit = what(calls, *more)
        print(f"{what.__name__} {' '.join(more)}: {ended[0]} runs came right, "
              f"{ended[2] + ended[3]} ended with an error; calls that failed: "
              f"{' '.join(sorted(hit))}", flush=True)
        self.assertLessEqual(set(must_fail.split()), hit, "never made")



class OneProcess(Faults):

    def test_files(self):
        for io in ("uring", "threads"):
            self.check(self.encrypts, FILES, "openat pread64 fsync rename",
                       "--io", io)
        self.check(self.decrypts, FILES, "openat pread64")

    def test_memory(self):
        self.check(self.encrypts, MEMORY, "mmap mprotect")
        self.check(self.proves, MEMORY, "mmap mprotect")

    def test_loop(self):
        for io in ("auto", "uring"):
            self.check(self.encrypts, LOOP, "clone3 eventfd2 io_uring_setup "
                       "io_uring_enter", "--io", io)


class Helpers(Faults):

    def test_processes(self):
        self.check(self.encrypts, PROCESSES, "execve socketpair sendmsg "
                   "recvmsg poll", "--isolate=all")

    def test_memory_and_loop(self):
        self.check(self.encrypts, MEMORY | LOOP, "mmap memfd_create clone3",
                   "--isolate=all")


if __name__ == "__main__":
    harness.main()
