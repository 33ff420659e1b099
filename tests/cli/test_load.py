#!/usr/bin/env python3
"""Runs in a cgroup of their own, whose memory or processors are taken away and
given back while they run."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness

MIB = 1 << 20
LIMIT = 256 * MIB
BUDGET = 160 * MIB

# Takes memory step by step, holds it, and goes when its input ends.
HOG = """
import sys, time
held = []
for _ in range(int(sys.argv[1]) // 4):
    held.append(bytearray(b"x") * (4 << 20))
    time.sleep(0.2)
print("full", flush=True)
sys.stdin.read()
"""


def mounts():
    """(mount point, type, options) of all cgroup hierarchies."""
    for line in open("/proc/self/mountinfo"):
        left, _, right = line.partition(" - cgroup")
        if right:
            words = ("cgroup" + right).split()
            yield left.split()[4], words[0], words[2].split(",")


def membership(controller):
    """This process's cgroup: of a controller, or of version 2 for ""."""
    for line in open("/proc/self/cgroup"):
        _, controllers, path = line.rstrip("\n").split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


def places(controller):
    """(directory, version) of cgroups in which one may be made, own first."""
    for point, kind, options in mounts():
        version = 2 if kind == "cgroup2" else 1
        path = membership("" if version == 2 else controller)
        if path is None or (version == 1 and controller not in options):
            continue
        top = pathlib.Path(point)
        here = top / path.lstrip("/")
        if not here.is_dir():
            here = top
        yield from ((level, version) for level in (here, *here.parents)
                    if level == top or top in level.parents)


class Group:
    """A cgroup with a controller; None where none may be made."""

    FILES = {("memory", 1): "memory.limit_in_bytes", ("memory", 2): "memory.max",
             ("cpu", 1): "cpu.cfs_quota_us", ("cpu", 2): "cpu.max"}

    def __init__(self, path, version):
        self.path, self.version = path, version

    @classmethod
    def make(cls, controller):
        for parent, version in places(controller):
            try:
                path = pathlib.Path(tempfile.mkdtemp(prefix="nexus-test-",
                                                     dir=parent))
            except OSError:
                continue
            path.chmod(0o755)
            if os.access(path / cls.FILES[controller, version], os.W_OK):
                return cls(path, version)
            path.rmdir()
        return None

    def set(self, name, value):
        (self.path / name).write_text(str(value))

    def limit_memory(self, size):
        self.set(self.FILES["memory", self.version], size)
        # Without swap, where that can be said.
        for name, most in (("memory.swap.max", 0),
                           ("memory.memsw.limit_in_bytes", size)):
            if (self.path / name).exists():
                self.set(name, most)

    def limit_processors(self, number):
        if self.version == 2:
            self.set("cpu.max", f"{number * 100000 if number else 'max'} 100000")
        else:
            self.set("cpu.cfs_quota_us", number * 100000 if number else -1)

    def kills(self):
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        for line in (self.path / name).read_text().splitlines():
            if line.split()[0] == "oom_kill":
                return int(line.split()[1])
        return 0

    def remove(self):
        def gone():
            try:
                self.path.rmdir()
            except OSError:
                return False
            return True
        harness.wait_until(gone, f"{self.path} is empty")


class LoadTest(harness.CommandTest):

    CONTROLLER = "memory"

    def setUp(self):
        super().setUp()
        if harness.sanitized():
            self.skipTest("a sanitizer takes memory of its own")
        self.group = Group.make(self.CONTROLLER)
        if self.group is None:
            self.skipTest(f"no cgroup with the {self.CONTROLLER} controller can "
                          "be made here")
        print(f"cgroup version {self.group.version}", flush=True)
        self.addCleanup(self.group.remove)

    def start_inside(self, *words, **more):
        script = f'echo $$ > "{self.group.path}/cgroup.procs" && exec "$@"'
        process = subprocess.Popen(
            ["sh", "-c", script, "sh", *map(str, words)], cwd=self.dir,
            env=self.env, start_new_session=True, **more)
        self.addCleanup(self._reap, process)
        return process

    def start_encrypt(self, *words):
        """Encrypts without end, to a reader that is slow."""
        source = self.start_source()
        process = self.start_inside(
            harness.binary, "encrypt", "-r", harness.ALICE, "-v",
            "--telemetry", "t.json", *words, stdin=source.stdout,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        source.stdout.close()
        self.source = source
        self.read = 0
        self.seen = []
        self.threads = [threading.Thread(target=self.read_slowly,
                                         args=[process.stdout]),
                        threading.Thread(target=self.read_log,
                                         args=[process.stderr])]
        for thread in self.threads:
            thread.start()
        return process

    def start_source(self):
        process = subprocess.Popen(["cat", "/dev/zero"],
                                   stdout=subprocess.PIPE)
        self.addCleanup(self._reap_source, process)
        return process

    @staticmethod
    def _reap_source(process):
        process.kill()
        process.wait()

    def read_slowly(self, pipe):
        while piece := os.read(pipe.fileno(), MIB):
            self.read += len(piece)
            time.sleep(len(piece) / (64 * MIB))

    def read_log(self, pipe):
        for line in pipe:
            self.seen.append(line.decode())

    def end(self, process):
        self.source.kill()
        process.wait(timeout=harness.TIMEOUT)
        for thread in self.threads:
            thread.join()
        return process.returncode

    def load(self):
        return json.loads((self.dir / "t.json").read_text())["load"]


class Memory(LoadTest):

    WORDS = ("--memory", BUDGET, "--segment-size", 8 * MIB, "--max-threads", 2)

    def setUp(self):
        super().setUp()
        self.group.limit_memory(LIMIT)

    def hog(self, size):
        return self.start_inside(sys.executable, "-c", HOG, size // MIB,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def alive(self, process):
        return process.poll() is None

    def test_it_shrinks_before_the_kernel_kills(self):
        process = self.start_encrypt(*self.WORDS)
        time.sleep(2)
        hog = self.hog(176 * MIB)
        self.assertEqual(hog.stdout.readline(), b"full\n", "the hog was killed")
        time.sleep(2)
        self.assertTrue(self.alive(process), self.seen)
        self.assertTrue(self.alive(hog))
        self.assertEqual(self.group.kills(), 0)
        before = self.read
        harness.wait_until(lambda: self.read > before, "it goes on")
        hog.stdin.close()
        hog.wait()
        harness.wait_until(
            lambda: any("growing to 160 MiB" in line for line in self.seen),
            "it grows back", 60)
        self.assertEqual(self.end(process), 0, self.seen)
        load = self.load()
        print(load, flush=True)
        self.assertGreaterEqual(load["shrinks"], 1)
        self.assertGreaterEqual(load["growths"], 1)
        self.assertEqual(load["budget_bytes"], BUDGET)
        self.assertLess(load["least_budget_bytes"], BUDGET)

    def test_without_it_somebody_is_killed(self):
        """What the test above is worth."""
        process = self.start_encrypt("--no-adapt", *self.WORDS)
        time.sleep(2)
        hog = self.hog(176 * MIB)
        full = hog.stdout.readline() == b"full\n"
        time.sleep(1)
        survived = full and self.alive(process) and self.alive(hog)
        self.end(process)
        self.assertFalse(survived, "there was memory enough")
        self.assertGreaterEqual(self.group.kills(), 1)

    def test_memory_high_is_a_limit(self):
        if self.group.version != 2:
            self.skipTest("memory.high is of cgroups of version 2")
        self.group.set("memory.max", "max")
        self.group.set("memory.high", LIMIT)
        process = self.start_encrypt(*self.WORDS)
        time.sleep(2)
        hog = self.hog(176 * MIB)
        self.assertEqual(hog.stdout.readline(), b"full\n")
        harness.wait_until(
            lambda: any("memory.high" in line for line in self.seen),
            "it shrinks")
        hog.stdin.close()
        self.assertEqual(self.end(process), 0, self.seen)


class Processors(LoadTest):

    CONTROLLER = "cpu"

    def test_workers_follow_the_quota(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("there is one processor")
        self.group.limit_processors(0)
        process = self.start_encrypt("--max-threads", 2)
        time.sleep(1.5)
        self.group.limit_processors(1)
        harness.wait_until(
            lambda: any("and 1 worker: " in line for line in self.seen),
            "one worker is left")
        self.group.limit_processors(0)
        harness.wait_until(
            lambda: any("and 2 workers: " in line for line in self.seen),
            "there are two again")
        self.assertEqual(self.end(process), 0, self.seen)
        self.assertEqual(self.load()["shrinks"], 1)
        self.assertEqual(self.load()["workers"], 2)


if __name__ == "__main__":
    harness.main()
