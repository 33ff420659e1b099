#!/usr/bin/env python3
"""Runs small jobs of the OpenCL plugin under oclgrind, which interprets the
kernels and finds data races, accesses out of bounds and wrong API calls.

usage: check_races.py CONFORMANCE_PROGRAM PLUGIN

Exit status 77, and the reason, where oclgrind is not installed.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
TESTS = "*LoadTest.DoesOneSmallJobOfEachKind*:*BackendTest.Refuses*"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    program, plugin = sys.argv[1:]
    if shutil.which("oclgrind") is None:
        print("skipped: oclgrind is not installed (Debian's package oclgrind)")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="nexus-races-") as scratch:
        log = pathlib.Path(scratch) / "log"
        # Its interpreter lacks instructions that optimised kernels have.
        done = subprocess.run(
            ["oclgrind", "--data-races", "--check-api", "--log", log,
             "--build-options", "-cl-opt-disable",
             program, f"--plugin={plugin}", f"--gtest_filter={TESTS}"],
            env=os.environ | {"XDG_CACHE_HOME": scratch},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = log.read_text() if log.exists() else ""
    print(done.stdout)
    if found.strip():
        print("oclgrind found:\n" + found)
        return 1
    # A device that is not there would find nothing either.
    if done.returncode != 0 or "DoesOneSmallJobOfEachKind" not in done.stdout:
        print(f"the tests failed, status {done.returncode}")
        return 1
    if "SKIPPED" in done.stdout:
        print("a test was skipped")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
