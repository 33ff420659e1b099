"""A terminal of its own for a command: types, watches, and waits."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import harness


class Terminal:
    """Starts a command whose controlling terminal is a new pty.

    stdin, stdout and stderr are that terminal where they are not given.
    """

    def __init__(self, arguments, env, cwd, **streams):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack("4H", 24, 100, 0, 0))
        for name in ("stdin", "stdout", "stderr"):
            streams.setdefault(name, self.slave)

        def take_terminal():
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [str(a) for a in arguments], env=env, cwd=cwd,
            pass_fds=(self.slave,), start_new_session=True,
            preexec_fn=take_terminal, **streams)
        self.shown = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.kill_group(self.process)
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def _take(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.shown += os.read(self.master, 65536)
        return bool(ready)

    def expect(self, text, seconds=harness.TIMEOUT):
        """Waits for text; what stood before it is dropped."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            if self.process.poll() is not None and not self._take(0):
                raise AssertionError(f"ended without {text!r}: {self.shown!r}")
            if time.monotonic() > end:
                raise AssertionError(f"no {text!r} in {self.shown!r}")
            self._take(0.1)
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def type(self, text):
        """Waits first for the echo to be off: what is typed early is shown."""
        harness.wait_until(lambda: not self.echoes(), "echo off")
        os.write(self.master, text)

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def finish(self, seconds=harness.TIMEOUT):
        """The exit status, and what was shown since the last expect()."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"does not end: {self.shown!r}")
            self._take(0.05)
        with contextlib.suppress(OSError):
            while self._take(0):
                pass
        return harness.status(self.process.returncode), self.shown
