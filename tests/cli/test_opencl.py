#!/usr/bin/env python3
"""OpenCL devices that fail, in the middle of a run or before it: the run ends
with the very same bytes on what is left, or with a clear error."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import time

import harness

# (rules for the failing layer, what has to fail at least once)
PASSING = {
    "a kernel does not start": "clEnqueueNDRangeKernel:2:-5",
    "a kernel is out of resources later": "clEnqueueNDRangeKernel:7:-5",
    "no memory for a buffer": "clCreateBuffer:4:-4",
    "no memory for an import": "clCreateBuffer:6:-4",
    "a copy to the device fails": "clEnqueueWriteBuffer:3:-4",
    "a copy from the device fails": "clEnqueueReadBuffer:2:-5",
    "a mapping fails": "clEnqueueMapBuffer:3:-12",
    "the key is not cleared": "clEnqueueFillBuffer:2:-5",
    "an argument is refused": "clSetKernelArg:5:-38",
    "waiting fails": "clFinish:3:-5",
    "the device is away for a moment": "clFinish:4:-2",
    "the queue is gone once": "clEnqueueNDRangeKernel:3:-36",
    "no queue at first": "clCreateCommandQueue:1:-6",
    "no context at first": "clCreateContext:1:-6",
    "the cached program is refused": "clCreateProgramWithBinary:1+:-42",
    "any call, early": "clEnqueue*:5:-5",
    "any call, late": "clEnqueue*:60:-5",
}
FINAL = {
    "no kernel starts": "clEnqueueNDRangeKernel:1+:-5",
    "no kernel starts after a while": "clEnqueueNDRangeKernel:4+:-5",
    "the device goes away": "clFinish:5+:-2",
    "there is no memory": "clCreateBuffer:1+:-4",
    "there is no context": "clCreateContext:1+:-2",
    "there is no queue": "clCreateCommandQueue:1+:-6",
    "the kernels do not build":
        "clCreateProgramWithBinary:1+:-42;clBuildProgram:1+:-11",
    "nothing can be queued": "clEnqueue*:1+:-5",
}


class OpenClTest(harness.CommandTest):

    def setUp(self):
        super().setUp()
        layer = os.environ.get("NEXUS_FAILING_OPENCL", "")
        if not layer or not pathlib.Path(layer).exists():
            self.skipTest("the failing OpenCL layer was not built")
        if harness.sanitized():
            self.skipTest("PoCL does not end well in a sanitized process")
        self.layer = layer
        self.log = self.dir / "failures"
        # Programs are built once for all tests.
        cache = os.environ.get("XDG_CACHE_HOME", str(self.dir))
        self.env["XDG_CACHE_HOME"] = cache
        found = self.run_it("devices", "--json")
        devices = json.loads(found.stdout)["devices"]
        if not any(d["plugin"] == "opencl" and d["score"] for d in devices):
            self.skipTest("no OpenCL device: install pocl-opencl-icd")

    def failing(self, rules, *words, **more):
        before = dict(self.env)
        self.env |= {"LD_PRELOAD": self.layer, "NEXUS_CL_FAULT": rules,
                     "NEXUS_CL_LOG": str(self.log)}
        try:
            return self.run_it(*words, **more)
        finally:
            self.env = before

    def failures(self):
        """Calls that were made to fail; forgets them."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines()
        self.log.unlink()
        return lines


