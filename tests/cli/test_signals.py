#!/usr/bin/env python3
"""Signals at any time: the exit status, and nothing left behind."""

import os
import signal
import subprocess
import time

import harness

SIGNALS = ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129))
PROMPT = 10  # seconds in which a run has to stop


class SignalTest(harness.CommandTest):

    def stop(self, process, number):
        process.send_signal(number)
        try:
            process.wait(PROMPT)
        except subprocess.TimeoutExpired:
            self.fail(f"does not stop within {PROMPT} s")
        return harness.status(process.returncode), process.stderr.read()

    def wait_for_handlers(self, process):
        """Until SIGINT is blocked, which is how the tool takes it."""
        status = f"/proc/{process.pid}/status"

        def blocked():
            text = open(status).read()
            mask = int(text.split("SigBlk:")[1].split()[0], 16)
            return mask >> (signal.SIGINT - 1) & 1

        harness.wait_until(blocked, "signals taken")


class Signals(SignalTest):

    def setUp(self):
        super().setUp()
        plain = harness.pattern(1000000)
        self.inputs = {
            "encrypt": (["encrypt", "-r", harness.ALICE], plain),
            "armor": (["encrypt", "-a", "-r", harness.ALICE], plain),
            "decrypt": (["decrypt", "-i", harness.ALICE_KEY],
                        self.encrypt(plain)[:-1000]),
            "armored": (["decrypt", "-i", harness.ALICE_KEY],
                        self.encrypt(plain, "-a")[:-1000]),
        }

    def start_midway(self, words, data, *more):
        """A run whose output has begun and whose input does not end."""
        process = self.start(*words, "-o", "out", *more, stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        process.stdin.write(data)
        process.stdin.flush()

        def begun():
            self.assertIsNone(process.poll(), "ended on its own")
            return any(p.stat().st_size > 0 for p in self.dir.glob("*.tmp"))

        harness.wait_until(begun, "output")
        return process

    def test_a_signal_stops_and_removes(self):
        for name, (words, data) in self.inputs.items():
            for number, code in SIGNALS:
                for io in ("auto", "threads"):
                    with self.subTest(name, signal=number.name, io=io):
                        process = self.start_midway(words, data, "--io", io)
                        got, said = self.stop(process, number)
                        self.assertEqual(got, code, said)
                        self.assertEqual(
                            said.decode(),
                            f"nexus-pipe: error: stopped by {number.name}\n")
                        self.assertEqual(self.names(), [])

    def test_the_old_file_stays(self):
        (self.dir / "out").write_bytes(b"old")
        words, data = self.inputs["encrypt"]
        process = self.start(*words, "-o", "out", stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        process.stdin.write(data)
        process.stdin.flush()
        harness.wait_until(lambda: len(self.names()) > 1, "a temporary")
        self.assertEqual(self.stop(process, signal.SIGINT)[0], 130)
        self.assertEqual(self.names(), ["out"])
        self.assertEqual((self.dir / "out").read_bytes(), b"old")

    def test_a_reader_that_waits_does_not_hold_it(self):
        """Standard output full, standard input not at its end."""
        words, _ = self.inputs["encrypt"]
        for io in ("auto", "threads"):
            with self.subTest(io):
                self.stop_with_a_full_output([*words, "--io", io])

    def stop_with_a_full_output(self, words):
        source = self.dir / "in"
        source.write_bytes(harness.pattern(8 << 20))
        process = self.start(*words, source, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        process.stdout.read(1)
        got, said = self.stop(process, signal.SIGTERM)
        self.assertEqual(got, 143, said)

    def test_an_input_that_never_comes_does_not_hold_it(self):
        for command in ("encrypt", "decrypt"):
            for io in ("auto", "threads"):
                with self.subTest(command, io=io):
                    words, _ = self.inputs[command]
                    process = self.start(*words, "--io", io, "-o", "out",
                                         stdin=subprocess.PIPE,
                                         stderr=subprocess.PIPE)
                    self.wait_for_handlers(process)
                    self.assertEqual(
                        self.stop(process, signal.SIGINT)[0], 130)
                    self.assertEqual(self.names(), [])

    def test_a_signal_during_scrypt(self):
        process = self.start("encrypt", "--passphrase-fd", "0", "-o", "out",
                             "/bin/sh", stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        self.wait_for_handlers(process)
        process.stdin.write(b"secret\n")
        process.stdin.flush()
        got, said = self.stop(process, signal.SIGTERM)
        self.assertEqual(got, 143, said)
        self.assertNotIn(b"secret", said)
        self.assertEqual(self.names(), [])

    def test_a_signal_during_a_costly_scrypt(self):
        """It takes seconds and a gigabyte, and cannot be interrupted."""
        (self.dir / "in").write_bytes(
            b"age-encryption.org/v1\n-> scrypt " + b"A" * 22 + b" 20\n"
            + b"A" * 43 + b"\n--- " + b"A" * 43 + b"\n" + bytes(100))
        (self.dir / "word").write_text("secret\n")
        process = self.start("decrypt", "--passphrase-file", "word", "-o",
                             "out", "in", stderr=subprocess.PIPE)
        self.wait_for_handlers(process)
        resident = f"/proc/{process.pid}/statm"
        harness.wait_until(
            lambda: int(open(resident).read().split()[1]) > 20000, "scrypt")
        begin = time.monotonic()
        got, said = self.stop(process, signal.SIGTERM)
        self.assertEqual((got, said), (143, b""))
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(self.names(), ["in", "word"])

    def test_kill_leaves_no_final_name(self):
        words, data = self.inputs["encrypt"]
        process = self.start_midway(words, data)
        process.kill()
        process.wait()
        self.assertNotIn("out", self.names())

    def test_a_signal_that_the_caller_ignores_stays_ignored(self):
        words, data = self.inputs["encrypt"]
        process = self.start(
            *words, "-o", "out", stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.stdin.write(data)
        process.stdin.flush()
        harness.wait_until(self.names, "a temporary")
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.decrypt((self.dir / "out").read_bytes()).stdout,
                         data)

    def test_a_stop_and_a_continue_change_nothing(self):
        words, data = self.inputs["encrypt"]
        process = self.start_midway(words, data)
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGCONT)
        process.stdin.close()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.decrypt((self.dir / "out").read_bytes()).stdout,
                         data)


class Waits(SignalTest):
    """Ahead of the run: for the other end of a pipe, for keys."""

    def setUp(self):
        super().setUp()
        (self.dir / "in").write_bytes(b"text")
        (self.dir / "in.age").write_bytes(self.encrypt(b"text"))
        for name in ("fifo", "fifo2"):
            os.mkfifo(self.dir / name)
        self.seal = ["encrypt", "-r", harness.ALICE]
        self.unseal = ["decrypt", "-i", harness.ALICE_KEY]

    def assert_stops(self, *words, **more):
        before = self.names()
        for number, code in SIGNALS:
            with self.subTest(words=words, signal=number.name):
                process = self.start(*words, stderr=subprocess.PIPE, **more)
                self.wait_for_handlers(process)
                time.sleep(0.2)  # on to where it waits
                self.assertIsNone(process.poll(), "does not wait")
                got, said = self.stop(process, number)
                self.assertEqual(got, code, said)
                self.assertEqual(
                    said.decode(),
                    f"nexus-pipe: error: stopped by {number.name}\n")
                self.assertEqual(self.names(), before)

    def test_an_input_that_nobody_writes(self):
        self.assert_stops(*self.seal, "fifo", "-o", "out")
        self.assert_stops(*self.unseal, "fifo", "-o", "out")

    def test_an_input_whose_writer_says_nothing(self):
        end = os.open(self.dir / "fifo", os.O_RDWR)
        self.addCleanup(os.close, end)
        self.assert_stops(*self.seal, "fifo", "-o", "out")

    def test_an_output_that_nobody_reads(self):
        self.assert_stops(*self.seal, "in", "-o", "fifo")
        self.assert_stops(*self.unseal, "in.age", "-o", "fifo")
        self.assert_stops(*self.seal, "fifo2", "-o", "fifo")

    def test_a_joined_output_that_nobody_reads(self):
        self.assert_exit(self.run_it("prove", "--segment-rows", "256", "-o",
                                     "part", "in"), 0)
        self.assert_stops("join", "-o", "fifo", "part")
        # More than the pipe takes, and a reader that does not read.
        end = os.open(self.dir / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, end)
        self.assert_stops("join", "-o", "fifo", "part")

    def test_keys_that_do_not_come(self):
        for words in (["decrypt", "in.age", "-i"], ["encrypt", "in", "-R"],
                      ["encrypt", "in", "-i"],
                      ["encrypt", "in", "--passphrase-file"]):
            self.assert_stops(*words, "-", "-o", "out", stdin=subprocess.PIPE)
            self.assert_stops(*words, "fifo", "-o", "out")

    def test_a_passphrase_that_does_not_come(self):
        for begun in (b"", b"half a li"):
            out, into = os.pipe()
            os.write(into, begun)
            self.assert_stops("encrypt", "in", "--passphrase-fd", out, "-o",
                              "out", pass_fds=[out])
            os.close(out)
            os.close(into)


if __name__ == "__main__":
    harness.main()
