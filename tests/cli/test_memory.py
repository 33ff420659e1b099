#!/usr/bin/env python3
"""An allocation that fails, each time another one: the run ends with the very
same bytes or with a clear error, and leaves nothing half written."""

import os
import pathlib

import harness

# A run makes thousands of allocations; every so many of them one fails.
RUNS = 150
TIMEOUT = 20  # seconds


class Memory(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.shim = os.environ.get("NEXUS_FAILING_MALLOC", "")
        if not pathlib.Path(self.shim).is_file():
            self.skipTest("the failing malloc was not built")
        if harness.sanitized():
            self.skipTest("a sanitizer has allocations of its own")
        (self.dir / "in").write_bytes(harness.pattern(200000))
        self.env["LD_PRELOAD"] = self.shim

    def count(self, *command):
        self.env.pop("NEXUS_FAIL_MALLOC", None)  # of the sweep before
        self.env["NEXUS_COUNT_MALLOC"] = str(self.dir / "count")
        self.assert_exit(self.run_it(*command), 0)
        del self.env["NEXUS_COUNT_MALLOC"]
        (self.dir / "out").unlink()
        count = int((self.dir / "count").read_text())
        (self.dir / "count").unlink()
        return count

    def sweep(self, is_right, *command):
        """Runs it again and again; how many ended well, and how many not."""
        total = self.count(*command)
        self.assertGreater(total, 500)
        ended = {0: 0, 3: 0}
        for i in range(RUNS):
            n = 1 + i * total // RUNS
            self.env["NEXUS_FAIL_MALLOC"] = str(n)
            with self.subTest(command=command[0], allocation=n):
                done = self.run_it(*command, timeout=TIMEOUT)
                code = harness.status(done.returncode)
                self.assertIn(code, ended, done.stderr)
                ended[code] += 1
                if code == 0:
                    self.assertTrue(is_right())
                    (self.dir / "out").unlink()
                else:
                    self.assert_clear_error(done, 3)
                self.assertEqual(self.names(), ["in"])
        return ended

    def opens(self):
        env = {k: v for k, v in self.env.items()
               if k not in ("LD_PRELOAD", "NEXUS_FAIL_MALLOC")}
        done = harness.run_group(
            [str(harness.binary), "decrypt", "-i", str(harness.ALICE_KEY),
             "out"], cwd=self.dir, env=env)
        return done.stdout == (self.dir / "in").read_bytes()

    def encrypts(self):
        return self.sweep(self.opens, "encrypt", "-r", harness.ALICE, "-o",
                          "out", "in")

    def proves(self):
        command = ("prove", "--segment-rows", "256", "-o", "out", "in")
        preload = self.env.pop("LD_PRELOAD")
        self.assert_exit(self.run_it(*command), 0)
        self.env["LD_PRELOAD"] = preload
        right = (self.dir / "out").read_bytes()
        return self.sweep(lambda: (self.dir / "out").read_bytes() == right,
                          *command)

    def test_one_allocation_fails(self):
        for sweep in (self.encrypts, self.proves):
            ended = sweep()
            self.assertGreater(ended[0], 0)
            self.assertGreater(ended[3], 0)


if __name__ == "__main__":
    harness.main()
