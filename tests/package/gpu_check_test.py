#!/usr/bin/env python3
"""Makes the bundle of scripts/gpu-check, and runs it where the build tree is
hidden, with an empty environment and PoCL as its only device."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
# What the C library and the kernel bring; drivers load what they like.
OF_THE_MACHINE = ("libc.so.6", "libm.so.6", "linux-vdso.so.1", "ld-linux")


def run(words, **options):
    return subprocess.run([str(word) for word in words], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=500, **options)


def may_hide():
    return run(["unshare", "-rm", "true"]).returncode == 0 if shutil.which(
        "unshare") else False


class Bundle(unittest.TestCase):
    given = None  # the arguments

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="nexus-bundle-")
        cls.addClassCleanup(folder.cleanup)
        cls.place = pathlib.Path(folder.name)
        made = cls.place / "made" / "gpu"
        done = run([SOURCE / "scripts" / "gpu-check", "--bundle-only",
                    "--build", cls.given.build, "--bundle", made])
        if done.returncode != 0:
            raise AssertionError(done.stdout)
        [pack] = made.parent.glob("gpu.tar.*")
        cls.there = cls.place / "there"
        cls.there.mkdir()
        unpacked = run(["tar", "-C", cls.there, "-xf", pack])
        if unpacked.returncode != 0:
            raise AssertionError(unpacked.stdout)
        cls.bundle = cls.there / "gpu"
        shutil.rmtree(made.parent)
        cls.hides = may_hide()

    def check(self, *words, hidden=True, **environment):
        """The exit status, the report, and what was said."""
        report = self.place / "report.json"
        report.unlink(missing_ok=True)
        command = ["env", "-i", "PATH=/usr/bin:/bin", *(
            f"{name}={value}" for name, value in environment.items()),
            self.bundle / "run", "--quick", "--out", report, *words]
        if hidden and self.hides:
            hide = f'mount -t tmpfs none "{self.given.build}" && exec "$@"'
            command = ["unshare", "-rm", "sh", "-c", hide, "sh", *command]
        done = run(command, cwd=self.there)
        told = json.loads(report.read_text()) if report.exists() else None
        return done.returncode, told, done.stdout

    def test_carries_what_it_needs(self):
        programs = [path for folder in ("bin", "tests", "lib")
                    for path in (self.bundle / folder).rglob("*")
                    if path.is_file()]
        self.assertGreaterEqual(len(programs), 10)
        for path in programs:
            listed = run(["ldd", path], env={
                "PATH": os.environ["PATH"],
                "LD_LIBRARY_PATH":
                    f"{self.bundle}/lib:{self.bundle}/lib/c++"})
            for line in listed.stdout.splitlines():
                name = line.split()[0]
                if "ld-linux" in name or name in OF_THE_MACHINE:
                    continue
                self.assertIn(str(self.bundle), line, path)
        names = {path.name for path in programs}
        self.assertIn("libOpenCL.so.1", names)
        self.assertFalse([n for n in names if n.startswith("libcuda.so")])
        self.assertFalse([n for n in names if n.startswith("libc.so")])

    def test_without_a_gpu_says_so(self):
        if os.path.exists("/dev/nvidiactl"):
            self.skipTest("this machine has a GPU")
        status, told, said = self.check()
        self.assertEqual(status, 77, said)
        self.assertEqual(told["result"], "no gpu")
        missing = {each["part"]: each["reason"] for each in told["not_run"]}
        self.assertEqual(set(missing), {"cuda", "opencl"})
        for reason in missing.values():
            self.assertTrue(reason)
        self.assertFalse(told["parts"])

    def needs_pocl(self):
        if not list(pathlib.Path("/etc/OpenCL/vendors").glob("pocl*.icd")):
            self.skipTest("PoCL is not installed (pocl-opencl-icd)")

    def test_passes_on_pocl(self):
        self.needs_pocl()
        status, told, said = self.check("--with-cpu-devices")
        self.assertEqual(status, 0, said)
        self.assertEqual(told["result"], "passed")
        parts = {}
        for part in told["parts"]:
            self.assertEqual(part["result"], "passed", part)
            parts.setdefault(part["part"].split(",")[0], []).append(part)
        self.assertLessEqual({"conformance", "engine runs", "round trip",
                              "digest by opencl"}, set(parts))
        tests = {test["name"].split("/")[1]: test
                 for test in parts["conformance"][0]["tests"]}
        for name in ("LoadTest.DoesOneSmallJobOfEachKind",
                     "DigestDeviceTest.MakesTheGoldenDigests"):
            self.assertEqual(tests[name]["result"], "passed")
        for test in tests.values():
            if test["result"] == "skipped":
                self.assertTrue(test["reason"], test["name"])
        [runs] = parts["engine runs"]
        self.assertGreater(runs["passed"], 0)
        self.assertEqual(runs["skipped"] + runs["failed"], 0)
        if "figures of opencl" not in {each["part"]
                                       for each in told["not_run"]}:
            [figures] = told["figures"]
            self.check_figures(figures)
        # The device that was asked for did the jobs.
        self.assertTrue(any(part.get("jobs") for part in parts["round trip"]))
        self.assertTrue(any("in a helper process, compared" in part["part"]
                            for part in parts["round trip"]))
        self.assertTrue(any(device["plugin"] == "opencl" and device["score"]
                            for device in told["devices"]))
        if not os.path.exists("/dev/nvidiactl"):
            self.assertIn("cuda", {each["part"] for each in told["not_run"]})

    def check_figures(self, figures):
        """Not how large they are: that nothing is missing."""
        self.assertEqual(figures["backend"], "opencl")
        self.assertTrue(figures["devices"])
        for device in figures["devices"]:
            for name in ("copy_bound", "memory", "seal_kernel",
                         "digest_kernel", "seal_kernel_percent_of_memory"):
                self.assertGreater(device[name], 0, name)
        engine = figures["engine"]
        for name in ("encrypt_memory_to_memory", "digest",
                     "encrypt_memory_to_memory_percent_of_copy_bound",
                     "first_segment_cold_seconds",
                     "first_segment_warm_seconds"):
            self.assertGreater(engine[name], 0, name)
        # A segment is there before the whole is.
        self.assertLess(engine["first_segment_warm_seconds"],
                        engine["bytes"] / engine["encrypt_memory_to_memory"])
        self.assertGreaterEqual(len(figures["command_line"]), 4)
        for each in (figures, *figures["command_line"]):
            self.assertTrue(each["command"])

    def test_a_device_that_fails_is_told(self):
        self.needs_pocl()
        layer = self.given.failing
        if not layer or not os.path.exists(layer):
            self.skipTest("the failing OpenCL layer was not built")
        status, told, said = self.check(
            "--with-cpu-devices", hidden=False, LD_PRELOAD=layer,
            NEXUS_CL_FAULT="clFinish:9+:-5")
        self.assertEqual(status, 1, said)
        self.assertEqual(told["result"], "failed")
        failed = [part for part in told["parts"] if part["result"] == "failed"]
        self.assertTrue(failed)
        for part in failed:
            self.assertTrue(part["reason"], part)
        bad = [test for part in told["parts"] for test in part.get("tests", [])
               if test["result"] == "failed"]
        self.assertTrue(bad)
        for test in bad:
            self.assertTrue(test["reason"], test)

    def test_wrong_usage(self):
        for words in (["--nonsense"], ["--out"]):
            done = run([self.bundle / "run", *words])
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("usage:", done.stdout)
        done = run([self.bundle / "run", "--out", "/nonexistent/report"])
        self.assertEqual(done.returncode, 3, done.stdout)

    def test_overwrites_nothing_but_bundles(self):
        (self.place / "mine").mkdir(exist_ok=True)
        precious = self.place / "mine" / "precious"
        precious.touch()
        done = run([SOURCE / "scripts" / "gpu-check", "--bundle-only",
                    "--build", self.given.build, "--bundle", precious.parent])
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertTrue(precious.exists())

    def test_programs_that_do_not_load_are_told(self):
        broken = self.place / "broken"
        shutil.copytree(self.bundle, broken)
        (broken / "lib" / "libnexus-pipe.so.0").unlink()
        report = self.place / "broken.json"
        # The build tree's own would be found.
        if not self.hides:
            self.skipTest("the build tree cannot be hidden here")
        hide = f'mount -t tmpfs none "{self.given.build}" && exec "$@"'
        done = run(["unshare", "-rm", "sh", "-c", hide, "sh", broken / "run",
                    "--out", report])
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("libnexus-pipe", json.loads(report.read_text())["reason"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--failing", default="")
    Bundle.given, rest = parser.parse_known_args()
    if not shutil.which("strip"):
        print("skipped: strip is not installed (Debian's package binutils)")
        return SKIPPED
    return unittest.main(argv=[sys.argv[0], *rest], exit=False,
                         verbosity=2).result.wasSuccessful() is False


if __name__ == "__main__":
    sys.exit(main())
