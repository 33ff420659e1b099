"""What the tests of the job queue share.

Each test has a home of its own, a folder for screen's sockets, and an
nvidia-smi that prints what the test put into a file. What it started is ended
with it, and a test that leaves a process behind fails.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BIN = None  # set by main()
TIMEOUT = 40  # seconds for one command
NVIDIA_SMI = """#!/bin/sh
case "$1" in
--query-gpu*) cat {0}/gpus ;;
--query-compute*) cat {0}/users ;;
esac
"""


def gpu_line(index, used=3):
    return f"{index}, GPU-{index}, NVIDIA GeForce RTX 3090, 24576, {used}\n"


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


class Case(unittest.TestCase):
    gpus = 2
    source = "nvidia-smi"
    config = "poll_seconds = 0.2\n"

    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="nexus-"))
        self.home = self.top / "home" / ".nexus"
        self.folder = self.top / "work"
        for name in ("bin", "home", "work", "screens"):
            (self.top / name).mkdir()
        (self.top / "screens").chmod(0o700)
        self.home.mkdir()
        (self.home / "config.toml").write_text(
            f'[gpus]\nsource = "{self.source}"\n{self.config}\n[jobs]\nkill_grace_seconds = 0.5\n')
        smi = self.top / "bin/nvidia-smi"
        smi.write_text(NVIDIA_SMI.format(self.top))
        smi.chmod(0o755)
        self.set_gpus("".join(gpu_line(i) for i in range(self.gpus)))
        (self.top / "users").write_text("")
        self.environment = dict(
            os.environ, HOME=str(self.top / "home"), TERM="xterm", TZ="UTC",
            SCREENDIR=str(self.top / "screens"), NEXUS_TEST=str(self.top),
            PATH=f"{self.top}/bin:{os.environ['PATH']}")
        self.environment.pop("NEXUS_HOME", None)

    def tearDown(self):
        subprocess.run([BIN, "stop"], env=self.environment, timeout=TIMEOUT,
                       capture_output=True)
        left = self.left_behind()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.top)
        self.assertEqual(left, {}, "left behind")

    def left_behind(self, seconds=5):
        """Every process that bears this test's environment, after a while."""
        mark = f"NEXUS_TEST={self.top}".encode()
        until = time.time() + seconds
        while True:
            found = {}
            for path in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    if mark in (path / "environ").read_bytes().split(b"\0"):
                        found[int(path.name)] = (
                            path / "cmdline").read_bytes().decode()
                except OSError:
                    pass
            if not found or time.time() > until:
                return found
            time.sleep(0.05)

    def set_gpus(self, text):
        fresh = self.top / "gpus.new"
        fresh.write_text(text)
        fresh.rename(self.top / "gpus")

    def run_nexus(self, *words, **more):
        return subprocess.run([BIN, *words], env=self.environment, text=True,
                              cwd=self.folder, capture_output=True,
                              timeout=TIMEOUT, stdin=subprocess.DEVNULL, **more)

    def nexus(self, *words, status=0):
        done = self.run_nexus(*words)
        self.assertEqual(done.returncode, status,
                         f"{words}\n{done.stdout}{done.stderr}")
        return done.stdout if status == 0 else done.stderr

    def add(self, *words):
        return self.nexus("add", *words).split()[2]

    def jobs(self):
        # In the order in which a job moves: none is missed between them.
        listed = json.loads(self.nexus("queue", "--json"))
        listed += json.loads(self.nexus("--json"))["jobs"]
        listed += json.loads(self.nexus("history", "--json"))
        return {job["id"]: job for job in listed}

    def job(self, name):
        return self.jobs()[name]

    def wait_for(self, what, message, seconds=15):
        until = time.time() + seconds
        while time.time() < until:
            if what():
                return
            time.sleep(0.05)
        log = self.home / "logs/service.log"
        self.fail(f"{message}\n{log.read_text() if log.exists() else ''}")

    def wait_state(self, name, state):
        self.wait_for(lambda: self.job(name)["state"] == state,
                      f"{name} is not {state}")

    def service(self):
        return json.loads((self.home / "service.lock").read_text())

    def sessions(self):
        return sorted(path.name.split(".", 1)[1]
                      for path in (self.top / "screens").iterdir())


def main(usage):
    """Runs the tests of the program: --bin NEXUS [TEST...]."""
    global BIN
    arguments = sys.argv[1:]
    if arguments[:1] != ["--bin"] or len(arguments) < 2:
        print(usage, file=sys.stderr)
        return 2
    BIN = str(pathlib.Path(arguments[1]).resolve())
    if shutil.which("screen") is None:
        print("skipped: screen is not installed\nOK (skipped=1)",
              file=sys.stderr)
        return 0
    unittest.main(argv=[sys.argv[0], *arguments[2:]])
