#!/usr/bin/env python3
"""CUDA devices that fail, by a stand-in for the CUDA runtime that runs on the
host: the run ends with the very same bytes, or with a clear error."""

import json
import os
import pathlib

import harness

# One call fails; the next try works.
PASSING = {
    "a kernel does not start": "cudaLaunchKernel:2:2",
    "a kernel has no resources": "cudaLaunchKernel:3:701",
    "no memory": "cudaMalloc:3:2",
    "memory is not pinned": "cudaHostRegister:1+:2",
    "no pinned memory for stages": "cudaHostAlloc:1+:2",
    "a copy is refused": "cudaMemcpyAsync:3:1",
    "a copy is refused later": "cudaMemcpyAsync:8:999",
    "the key is not cleared": "cudaMemsetAsync:2:1",
    "an event is not recorded": "cudaEventRecord:2:400",
    "waiting fails": "cudaEventSynchronize:3:46",
    "the device is not chosen": "cudaSetDevice:6:46",
}
FINAL = {
    "no stream": "cudaStreamCreateWithFlags:1+:2",
    "no kernel for this card": "cudaFuncGetAttributes:1+:209",
    "no memory at all": "cudaMalloc:1+:2",
    "no kernel starts": "cudaLaunchKernel:1+:98",
}
LOST = {
    "a kernel reads where it may not": "cudaEventSynchronize:3:700",
    "a kernel breaks the context": "cudaLaunchKernel:3:719",
    "another error ends the context": "cudaEventSynchronize:3:911",
    "an uncorrectable error in memory": "cudaMemcpyAsync:9:214",
}


class CudaTest(harness.CommandTest):

    def setUp(self):
        super().setUp()
        folder = os.environ.get("NEXUS_CUDA_STAND_IN", "")
        if not folder or not pathlib.Path(folder).exists():
            self.skipTest("the stand-in was not built: there is no nvcc, or "
                          "this is a sanitized build")
        self.words = ("--backend", "cuda", "--segment-size", "256K",
                      "--plugin-dir", folder)
        self.here = (*self.words, "--isolate", "none")

    def failing(self, rules, command, *words, isolated=False, **more):
        self.env["NEXUS_CUDA_FAULT"] = rules
        here = command != "devices" and not isolated
        try:
            return self.run_it(command, *words,
                               *(self.here if here else self.words), **more)
        finally:
            del self.env["NEXUS_CUDA_FAULT"]

    def test_a_context_that_breaks_takes_a_helper_with_it_and_no_run(self):
        plain = harness.pattern(3000001)
        sealed = self.encrypt(plain, "--backend", "cpu")
        done = self.failing("cudaEventSynchronize:9:700", "decrypt", "-i",
                            harness.ALICE_KEY, isolated=True, input=sealed)
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout, plain)

    def test_is_shown(self):
        told = self.failing("", "devices", "--json")
        [card] = [device for device in json.loads(told.stdout)["devices"]
                  if device["plugin"] == "cuda"]
        self.assertEqual(card["pci_id"], "0000:fe:1f.0")
        self.assertEqual(card["driver"].split(", ")[-1], "CUDA 12.8")
        self.assertEqual(card["memory_bytes"], 4 << 30)
        self.assertEqual(card["preferred_segment_bytes"], 16 << 20)

    def test_a_driver_that_is_too_old_is_told(self):
        told = self.failing("cudaGetDeviceCount:1:35", "devices")
        self.assertIn(b"the NVIDIA driver is older than this plugin needs",
                      told.stdout)
        self.env["CUDA_VISIBLE_DEVICES"] = ""
        told = self.failing("cudaGetDeviceCount:1:100", "devices")
        self.assertIn(b"CUDA_VISIBLE_DEVICES", told.stdout)

    def test_for_a_moment_the_run_goes_on(self):
        plain = harness.pattern(3000001)
        sealed = self.encrypt(plain, "--backend", "cpu")
        for what, rules in PASSING.items():
            with self.subTest(what):
                done = self.failing(rules, "decrypt", "-i", harness.ALICE_KEY,
                                    input=sealed)
                self.assert_exit(done, 0)
                self.assertEqual(done.stdout, plain)
        for rules in ("cudaLaunchKernel:2:2", "cudaEventRecord:3:400"):
            done = self.failing(rules, "encrypt", "-r", harness.ALICE,
                                input=plain)
            self.assert_exit(done, 0)
            self.assertEqual(self.decrypt(done.stdout).stdout, plain)

    def test_one_failure_fails_one_job(self):
        plain = harness.pattern(3000001)
        for rules in ("cudaMemcpyAsync:8:1", "cudaMemsetAsync:2:1",
                      "cudaEventRecord:2:400"):
            done = self.failing(rules, "encrypt", "-r", harness.ALICE,
                                "--telemetry", "t", input=plain)
            self.assert_exit(done, 0)
            [card] = json.loads((self.dir / "t").read_text())["devices"]
            self.assertEqual(card["failed_jobs"], 1, rules)

    def test_for_good_the_run_ends_with_a_clear_error(self):
        plain = harness.pattern(3000001)
        sealed = self.encrypt(plain, "--backend", "cpu")
        for what, rules in (FINAL | LOST).items():
            with self.subTest(what):
                done = self.failing(rules, "decrypt", "-i", harness.ALICE_KEY,
                                    input=sealed)
                self.assert_clear_error(done, 3)
                self.assertIn(b"cuda", done.stderr)
                if what in LOST:
                    self.assertIn(b"cuda:0 is gone", done.stderr)
                self.assert_whole_chunks(done.stdout, plain)
                self.assertLess(len(done.stdout), len(plain))


if __name__ == "__main__":
    harness.main()