class ADeviceThatFails(OpenClTest):

    def test_for_a_moment_the_run_goes_on(self):
        plain = harness.pattern(7000001)
        sealed = self.encrypt(plain, "--backend", "cpu")
        for what, rules in PASSING.items():
            with self.subTest(what):
                done = self.failing(
                    rules, "decrypt", "-i", harness.ALICE_KEY, "--backend",
                    "opencl", "--segment-size", "256K", input=sealed)
                self.assert_exit(done, 0)
                self.assertEqual(done.stdout, plain)
                # On a machine where no copy is made, none fails.
                if "copy" not in what:
                    self.assertTrue(self.failures(), "nothing failed")

    def test_what_it_sealed_opens(self):
        plain = harness.pattern(3000001)
        for rules in ("clEnqueueNDRangeKernel:2:-5", "clFinish:3:-5"):
            done = self.failing(
                rules, "encrypt", "-r", harness.ALICE, "--backend", "opencl",
                "--segment-size", "256K", input=plain)
            self.assert_exit(done, 0)
            self.assertTrue(self.failures(), "nothing failed")
            opened = self.run_it("decrypt", "-i", harness.ALICE_KEY,
                                 "--backend", "cpu", input=done.stdout)
            self.assertEqual(opened.stdout, plain)

    def test_a_digest_is_that_of_the_processor(self):
        plain = harness.pattern(500001)
        words = ("digest", "--segment-rows", "512")
        expected = self.run_it(*words, "--backend", "cpu", input=plain)
        self.assert_exit(expected, 0)
        for rules in ("clEnqueueNDRangeKernel:2:-5", "clFinish:1:-5",
                      "clEnqueueReadBuffer:4:-4", "clCreateBuffer:5:-4",
                      "clCreateKernel:3:-6"):
            with self.subTest(rules):
                done = self.failing(rules, *words, "--backend", "opencl",
                                    input=plain)
                self.assert_exit(done, 0)
                self.assertEqual(done.stdout, expected.stdout)
                self.assertTrue(self.failures(), "nothing failed")

    def test_for_good_the_run_ends_with_a_clear_error(self):
        plain = harness.pattern(3000001)
        sealed = self.encrypt(plain, "--backend", "cpu")
        for what, rules in FINAL.items():
            with self.subTest(what):
                done = self.failing(
                    rules, "decrypt", "-i", harness.ALICE_KEY, "--backend",
                    "opencl", "--segment-size", "256K", input=sealed)
                self.assert_clear_error(done, 3)
                self.assertIn(b"opencl", done.stderr)
                self.assert_whole_chunks(done.stdout, plain)
                self.assertLess(len(done.stdout), len(plain))
                self.assertTrue(self.failures(), "nothing failed")


