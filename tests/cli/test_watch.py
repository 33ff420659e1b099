#!/usr/bin/env python3
"""Runs that are watched: log and stats, and what all ways have in common."""

import collections
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import harness

SEAL = ["encrypt", "-r", harness.ALICE]
SEGMENT = 15300  # bytes of a segment of 256 rows


class WatchTest(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.plain = harness.pattern(3 << 20)
        (self.dir / "in").write_bytes(self.plain)

    def start_midway(self, *more, words=SEAL):
        """A run that waits for the rest of its input."""
        process = self.start(*words, "-o", "out", *more, stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        process.stdin.write(self.plain)
        process.stdin.flush()

        def begun():
            self.assertIsNone(process.poll(), "ended on its own")
            return any(p.stat().st_size > 0 for p in self.dir.glob("*.tmp"))

        harness.wait_until(begun, "output")
        return process

    def end(self, process, expected=0):
        """What it said meanwhile."""
        process.stdin.close()
        said = process.stderr.read().decode()
        process.wait(harness.TIMEOUT)
        self.assertEqual(harness.status(process.returncode), expected, said)
        return said

    def assert_sealed(self):
        done = self.run_it("decrypt", "-i", harness.ALICE_KEY, "out")
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout, self.plain)

    def refused(self, code, said, *words):
        done = self.run_it(*SEAL, "-o", "out", *words, "in")
        self.assert_clear_error(done, code)
        self.assertRegex(done.stderr.decode(), said)
        self.assertFalse((self.dir / "out").exists())


class Files(WatchTest):

    def test_what_cannot_be_written_stops_a_run_before_it_begins(self):
        for option in ("--log-file", "--trace", "--metrics"):
            with self.subTest(option):
                self.refused(3, "cannot (write|make) .*no/such: No such file",
                             option, "./no/such")

    def test_they_have_names(self):
        for option in ("--log-file", "--trace", "--metrics"):
            self.refused(2, "has to have a name", option, "-")
            self.refused(2, "a file name is empty", option, "")

    def test_nothing_that_the_run_uses_is_overwritten(self):
        shutil.copy(harness.ALICE_KEY, self.dir / "key")
        for option, what in (("--log-file", "log"), ("--trace", "trace"),
                             ("--metrics", "file of metrics")):
            with self.subTest(option):
                self.refused(2, f"in: the {what} is the same file as the input",
                             option, "in")
                self.refused(2, f"./out: the {what} is the same .* the output",
                             option, "./out")
                self.refused(2, f"key: the {what} would overwrite the keys",
                             option, "key", "-i", "key")
        self.refused(2, "the log is the same file as the trace",
                     "--log-file", "both", "--trace", "both")
        self.assertEqual((self.dir / "in").read_bytes(), self.plain)
        self.assertEqual((self.dir / "key").read_bytes(),
                         harness.ALICE_KEY.read_bytes())

    def test_a_full_disk_is_told_but_the_output_is_there(self):
        for option in ("--trace", "--metrics"):
            with self.subTest(option):
                done = self.run_it(*SEAL, "-o", "out", option, "/dev/full",
                                   "in")
                self.assert_exit(done, 3)
                self.assertIn(b"/dev/full: No space left", done.stderr)
                if option == "--trace":
                    self.assert_sealed()


class Log(WatchTest):

    def test_it_says_what_the_machine_has_and_what_limits_the_workers(self):
        done = self.run_it(*SEAL, "--headless", "--max-threads", "1", "-o",
                           "out", "in")
        self.assert_exit(done, 0)
        cores = os.cpu_count()
        core = "core" if cores == 1 else "cores"
        lines = done.stderr.decode().splitlines()
        self.assertRegex(
            lines[0], rf"^nexus-pipe: note: System Info: {cores} logical "
            rf"{core}, [\d.]+ .iB total memory, [\d.]+ .iB available memory$")
        self.assertRegex(
            lines[1], rf"^nexus-pipe: note: Starting 1 parallel worker across "
            rf"{cores} CPU {core}: .*at most 1 asked for$")
        self.assertRegex(lines[-1], "encrypt: 3.00 MiB in, 3.00 MiB out, ")

    def test_memory_limits_the_workers_of_a_proof(self):
        # One worker's proof of a whole segment, but not two.
        done = self.run_it("prove", "--headless", "--memory", "200M", "-o",
                           "out", "in")
        self.assert_exit(done, 0)
        self.assertRegex(done.stderr.decode(),
                         "Starting 1 parallel worker across .*200.* hold 1 ")

    def test_a_proof_says_its_steps(self):
        done = self.run_it("prove", "-v", "--segment-rows", "1024", "-o", "out",
                           "in")
        self.assert_exit(done, 0)
        said = re.findall(r"note: \[W\d+\] segment (\d+): prove, "
                          r"step (\d) of 6: (\w+)$", done.stderr.decode(), re.M)
        steps = collections.defaultdict(list)
        for segment, number, name in said:
            steps[int(segment)].append((int(number), name))
        self.assertEqual(sorted(steps), list(range(52)))
        for each in steps.values():
            self.assertEqual(each, list(enumerate(
                ["witness", "trace", "quotient", "openings", "folding",
                 "queries"], 1)))

    def test_json_is_one_object_a_line_errors_among_them(self):
        (self.dir / "bad").write_bytes(self.encrypt(self.plain)[:-1])
        for more in (["--log-file", "log"], []):
            done = self.run_it("decrypt", "-i", harness.ALICE_KEY, "-v",
                               "--log-format=json", "--progress=always", "-o",
                               "out", *more, "bad")
            self.assert_exit(done, 1)
            text = done.stderr.decode()
            if more:
                self.assert_clear_error(done, 1)
                text = (self.dir / "log").read_text()
            lines = [json.loads(line) for line in text.splitlines()]
            for line in lines:
                self.assertRegex(line["time"],
                                 r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                self.assertIn("message", line)
            self.assertGreaterEqual({line["level"] for line in lines},
                                    {"note", "info", "error"})
            self.assertIn("System Info: ", "".join(
                line["message"] for line in lines if line["level"] == "info"))

    def test_workers_are_a_field_of_json(self):
        done = self.run_it("prove", "-v", "--log-format=json", "-o", "out",
                           "in")
        self.assert_exit(done, 0)
        workers = {}
        for text in done.stderr.decode().splitlines():
            line = json.loads(text)
            workers.setdefault(line.get("worker"), line["message"])
        self.assertIn("W0", workers)
        self.assertRegex(workers["W0"], "^segment 0: prove, step 1 of 6")

    def test_a_file_is_appended_to_and_standard_error_stays_quiet(self):
        (self.dir / "log").write_text("old\n")
        for _ in range(2):
            done = self.run_it(*SEAL, "--log-file", "log", "-o", "out", "in")
            self.assert_exit(done, 0)
            self.assertEqual(done.stderr, b"")
        lines = (self.dir / "log").read_text().splitlines()
        self.assertEqual(lines[0], "old")
        self.assertEqual(sum("System Info" in line for line in lines), 2)
        for line in lines[1:]:
            self.assertRegex(line, r"^\d{4}-\S+Z (info|note) ")

    def test_headless_asks_for_nothing(self):
        for words in (["encrypt", "-p"],
                      ["decrypt", harness.DATA / "passphrase.age"]):
            master, slave = os.openpty()
            self.addCleanup(os.close, master)
            with os.fdopen(slave, "r+b", buffering=0) as terminal:
                done = self.run_it(*words, "--headless", "-o", "out",
                                   stdin=terminal)
            self.assert_exit(done, 2)
            self.assertIn(b"--headless: no passphrase is asked for",
                          done.stderr)

    def test_headless_draws_nothing(self):
        self.env["TERM"] = "xterm"
        master, slave = os.openpty()
        said = []

        def read():
            try:
                while part := os.read(master, 4096):
                    said.append(part)
            except OSError:
                pass  # the terminal was hung up

        reader = threading.Thread(target=read)
        reader.start()
        process = self.start(*SEAL, "--headless", "-o", "out",
                             stdin=subprocess.PIPE, stderr=slave)
        os.close(slave)
        process.stdin.write(self.plain)
        time.sleep(1.5)  # progress would be there after a second
        process.stdin.close()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        reader.join()
        os.close(master)
        text = b"".join(said)
        self.assertIn(b"System Info", text)
        self.assertNotIn(b"\x1b", text)

    def test_nobody_who_reads_slowly_holds_up_a_run(self):
        """Lines are dropped, and their number is told."""
        segments = 600
        plain = harness.pattern(segments * SEGMENT)
        (self.dir / "big").write_bytes(plain)
        words = ["prove", "--segment-rows", "256", "--no-self-check"]
        self.assert_exit(self.run_it(*words, "-o", "quiet", "big"), 0)

        unread, stderr = os.pipe()
        fcntl.fcntl(stderr, fcntl.F_SETPIPE_SZ, 4096)
        process = self.start(*words, "-v", "-o", "out", stdin=subprocess.PIPE,
                             stderr=stderr)
        os.close(stderr)
        process.stdin.write(plain[:-1])
        process.stdin.flush()
        enough = (self.dir / "quiet").stat().st_size * 0.9

        def stalled():
            return any(p.stat().st_size > enough
                       for p in self.dir.glob("*.tmp"))

        harness.wait_until(stalled, "output without a reader", harness.TIMEOUT)
        process.stdin.write(plain[-1:])
        process.stdin.close()
        with os.fdopen(unread, "rb") as late:
            said = late.read().decode()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        self.assertEqual((self.dir / "out").read_bytes(),
                         (self.dir / "quiet").read_bytes())
        dropped = re.search(r"warning: (\d+) log lines were dropped", said)
        self.assertTrue(dropped, said[-2000:])
        self.assertGreater(int(dropped[1]), 100)
        # The rest came through, the summary among it.
        self.assertIn("note: waits, summed over segments", said)

    def test_nobody_who_never_reads_holds_up_the_end(self):
        unread, stderr = os.pipe()
        fcntl.fcntl(stderr, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(stderr, False)
        with open(stderr, "wb", buffering=0) as fill:
            while fill.write(b"x" * 4096):
                pass
            os.set_blocking(stderr, True)
            process = self.start(*SEAL, "-v", "-o", "out", "in", stderr=fill)
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        os.close(unread)
        self.assert_sealed()


class Stats(WatchTest):

    def test_there_is_a_line_a_second(self):
        process = self.start_midway("--stats")
        time.sleep(2.5)
        lines = [json.loads(line) for line in self.end(process).splitlines()]
        self.assertGreaterEqual(len(lines), 3)  # and one at the end
        for line in lines:
            self.assertEqual(line["type"], "stats")
        times = [line["elapsed_seconds"] for line in lines]
        self.assertEqual(times, sorted(times))
        self.assertGreater(lines[0]["input_bytes"], 0)
        self.assertEqual(lines[-1]["input_bytes"], len(self.plain))
        self.assert_sealed()

    def test_a_signal_asks_for_one(self):
        process = self.start_midway()

        def asked():
            process.send_signal(signal.SIGUSR1)
            return json.loads(process.stderr.readline())

        line = asked()
        self.assertEqual(line["type"], "stats")
        self.assertEqual(line["operation"], "encrypt")
        # A segment counts a moment after its bytes are there.
        harness.wait_until(lambda: asked()["segments"] > 0, "a segment")
        self.assertEqual(self.end(process), "")
        self.assert_sealed()

    def test_a_signal_before_the_run_does_no_harm(self):
        process = self.start(*SEAL, "-o", "out", stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        status = f"/proc/{process.pid}/status"
        harness.wait_until(
            lambda: int(re.search(r"SigBlk:\s*(\w+)", open(status).read())[1],
                        16) >> signal.SIGUSR1 - 1 & 1, "signals taken")
        process.send_signal(signal.SIGUSR1)
        process.stdin.write(self.plain)
        self.end(process)
        self.assert_sealed()

    def test_nobody_reads_what_a_signal_asked_for(self):
        process = self.start_midway()
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(100):
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)  # by the same thread
        self.assertEqual(harness.status(process.wait(10)), 130)

    def test_the_period_is_checked(self):
        for value in ("0", "-1", "x", ""):
            self.refused(2, "--stats: .* not a whole number from 1 to 86400",
                         f"--stats={value}")

    def test_the_next_word_is_not_the_period(self):
        done = self.run_it(*SEAL, "-o", "out", "--stats", "in")
        self.assert_exit(done, 0)
        json.loads(done.stderr)
        self.assert_sealed()


class Threads(WatchTest):

    def names_of_threads(self, process):
        tasks = os.listdir(f"/proc/{process.pid}/task")
        return {open(f"/proc/{process.pid}/task/{task}/comm").read().strip()
                for task in tasks}

    def test_who_watches_nothing_pays_for_no_thread(self):
        watchers = {"nexus-log", "nexus-trace", "nexus-metrics", "nexus-tick"}
        process = self.start_midway()
        self.assertEqual(self.names_of_threads(process) & watchers, set())
        self.end(process)
        process = self.start_midway("--headless", "--trace", "trace",
                                    "--metrics", "0")
        self.assertEqual(self.names_of_threads(process) & watchers, watchers)
        self.end(process)


if __name__ == "__main__":
    harness.main()
