#!/usr/bin/env python3
"""A machine that fails: disks, screen, files that nobody can read.

    test_faults.py --bin NEXUS [TEST...]
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # beside the sources

import case  # noqa: E402
from case import Case, is_alive  # noqa: E402


class Faults(Case):

    @contextlib.contextmanager
    def disk(self, options):
        """A file system of its own, in memory."""
        folder = self.top / "disk"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none",
                           folder], capture_output=True).returncode != 0:
            self.skipTest("needs the right to mount")
        try:
            yield folder
        finally:
            subprocess.run([case.BIN, "stop"], env=self.environment,
                           timeout=60, capture_output=True)
            subprocess.run(["umount", "-l", folder], check=True)

    def fill(self, folder):
        with open(folder / "filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)

    def test_a_home_that_cannot_be_written(self):
        with self.disk("ro") as folder:
            for home in (folder, folder / "inner"):
                self.environment["NEXUS_HOME"] = str(home)
                for words in (["add", "true"], ["queue"], []):
                    text = self.nexus(*words, status=1)
                    self.assertRegex(text, "cannot (make|write to) .*: "
                                     "Read-only file system")
                    self.assertIn("hint: NEXUS_HOME names another folder", text)

    def test_a_disk_that_fills_up_under_a_job_costs_no_end(self):
        with self.disk("size=3m") as folder:
            self.environment["NEXUS_HOME"] = str(folder)
            (folder / "config.toml").write_text(
                (self.home / "config.toml").read_text())
            self.nexus()
            go = self.top / "go"
            name = self.add(f"while ! [ -e {go} ]; do sleep 0.1; done; "
                            f"echo x >> {self.top}/ran; exit 3")
            waits = self.add("-a", f"{name}:failure",
                             f"echo y >> {self.top}/ran")
            self.wait_state(name, "running")
            pid = self.job(name)["pid"]
            self.fill(folder)
            go.touch()
            self.wait_for(lambda: not is_alive(pid), "the job does not end")
            time.sleep(1.5)
            (folder / "filler").unlink()
            self.run_nexus("wait", name)
            self.assertEqual(self.job(name)["exit_status"], 3)
            self.nexus("wait", waits)
            self.assertEqual((self.top / "ran").read_text(), "x\ny\n")

    def test_screen_that_vanishes_loses_no_job(self):
        tools = self.top / "tools"
        tools.mkdir()
        for path in pathlib.Path("/usr/bin").iterdir():
            (tools / path.name).symlink_to(path)
        self.environment["PATH"] = f"{self.top}/bin:{tools}"
        self.nexus()
        (tools / "screen").unlink()
        name = self.add("true")
        log = self.home / "logs/service.log"
        self.wait_for(lambda: "Error: screen is not installed"
                      in log.read_text(), "not told")
        self.assertIn("screen is not installed", self.nexus("--why"))
        self.assertEqual(self.job(name)["state"], "queued")
        (tools / "screen").symlink_to("/usr/bin/screen")
        self.nexus("wait", name)

    def test_screen_that_fails_loses_no_job(self):
        self.nexus()
        # Its folder of sockets: nobody but root may go on all the same.
        path = self.top / "bin/screen"
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)
        name = self.add(f"echo x >> {self.top}/ran")
        log = self.home / "logs/service.log"
        self.wait_for(lambda: f"screen failed to start the session nexus_job_"
                      f"{name}" in log.read_text(), "not told")
        self.assertIn(self.job(name)["state"], ("queued", "starting"))
        path.unlink()
        self.nexus("wait", name)
        self.assertEqual((self.top / "ran").read_text(), "x\n")

    def test_rubbish_in_the_files_of_the_service(self):
        self.home.joinpath("service.lock").write_bytes(b"\0\xff{[" * 99)
        self.home.joinpath("jobs.txt").write_bytes(bytes(range(256)) * 40)
        self.home.joinpath("config.toml").write_bytes(
            b"[gpus]\nsource = \"nvidia-smi\"\nblacklist = [\n" +
            bytes(range(256)) * 40)
        done = self.run_nexus()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("config.toml, line 3", done.stderr)
        name = self.add("true")
        self.nexus("wait", name)
        kept = self.home.joinpath("jobs.txt.rejected").read_bytes()
        self.assertIn(bytes(range(0x80, 0x100)), kept)


class JsonLists(Case):

    def test_every_listing_is_json_on_demand(self):
        self.nexus()
        self.nexus("wait", self.add("true"))
        self.nexus("blacklist", "1")
        self.nexus("pause")
        self.add("true")
        status = json.loads(self.nexus("--json"))
        self.assertTrue(status["paused"])
        self.assertEqual(len(status["gpus"]), 2)
        self.assertEqual(json.loads(self.nexus("blacklist", "--json")), ["1"])
        config = json.loads(self.nexus("config", "--json"))
        self.assertEqual(config["gpus"]["blacklist"], ["1"])
        queue = json.loads(self.nexus("queue", "--json"))
        self.assertEqual(queue[0]["reason"], "the queue is paused")
        history = json.loads(self.nexus("history", "--json"))
        self.assertEqual(history[0]["state"], "completed")
        why = json.loads(self.nexus("--why", "--json"))
        self.assertEqual(why["waiting"], [{"id": queue[0]["id"],
                                           "reason": "the queue is paused"}])


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
