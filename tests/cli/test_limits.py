#!/usr/bin/env python3
"""A full disk, few rights and small limits; what others may see of a run."""

import os
import pathlib
import resource
import shutil
import signal
import subprocess
import unittest

import harness
from harness import CHUNK

NOBODY = 65534


def as_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(test)


class FullDisk(harness.CommandTest):

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small tmpfs")
        self.small = self.dir / "small"
        self.small.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.small],
            capture_output=True)
        if done.returncode != 0:
            self.skipTest(f"no tmpfs: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.small])
        self.plain = harness.pattern(3 << 20)
        (self.dir / "in").write_bytes(self.plain)
        (self.dir / "in.age").write_bytes(self.encrypt(self.plain))

    def left(self):
        return [p.name for p in self.small.iterdir()]

    def runs(self):
        for words in (["encrypt", "-r", harness.ALICE, "in"],
                      ["decrypt", "-i", harness.ALICE_KEY, "in.age"]):
            for io in ("auto", "threads"):
                for threads in ("1", "2"):
                    yield [*words, "--io", io, "--max-threads", threads]

    def test_a_named_file_is_removed(self):
        for words in self.runs():
            with self.subTest(words):
                (self.small / "out").unlink(missing_ok=True)
                done = self.run_it(*words, "-o", "small/out")
                self.assert_clear_error(done, 3)
                self.assertRegex(done.stderr.decode(),
                                 "small/out: No space left on device")
                self.assertEqual(self.left(), [])

    def test_the_old_file_stays(self):
        (self.small / "out").write_bytes(b"old")
        done = self.run_it("decrypt", "-i", harness.ALICE_KEY, "in.age", "-o",
                           "small/out")
        self.assert_clear_error(done, 3)
        self.assertEqual(self.left(), ["out"])
        self.assertEqual((self.small / "out").read_bytes(), b"old")

    def test_a_redirected_file_holds_a_prefix(self):
        for words in self.runs():
            with self.subTest(words):
                with open(self.small / "out", "wb") as out:
                    done = self.run_it(*words, stdout=out)
                self.assert_clear_error(done, 3)
                self.assertIn(b"standard output: No space left on device",
                              done.stderr)
                got = (self.small / "out").read_bytes()
                self.assertGreater(len(got), 0)
                if words[0] == "decrypt":
                    self.assertEqual(got, self.plain[:len(got)])


class BlockDevice(harness.CommandTest):
    """A disk: as long as it is, and not a byte longer."""

    SIZE = 9 << 20

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root to make a loop device")
        image = self.dir / "image"
        image.write_bytes(bytes(self.SIZE))
        done = subprocess.run(["losetup", "--find", "--show", image],
                              capture_output=True)
        if done.returncode != 0:
            self.skipTest(f"no loop device: {done.stderr.decode().strip()}")
        self.disk = pathlib.Path(done.stdout.decode().strip())
        self.addCleanup(subprocess.run, ["losetup", "-d", self.disk])

    def content(self):
        with open(self.disk, "rb", buffering=0) as disk:
            return disk.read()

    def to_disk(self, size, io, named):
        plain = harness.pattern(size)
        (self.dir / "in.age").write_bytes(self.encrypt(plain))
        words = ["decrypt", "-i", harness.ALICE_KEY, "--io", io, "in.age"]
        if named:
            return plain, self.run_it(*words, "-o", self.disk)
        with open(self.disk, "r+b", buffering=0) as disk:
            return plain, self.run_it(*words, stdout=disk)

    def test_what_does_not_fit_is_an_error(self):
        for io in ("auto", "threads"):
            for named in (False, True):
                for size in (self.SIZE + 1, self.SIZE + (3 << 20)):
                    with self.subTest(io=io, named=named, size=size):
                        plain, done = self.to_disk(size, io, named)
                        self.assert_clear_error(done, 3)
                        self.assertIn(b"No space left on device", done.stderr)
                        self.assertEqual(self.content(), plain[:self.SIZE])

    def test_what_fits_is_there(self):
        for io in ("auto", "threads"):
            for named in (False, True):
                with self.subTest(io=io, named=named):
                    plain, done = self.to_disk(self.SIZE, io, named)
                    self.assert_exit(done, 0)
                    self.assertEqual(self.content(), plain)

    def test_a_named_disk_is_synced(self):
        if not shutil.which("strace"):
            self.skipTest("there is no strace")
        (self.dir / "in").write_bytes(b"text")
        done = harness.run_group(
            ["strace", "-f", "-y", "-qq", "-o", "trace", "-e", "trace=fsync",
             str(harness.binary), "encrypt", "-r", harness.ALICE, "-o",
             str(self.disk), "in"], cwd=self.dir, env=self.env)
        if b"ptrace" in done.stderr:
            self.skipTest(f"no tracing here: {done.stderr.decode().strip()}")
        self.assert_exit(done, 0)
        self.assertIn(str(self.disk), (self.dir / "trace").read_text())

    def test_it_is_read_to_its_end(self):
        plain = harness.pattern(self.SIZE)
        self.disk.write_bytes(plain)
        for source in ("named", "redirected", "from the middle"):
            with self.subTest(source):
                middle = 1234567 if source == "from the middle" else 0
                with open(self.disk, "rb", buffering=0) as disk:
                    disk.seek(middle)
                    done = self.run_it(
                        "encrypt", "-r", harness.ALICE,
                        *([self.disk] if source == "named" else []),
                        stdin=disk)
                self.assert_exit(done, 0)
                self.assertEqual(self.decrypt(done.stdout).stdout,
                                 plain[middle:])


class Limits(harness.CommandTest):

    def limited(self, limit, value, *words, **more):
        def set_limit():
            resource.setrlimit(limit, (value, value))

        return self.run_it(*words, preexec_fn=set_limit, **more)

    def test_a_file_size_limit_is_an_error_and_no_signal(self):
        plain = harness.pattern(3 << 20)
        for io in ("auto", "threads"):
            with self.subTest(io):
                (self.dir / "out").unlink(missing_ok=True)
                done = self.limited(
                    resource.RLIMIT_FSIZE, 1 << 20, "encrypt", "-r",
                    harness.ALICE, "--io", io, "-o", "out", input=plain)
                self.assert_clear_error(done, 3)
                self.assertIn(b"File too large", done.stderr)
                self.assertEqual(self.names(), [])

    def check_either(self, done, plain):
        """It worked, or it said why not: no crash, no wrong output."""
        if done.returncode == 0:
            self.assertEqual(self.decrypt(done.stdout).stdout, plain)
        else:
            self.assert_clear_error(done, 3)

    def test_few_descriptors(self):
        if harness.sanitized():
            self.skipTest("sanitizers need descriptors of their own")
        plain = harness.pattern(300000)
        for count in (3, 4, 5, 6, 8, 10, 12, 16, 24):
            for io in ("auto", "threads"):
                with self.subTest(count, io=io):
                    done = self.limited(
                        resource.RLIMIT_NOFILE, count, "encrypt", "-r",
                        harness.ALICE, "--io", io, input=plain)
                    if done.returncode == 127:
                        continue  # the loader's own files
                    self.check_either(done, plain)

    def test_little_address_space(self):
        if harness.sanitized():
            self.skipTest("sanitizers map terabytes")
        plain = harness.pattern(3000000)
        # Between these, where OpenSSL 3.0 gets a part of the memory that its
        # own set-up needs, it may crash by itself.
        for mib in (24, 32, 40, 128, 192, 256, 512):
            with self.subTest(mib):
                done = self.limited(resource.RLIMIT_AS, mib << 20, "encrypt",
                                    "-r", harness.ALICE, input=plain)
                if done.returncode == 127:
                    continue
                self.check_either(done, plain)

    def test_no_locked_memory(self):
        plain = harness.pattern(300000)
        done = self.limited(resource.RLIMIT_MEMLOCK, 0, "encrypt", "-r",
                            harness.ALICE, input=plain)
        self.assert_exit(done, 0)
        self.assertEqual(self.decrypt(done.stdout).stdout, plain)

    @as_root
    def test_no_threads(self):
        """The limit is of the user's, and does not hold for root."""
        if harness.sanitized():
            self.skipTest("sanitizers have threads of their own")
        self.dir.chmod(0o755)

        def drop():
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

        for io in ("auto", "threads"):
            with self.subTest(io):
                done = self.run_it("encrypt", "-r", harness.ALICE, "--io", io,
                                   input=b"text", preexec_fn=drop)
                self.check_either(done, b"text")


class WhatOthersSee(harness.CommandTest):

    def start_as_nobody(self, *words):
        """A run that waits for input; its user is not root."""
        if os.geteuid() != 0:
            who = {}
        else:
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            self.dir.chmod(0o755)
        process = self.start(*words, stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, **who)
        process.stdin.write(b"age-encryption.org/v1\n")
        process.stdin.flush()
        return process

    def test_the_memory_of_a_run_is_closed_to_its_own_user(self):
        if harness.sanitized():
            self.skipTest("sanitizer builds stay dumpable")
        for words in (["encrypt", "-r", harness.ALICE], ["decrypt"]):
            with self.subTest(words):
                process = self.start_as_nobody(*words)
                memory = pathlib.Path(f"/proc/{process.pid}/mem")
                # Not dumpable: its files in /proc are root's.
                harness.wait_until(lambda: memory.stat().st_uid == 0 and
                                   "nexus-pipe" in self.name_of(process),
                                   "a run that is not dumpable")
                self.assertIsNone(process.poll())
                process.kill()
                process.wait()

    @staticmethod
    def name_of(process):
        return pathlib.Path(f"/proc/{process.pid}/comm").read_text()

    def test_there_is_no_core_file(self):
        process = self.start("decrypt", "-i", harness.ALICE_KEY,
                             stdin=subprocess.PIPE)
        limits = pathlib.Path(f"/proc/{process.pid}/limits")

        def core_limit():
            line = next(l for l in limits.read_text().splitlines()
                        if l.startswith("Max core file size"))
            return line.split()[4:6]

        harness.wait_until(lambda: core_limit() == ["0", "0"], "no core files")
        process.send_signal(signal.SIGSEGV)
        process.wait()
        self.assertEqual(self.names(), [])

    def test_a_passphrase_is_in_no_argument_and_no_variable(self):
        """There is no option that would take it."""
        done = self.run_it("encrypt", "--passphrase", "secret-word", input=b"x")
        self.assertNotEqual(done.returncode, 0)
        done = self.run_it("encrypt", "--passphrase=secret-word", input=b"x")
        self.assert_clear_error(done, 2)
        self.assertNotIn(b"secret-word", done.stderr)
        self.env["AGE_PASSPHRASE"] = harness.PASSPHRASE
        self.env["NEXUS_PASSPHRASE"] = harness.PASSPHRASE
        done = self.run_it("decrypt", harness.DATA / "passphrase.age")
        self.assert_clear_error(done, 3)


if __name__ == "__main__":
    harness.main()
