#!/usr/bin/env python3
"""Each way of I/O: with io_uring, without it, and where it is forbidden."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness

COUNTS = {"uring": "uring", "threads": "thread"}  # names in the telemetry
SOURCE = harness.HERE.parent / "support/no_uring.c"


def find_no_uring(folder):
    """The helper: given in the environment, or compiled here."""
    given = os.environ.get("NEXUS_NO_URING")
    if given:
        return pathlib.Path(given)
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))),
                    None)
    if compiler is None:
        raise unittest.SkipTest("no C compiler, and NEXUS_NO_URING is not set")
    program = folder / "no_uring"
    subprocess.run([compiler, "-o", program, SOURCE], check=True)
    return program


class Io(harness.CommandTest):

    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nexus-cli-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.no_uring = find_no_uring(folder)
        probe = subprocess.run([cls.no_uring, "true"], capture_output=True)
        if probe.returncode != 0:
            raise unittest.SkipTest("seccomp filters are not allowed here: "
                                    f"{probe.stderr.decode().strip()}")

    def telemetry(self):
        return json.loads((self.dir / "t").read_text())["io"]

    def seal(self, prefix, *more, data=None):
        """Encrypts; pipes where data is given, a file otherwise."""
        arguments = [*prefix, harness.binary, "encrypt", "-r", harness.ALICE,
                     "--telemetry", "t", *more]
        return harness.run_group([str(a) for a in arguments], input=data,
                                 cwd=self.dir, env=self.env)

    def uring_or_skip(self):
        done = self.seal([], "--io", "uring", data=b"x")
        if done.returncode != 0:
            self.skipTest("io_uring is not allowed on this machine: "
                          f"{done.stderr.decode().strip()}")

    def check_all(self, prefix, io, engine):
        """Pipes, files and failure give the same, by the engine expected."""
        plain = harness.pattern(3 << 20)
        (self.dir / "in").write_bytes(plain)
        done = self.seal(prefix, "--io", io, data=plain)
        self.assert_exit(done, 0)
        piped = self.telemetry()
        self.assertEqual(self.decrypt(done.stdout).stdout, plain)
        self.assert_exit(self.seal(prefix, "--io", io, "-o", "out", "in"), 0)
        from_file = self.telemetry()
        for seen in (piped, from_file):
            self.assertEqual(seen["engine"], engine)
            self.assertGreater(seen[f"{COUNTS[engine]}_writes"], 0)
            other = COUNTS["threads" if engine == "uring" else "uring"]
            self.assertEqual(seen[f"{other}_reads"], 0)
            self.assertEqual(seen[f"{other}_writes"], 0)
        reads = f"{COUNTS[engine]}_reads"
        self.assertGreater(piped[reads], 0)
        # The workers may read a file themselves, unless io_uring is asked for.
        by_lanes = 0 if io == "uring" else from_file.get("lane_reads", 0)
        self.assertGreater(from_file[reads] + by_lanes, 0)
        for source in ([], ["out"]):
            sealed = (self.dir / "out").read_bytes()
            arguments = [*prefix, harness.binary, "decrypt", "--io", io, "-i",
                         harness.ALICE_KEY, *source]
            back = harness.run_group([str(a) for a in arguments], input=sealed,
                                     cwd=self.dir, env=self.env)
            self.assert_exit(back, 0)
            self.assertEqual(back.stdout, plain)
        bad = harness.run_group(
            [str(a) for a in (*prefix, harness.binary, "decrypt", "--io", io,
                              "-i", harness.ALICE_KEY)],
            input=sealed[:1000000], cwd=self.dir, env=self.env)
        self.assert_clear_error(bad, 1)
        self.assert_whole_chunks(bad.stdout, plain)
        self.assertGreater(len(bad.stdout), 0)
        return piped, from_file

    def test_uring_is_used_where_it_is_allowed(self):
        self.uring_or_skip()
        for io in ("auto", "uring"):
            with self.subTest(io):
                self.check_all([], io, "uring")

    def test_threads_do_everything(self):
        self.check_all([], "threads", "threads")

    def test_auto_falls_back_where_uring_is_forbidden(self):
        for prefix in ([self.no_uring], [self.no_uring, "--enosys"]):
            with self.subTest(prefix[1:]):
                piped, _ = self.check_all(prefix, "auto", "threads")
                self.assertNotEqual(piped["note"], "")

    def test_the_fall_back_is_told_at_the_verbose_level_alone(self):
        quiet = self.seal([self.no_uring], data=b"x")
        self.assertEqual(quiet.stderr, b"")
        verbose = self.seal([self.no_uring], "-v", data=b"x")
        self.assertRegex(verbose.stderr.decode(),
                         r"nexus-pipe: note: .*(io_uring|uring)")

    def test_asking_for_uring_fails_where_it_is_forbidden(self):
        for prefix in ([self.no_uring], [self.no_uring, "--enosys"]):
            with self.subTest(prefix[1:]):
                done = self.seal(prefix, "--io", "uring", "-o", "out",
                                 data=b"x")
                self.assert_clear_error(done, harness.status(done.returncode))
                self.assertIn(done.returncode, (2, 3))
                self.assertRegex(done.stderr.decode(), "io_uring|uring")
                self.assertNotIn("out", self.names())

    def test_threads_do_everything_where_uring_is_forbidden(self):
        self.check_all([self.no_uring], "threads", "threads")


if __name__ == "__main__":
    harness.main()