class ACardBesideTheProcessor(OpenClTest):
    """PoCL, disguised as a graphics card."""

    # Cards are looked at once 256 MiB came, while the processor is at work: so
    # the rest comes slowly.
    FAST = 264 << 20
    STEP = 2 << 20
    STEPS = 90

    def setUp(self):
        super().setUp()
        self.env["NEXUS_CL_GPU"] = "1"
        size = self.FAST + self.STEPS * self.STEP
        self.plain = hashlib.sha256(bytes(size)).digest()

    def sealed(self, rules):
        """Seals, and opens by the processor alone; the telemetry's devices."""
        self.env |= {"LD_PRELOAD": self.layer, "NEXUS_CL_FAULT": rules,
                     "NEXUS_CL_LOG": str(self.log)}
        running = self.start(
            "encrypt", "-r", harness.ALICE, "--policy", "round-robin",
            "--segment-size", "2M", "--telemetry", "t", "--no-sync", "-o",
            "sealed", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdin.write(bytes(self.FAST))
        for _ in range(self.STEPS):
            running.stdin.write(bytes(self.STEP))
            time.sleep(0.04)
        _, errors = running.communicate(timeout=harness.TIMEOUT)
        self.assertEqual(running.returncode, 0, errors.decode())
        del self.env["LD_PRELOAD"]
        opened = self.run_it("decrypt", "-i", harness.ALICE_KEY, "--backend",
                             "cpu", "sealed")
        self.assert_exit(opened, 0)
        self.assertEqual(hashlib.sha256(opened.stdout).digest(), self.plain)
        told = json.loads((self.dir / "t").read_text())
        return {d["id"]: d for d in told["devices"]}

    def test_says_how_large_it_wants_segments(self):
        self.env["LD_PRELOAD"] = self.layer
        told = self.run_it("devices", "--json")
        cards = [device for device in json.loads(told.stdout)["devices"]
                 if device["plugin"] == "opencl"]
        self.assertEqual(cards[0]["preferred_segment_bytes"], 16 << 20)
        self.assertRegex(self.run_it("devices").stdout.decode(),
                         r"(?m)^  opencl:0 .* 16\.0 MiB  +80 ")

    def test_takes_part(self):
        devices = self.sealed("")
        self.assertGreater(devices["opencl:0"]["jobs"], 0)
        self.assertGreater(devices["cpu:0"]["jobs"], 0)

    def test_that_goes_away_leaves_the_run_to_the_processor(self):
        devices = self.sealed("clFinish:6+:-2")
        self.assertTrue(self.failures(), "nothing failed")
        self.assertGreater(devices["opencl:0"]["failed_jobs"], 0)
        self.assertGreater(devices["cpu:0"]["jobs"], 0)

    def test_that_does_not_open_leaves_it_as_well(self):
        self.sealed("clCreateContext:1+:-6")
        self.assertTrue(self.failures(), "nothing failed")


class ABrokenDriver(harness.CommandTest):

    def with_vendors(self, **files):
        place = self.dir / "vendors"
        place.mkdir()
        for name, content in files.items():
            (place / f"{name}.icd").write_bytes(content)
        self.env["OCL_ICD_VENDORS"] = str(place)
        self.note = f"none is named in {place}, or none of those works"

    def check(self):
        told = self.run_it("plugins", "--why")
        self.assert_exit(told, 0)
        if b"nexus-opencl.so" not in told.stdout:
            self.skipTest("the OpenCL plugin was not built")
        self.assertIn(self.note, told.stdout.decode())
        self.assertRegex(told.stdout.decode(), r"(?m)^opencl +\S+ +\S+ +0 ")
        plain = harness.pattern(200000)
        opened = self.decrypt(self.encrypt(plain))
        self.assertEqual(opened.stdout, plain)
        refused = self.run_it("encrypt", "-r", harness.ALICE, "--backend",
                              "opencl", input=plain)
        self.assert_clear_error(refused, 3)

    def test_none(self):
        self.with_vendors()
        self.check()

    def test_one_that_is_missing(self):
        self.with_vendors(a=b"/nonexistent/libdriver.so\n")
        self.check()

    def test_one_that_is_no_driver(self):
        self.with_vendors(a=b"libz.so.1\n")
        self.check()

    def test_bytes_that_mean_nothing(self):
        self.with_vendors(a=b"", b=b"\xff\xfe" * 5000, c=b"\n\n\n")
        self.check()

    def test_a_zero_byte(self):
        self.with_vendors(a=b"libz.so.1\n", b=bytes(range(256)) * 40)
        self.note = f"names no driver: {self.dir}/vendors/b.icd"
        self.check()


class ADriverThatCrashes(harness.CommandTest):
    """As it is loaded: in a process of its own, not in the run's."""

    def setUp(self):
        super().setUp()
        compiler = shutil.which("cc") or shutil.which("gcc-12")
        if compiler is None:
            self.skipTest("no C compiler")
        if harness.sanitized():
            self.skipTest("no OpenCL in a sanitized process")
        told = self.run_it("plugins")
        if b"nexus-opencl.so" not in told.stdout:
            self.skipTest("the OpenCL plugin was not built")
        (self.dir / "driver.c").write_text(
            "#include <stdlib.h>\n"
            "__attribute__((constructor)) static void f(void) { abort(); }\n")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", "driver.so",
                        "driver.c"], cwd=self.dir, check=True)
        place = self.dir / "vendors"
        place.mkdir()
        (place / "a.icd").write_text(f"{self.dir}/driver.so\n")
        self.env["OCL_ICD_VENDORS"] = str(place)

    REASON = ("opencl cannot be asked for its devices: "
              "its process crashed: Aborted")

    def test_is_told(self):
        for words in (["plugins", "--why"], ["devices"]):
            done = self.run_it(*words)
            self.assert_exit(done, 0)
        told = self.run_it("plugins", "--why")
        self.assertIn(self.REASON, told.stdout.decode())

    def test_ends_no_run(self):
        done = self.run_it("encrypt", "-r", harness.ALICE, "--backend",
                           "opencl", input=b"text")
        self.assert_clear_error(done, 3)
        self.assertIn(self.REASON, done.stderr.decode())
        self.assertEqual(self.decrypt(self.encrypt(b"text")).stdout, b"text")


class InAProcess(OpenClTest):

    def test_kernels_are_built_there(self):
        """By a compiler and a linker, which the helper may start."""
        plain = harness.pattern(300000)
        (self.dir / "in").write_bytes(plain)
        for name in ("XDG_CACHE_HOME", "POCL_CACHE_DIR"):
            (self.dir / name).mkdir()
            self.env[name] = str(self.dir / name)
        done = self.run_it("encrypt", "-r", harness.ALICE, "--backend",
                           "opencl", "--isolate=all", "--telemetry", "t",
                           "-o", "out", "in", timeout=300)
        self.assert_exit(done, 0)
        self.assertEqual(self.decrypt((self.dir / "out").read_bytes()).stdout,
                         plain)
        told = json.loads((self.dir / "t").read_text())
        self.assertTrue(all(d["plugin"] == "opencl" for d in told["devices"]))
        self.assertEqual(sum(d["restarts"] for d in told["devices"]), 0)


if __name__ == "__main__":
    harness.main()
