#!/usr/bin/env python3
"""Helper processes that are killed, stopped and broken at random while runs
go on: nothing may be seen of it in what comes out.

NEXUS_CHAOS_SEED repeats a series of strikes; the seed is printed.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import harness
import helpers

STRIKES = 6  # on a run; a segment may be lost with 8 helpers
HANG = 2  # seconds
ZOMBIE = 5  # seconds, in which a dead helper is seen to
DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
# Of the helpers' own doing, by the stub: for streams of bytes, and for proofs.
BROKEN = ("cpus=2;cpu0.crash=every:23", "cpus=2;cpu1.quit=every:31",
          "cpus=1;gpus=1;gpu.garbage=every:3", "cpus=2;cpu0.fail=every:9",
          "cpus=2;cpu0.crash=every:17;cpu1.regret=every:29")
BROKEN_PROVERS = ("cpus=2;cpu0.corrupt=every:2", "cpus=2;cpu1.crash=every:7")


class Striker(threading.Thread):
    """Strikes at the helpers of one run, and looks at them meanwhile."""

    def __init__(self, process, seed):
        super().__init__()
        self.process = process
        self.chance = random.Random(seed)
        self.seen, self.dead_since, self.stopped = set(), {}, {}
        self.deadly = self.stops = self.most_open = 0
        self.zombie = None

    def run(self):
        following = time.monotonic() + self.chance.uniform(0.02, 0.2)
        while self.process.poll() is None:
            now = time.monotonic()
            there = helpers.of(self.process.pid)
            self.look(there, now)
            if now > following and self.deadly + self.stops < STRIKES:
                self.strike(there, now)
                following = now + self.chance.uniform(0.02, 0.3)
            for helper, until in list(self.stopped.items()):
                if now > until and self.stopped.pop(helper):
                    self.send(helper, signal.SIGCONT)
            time.sleep(0.005)

    def look(self, there, now):
        self.seen.update(there)
        dead = {h for h, state in there.items() if state == "Z"}
        self.dead_since = {h: self.dead_since.get(h, now) for h in dead}
        for helper, since in self.dead_since.items():
            if now - since > ZOMBIE:
                self.zombie = helper
        self.most_open = max(self.most_open,
                             len(helpers.descriptors(self.process.pid)))

    def strike(self, there, now):
        able = [h for h, state in sorted(there.items())
                if state not in "ZXT" and h not in self.stopped]
        if not able:
            return
        helper = self.chance.choice(able)
        if self.chance.random() < 0.25:
            # Some are let go on in time, some are given up before. None stays:
            # one that opens its device has two minutes for it.
            self.stops += self.send(helper, signal.SIGSTOP)
            self.stopped[helper] = now + self.chance.uniform(0.1, HANG + 2)
        else:
            self.deadly += self.send(helper, self.chance.choice(DEADLY))

    @staticmethod
    def send(helper, number):
        if not helpers.alive(helper):
            return 0
        try:
            os.kill(helper[0], number)
        except ProcessLookupError:
            return 0
        return 1


class Chaos(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.stub = os.environ.get("NEXUS_STUB_DIR", "")
        self.seed = int(os.environ.get("NEXUS_CHAOS_SEED",
                                       random.SystemRandom().randrange(10**9)))
        print(f"NEXUS_CHAOS_SEED={self.seed}", flush=True)
        self.chance = random.Random(self.seed)
        self.text = harness.pattern(64 << 20)
        (self.dir / "in").write_bytes(self.text)
        self.short = self.text[:1500000]
        (self.dir / "short").write_bytes(self.short)
        (self.dir / "sealed").write_bytes(self.encrypt(
            self.text, "--isolate=none"))
        for name, words in (("proofs", ["prove", "--segment-rows", "512"]),
                            ("root", ["digest"])):
            done = self.run_it(*words, "--isolate=none",
                               "short" if name == "proofs" else "in")
            self.assert_exit(done, 0)
            (self.dir / name).write_bytes(done.stdout)
        self.before = self.names()
        self.counts = dict.fromkeys(
            ("runs", "deadly", "stops", "restarts", "retries"), 0)

    def words_of(self, kind, tag):
        """The command, and what has to come out of it (None: a stream that
        opens to the text)."""
        more = ["--isolate=all", "--hang-seconds", str(HANG), "--max-threads",
                "2", "--telemetry", f"told-{tag}"]
        if kind == "encrypt":
            return ["encrypt", "-r", harness.ALICE, "--segment-size", "256K",
                    "--verify-output=all", *more, "in"], None
        if kind == "decrypt":
            return ["decrypt", "-i", harness.ALICE_KEY, "--segment-size",
                    "256K", *more, "sealed"], self.text
        if kind == "prove":
            return ["prove", "--segment-rows", "512", *more,
                    "short"], (self.dir / "proofs").read_bytes()
        return ["digest", *more, "in"], (self.dir / "root").read_bytes()

    def start_one(self, kind, tag):
        words, expected = self.words_of(kind, tag)
        broken = self.stub and kind != "digest" and self.chance.random() < 0.3
        self.env.pop("NEXUS_STUB", None)
        if broken:
            ways = BROKEN_PROVERS if kind == "prove" else BROKEN
            if kind == "decrypt":
                ways = [w for w in ways if "garbage" not in w]
            self.env["NEXUS_STUB"] = self.chance.choice(ways)
            words += ["--plugin-dir", self.stub, "--backend", "stub",
                      "--policy", "round-robin"]
        output = open(self.dir / f"out-{tag}", "wb")
        errors = open(self.dir / f"err-{tag}", "wb")
        with output, errors:
            process = self.start(*words, stdout=output, stderr=errors)
        striker = Striker(process, self.chance.random())
        # One that breaks by itself has troubles enough.
        if broken:
            striker.deadly = STRIKES
        striker.start()
        what = f"{kind} {self.env.get('NEXUS_STUB', 'cpu')}"
        return what, tag, expected, bool(broken), striker

    def finish(self, what, tag, expected, broken, striker):
        striker.process.wait(timeout=120)
        striker.join()
        with self.subTest(what, seed=self.seed):
            self.check(tag, expected, broken, striker)
        for name in (f"out-{tag}", f"err-{tag}", f"told-{tag}"):
            (self.dir / name).unlink(missing_ok=True)

    def check(self, tag, expected, broken, striker):
        errors = (self.dir / f"err-{tag}").read_text()
        self.assertEqual(striker.process.returncode, 0, errors)
        helpers.wait_for_the_end(striker.seen)
        self.assertIsNone(striker.zombie, "a zombie that nobody waited for")
        # Two helpers, two slots each, and the memory of the window.
        self.assertLess(striker.most_open, 250, "descriptors of the run")
        output = (self.dir / f"out-{tag}").read_bytes()
        if expected is None:
            opened = self.decrypt(output)
            self.assert_exit(opened, 0)
            output, expected = opened.stdout, self.text
        self.assertTrue(output == expected, "another output")
        told = json.loads((self.dir / f"told-{tag}").read_text())
        restarts = sum(d["restarts"] for d in told["devices"])
        self.counts["runs"] += 1
        self.counts["restarts"] += restarts
        self.counts["retries"] += told["retries"]
        if not broken:
            self.counts["deadly"] += striker.deadly
            self.counts["stops"] += striker.stops
            self.assertLessEqual(restarts, striker.deadly + striker.stops)

    def chaos(self, seconds):
        end = time.monotonic() + seconds
        kinds = ("encrypt", "decrypt", "prove", "digest")
        number = 0
        while time.monotonic() < end:
            # By turns one alone, and two at once.
            count = 1 + number % 2
            running = [self.start_one(kinds[(number + i) % 4], i)
                       for i in range(count)]
            for one in running:
                self.finish(*one)
            number += 1
        self.assertEqual(self.names(), self.before, "files are left")
        print(self.counts, flush=True)
        self.assertGreater(self.counts["deadly"], 0)
        self.assertGreater(self.counts["restarts"], 0)


class Orphans(harness.CommandTest):
    """The parent is killed, and can tidy up nothing."""

    @staticmethod
    def groups():
        return {int(p.name.rsplit("-", 1)[1]): p for p in
                pathlib.Path("/sys/fs/cgroup").glob("**/nexus-worker-*")}

    def start_and_kill(self, number_to_helpers):
        process = self.start("encrypt", "-r", harness.ALICE, "--isolate=all",
                             "--worker-memory", "512M", "--max-threads", "2",
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        process.stdin.write(bytes(4 << 20))
        process.stdin.flush()
        seen = harness.wait_until(
            lambda: len(now := helpers.of(process.pid)) == 2 and now,
            "two helpers")
        # As far as their device: they ask for their parent's fate first.
        time.sleep(0.5)
        for helper in list(seen)[:1]:
            if number_to_helpers:
                os.kill(helper[0], number_to_helpers)
        process.kill()
        process.wait()
        helpers.wait_for_the_end(seen)
        return {helper[0] for helper in seen}

    def test_helpers_end_with_a_parent_that_is_killed(self):
        for number in (0, signal.SIGSTOP):
            with self.subTest(number):
                self.start_and_kill(number)

    def test_the_next_run_removes_what_groups_are_left(self):
        pids = self.start_and_kill(0)
        if not pids & set(self.groups()):
            self.skipTest("no memory cgroup may be made here")
        done = self.run_it("encrypt", "-r", harness.ALICE, "--isolate=all",
                           "--worker-memory", "512M", input=b"x")
        self.assert_exit(done, 0)
        self.assertFalse(pids & set(self.groups()))


class Quick(Chaos):
    def test_ten_seconds(self):
        self.chaos(10)


class Long(Chaos):
    def test_a_minute(self):
        self.chaos(60)


if __name__ == "__main__":
    harness.main()
