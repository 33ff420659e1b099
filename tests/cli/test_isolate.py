#!/usr/bin/env python3
"""Devices in processes of their own, as a user of the command meets them."""

import json
import os
import pathlib

import harness


class Isolate(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.text = harness.pattern(5 << 20)
        (self.dir / "in").write_bytes(self.text)

    def over_stubs(self, settings, *words):
        stub = os.environ.get("NEXUS_STUB_DIR", "")
        if not pathlib.Path(stub, "nexus-stub.so").exists():
            self.skipTest("the stub plugin was not built")
        self.env["NEXUS_STUB"] = settings
        return self.run_it("encrypt", "-r", harness.ALICE, "-o", "out",
                           "--plugin-dir", stub, "--backend", "stub",
                           "--segment-size", "64K", *words, "in")

    def assert_opens(self):
        opened = self.run_it("decrypt", "-i", harness.ALICE_KEY, "out")
        self.assert_exit(opened, 0)
        self.assertEqual(opened.stdout, self.text)

    def test_a_crash_is_told_and_does_no_harm(self):
        done = self.over_stubs("cpus=1;crash=only:9", "--isolate=all",
                               "--telemetry", "seen")
        self.assert_exit(done, 0)
        self.assertIn(b"warning: the process of stub:0/", done.stderr)
        self.assertIn(b"its process crashed: Segmentation fault", done.stderr)
        self.assert_opens()
        seen = json.loads((self.dir / "seen").read_bytes())
        self.assertGreater(sum(d["restarts"] for d in seen["devices"]), 0)

    def test_quiet_says_nothing_of_it(self):
        done = self.over_stubs("cpus=1;crash=only:9", "--isolate=all", "-q")
        self.assert_exit(done, 0)
        self.assertEqual(done.stderr, b"")

    def test_crashes_without_end_are_an_error(self):
        done = self.over_stubs("cpus=1;crash=all", "--isolate=all")
        self.assert_clear_error(done, 3)
        self.assertIn(b"was lost with 9 processes", done.stderr)
        self.assertEqual(self.names(), ["in"])

    def test_a_card_that_cannot_be_opened_is_told(self):
        self.env["NEXUS_STUB"] = "cpus=1;gpus=1;gpu.open_code=DEVICE"
        done = self.over_stubs(self.env["NEXUS_STUB"])
        self.assert_exit(done, 0)
        self.assertIn(b"warning: stub:1 cannot be opened", done.stderr)
        self.assert_opens()

    def test_limits_imply_isolation(self):
        done = self.run_it("encrypt", "-r", harness.ALICE, "--nice", "3", "-v",
                           "-o", "out", "in")
        self.assert_exit(done, 0)
        self.assertIn(b"cpu:0/0", done.stderr)
        self.assert_opens()

    def test_refuses_what_makes_no_sense(self):
        for words, told in (
                (["--isolate=some"], b"none, gpu"),
                (["--affinity", "3-1"], b"is not a list of processors"),
                (["--affinity", "0,,1"], b"is not a list of processors"),
                (["--affinity", "2000"], b"is not a list of processors"),
                (["--nice", "50"], b"from -20 to 19"),
                (["--ionice", "fast"], b"--ionice"),
                (["--ionice", "idle:3"], b"has no levels"),
                (["--ionice", "best-effort:9"], b"from 0 to 7"),
                (["--worker-memory", "lots"], b"is not a size"),
                (["--isolate=none", "--nice", "3"], b"no processes to limit")):
            with self.subTest(words=words):
                done = self.run_it("encrypt", "-r", harness.ALICE, *words, "in")
                self.assert_clear_error(done, 2)
                self.assertIn(told, done.stderr)


if __name__ == "__main__":
    harness.main()
