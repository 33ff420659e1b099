#!/usr/bin/env python3
"""kill -9 at every point at which a job moves, before and after it is on the
disk: NEXUS_TEST_CRASH names the point (tools/nexus/test_hooks.hpp).

    test_crash.py --bin NEXUS [TEST...]
"""

import json
import os
import pathlib
import re
import signal
import sys

sys.dont_write_bytecode = True  # beside the sources

import case  # noqa: E402
from case import Case, is_alive  # noqa: E402

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "tools/nexus"
MOMENTS = ("begin", "commit", "done")


def of_move(name):
    return [f"{name}.{moment}" for moment in MOMENTS]


# Where the service can die; what leads there is in the tests.
STARTING = [*of_move("assign"), "session.begin", "session.done"]
ENDING = [*of_move("settle"), "notice.sent"]
BURYING = of_move("finish")
RECOVERING = of_move("requeue")
KILLING = of_move("kill")
READING = [*of_move("read"), "write.begin", "write.done"]
# And the launcher; whether the job may have run, and how it counts.
LAUNCHER = {
    "run.begin": (False, "failed"), "run.commit": (False, "failed"),
    "run.done": (False, "failed"), "go.done": (None, "failed"),
    "finish.begin": (True, "failed"), "finish.commit": (True, "failed"),
    "finish.done": (True, "completed")}


class CrashCase(Case):

    def crash_at(self, point, role="service"):
        self.environment["NEXUS_TEST_CRASH"] = f"{role}:{point}"

    def no_crash(self):
        self.environment.pop("NEXUS_TEST_CRASH", None)

    def wait_dead(self, point, pid=None):
        pid = pid or self.service()["pid"]
        self.wait_for(lambda: not is_alive(pid), f"never came to {point}")

    def start(self):
        """Starts the service, which may die before it is ready."""
        self.run_nexus("start")

    def job_that_counts(self, more="true"):
        return self.add(f"echo x >> {self.top}/ran$NEXUS_JOB_ID; {more}")

    def runs(self, name):
        path = self.top / f"ran{name}"
        return path.read_text().count("x") if path.exists() else 0

    def assert_done(self, names, states=("completed",)):
        """Each ran at most once, has ended, and is on no GPU."""
        self.run_nexus("wait", *names)
        jobs = self.jobs()
        for name in names:
            self.assertIn(jobs[name]["state"], states, name)
            self.assertLessEqual(self.runs(name), 1, name)
            if jobs[name]["state"] == "completed":
                self.assertEqual(self.runs(name), 1, name)
        self.wait_for(lambda: all(gpu["job"] is None for gpu in json.loads(
            self.nexus("--json"))["gpus"]), "a GPU stays taken")
        self.assertEqual(self.nexus("queue"), "No jobs pending\n")


class CrashService(CrashCase):

    def test_every_point_is_walked_through(self):
        text = "".join(path.read_text() for path in SOURCES.glob("*.cpp"))
        points = {".".join(found) for found in re.findall(
            r'crash_point\("(\w+)", "(\w+)"\)', text)}
        for name in re.findall(r'make_move\(\s*"(\w+)"', text):
            points |= set(of_move(name))
        walked = {*STARTING, *ENDING, *BURYING, *RECOVERING, *KILLING,
                  *READING, *LAUNCHER, *of_move("add"), *of_move("remove")}
        self.assertEqual(points, walked)

    def test_where_jobs_start(self):
        for point in STARTING:
            with self.subTest(point=point):
                names = [self.job_that_counts() for _ in range(3)]
                self.crash_at(point)
                self.start()
                self.wait_dead(point)
                self.no_crash()
                self.start()
                self.assert_done(names)
                self.nexus("stop")

    def test_where_jobs_are_queued_again(self):
        for point in RECOVERING:
            with self.subTest(point=point):
                names = [self.job_that_counts() for _ in range(3)]
                self.crash_at("assign.done")
                self.start()
                self.wait_dead("assign.done")
                self.crash_at(point)
                self.start()
                self.wait_dead(point)
                self.no_crash()
                self.start()
                self.assert_done(names)
                self.nexus("stop")

    def test_where_ends_are_told(self):
        told = self.top / "told"
        with (self.home / "config.toml").open("a") as file:
            file.write(f"[notify]\ncommand = 'echo $NEXUS_JOB_ID >> {told}'\n")
        for point in ENDING:
            with self.subTest(point=point):
                told.write_text("")
                names = [self.job_that_counts() for _ in range(2)]
                self.crash_at(point)
                self.start()
                self.wait_dead(point)
                self.no_crash()
                self.start()
                self.assert_done(names)
                self.wait_for(lambda: set(told.read_text().split()) ==
                              set(names), "not told")
                # Only what was told but not struck off is told twice.
                if point != "notice.sent":
                    self.assertEqual(len(told.read_text().split()), 2)
                self.nexus("stop")

    def test_where_jobs_are_buried(self):
        for point in BURYING:
            with self.subTest(point=point):
                self.crash_at(point)
                self.start()
                self.no_crash()
                name = self.job_that_counts("sleep 300")
                after = self.add("-a", name, "true")
                self.wait_for(lambda: self.runs(name) == 1, "it does not run")
                self.kill_launcher(name)
                self.wait_dead(point)
                self.start()
                self.assert_done([name, after], ("failed",))
                self.nexus("stop")

    def kill_launcher(self, name):
        pid = self.job(name)["pid"]
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        os.kill(int(stat.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)

    def test_where_jobs_are_killed(self):
        for point in KILLING:
            with self.subTest(point=point):
                self.crash_at(point)
                self.start()
                self.no_crash()
                names = [self.job_that_counts("sleep 2") for _ in range(2)]
                for name in names:
                    self.wait_for(lambda: self.runs(name) == 1, "does not run")
                # It dies while it marks the jobs, which then go on or end.
                pid = self.service()["pid"]
                self.run_nexus("stop")
                self.wait_dead(point, pid)
                self.start()
                self.assert_done(names, ("killed", "completed"))
                self.nexus("stop")

    def test_where_jobs_txt_is_read_and_written(self):
        for point in READING:
            with self.subTest(point=point):
                self.nexus("pause")
                first = self.job_that_counts()
                self.crash_at(point)
                path = self.home / "jobs.txt"
                path.write_text(path.read_text() +
                                f"echo x >> {self.top}/ran$NEXUS_JOB_ID\n")
                self.start()
                self.wait_dead(point)
                self.no_crash()
                self.start()
                self.wait_for(lambda: path.read_text().count("# id: ") == 2,
                              "jobs.txt is not written")
                names = [job["id"] for job in
                         json.loads(self.nexus("queue", "--json"))]
                self.assertEqual(len(names), 2)
                self.assertEqual(names[0], first)
                self.nexus("resume")
                self.assert_done(names)
                self.nexus("stop")


class CrashLauncher(CrashCase):

    def test_its_job_has_failed_and_ran_once_at_most(self):
        for point, (ran, state) in LAUNCHER.items():
            with self.subTest(point=point):
                self.crash_at(point, "launcher")
                self.start()
                self.no_crash()
                names = [self.job_that_counts(), self.job_that_counts()]
                self.assert_done(names, (state,))
                for name in names:
                    if ran is not None:
                        self.assertEqual(self.runs(name), int(ran))
                    if state == "failed":
                        self.assertIn("session", self.job(name)["error"])
                self.nexus("stop")

    def test_it_is_tried_again_where_that_was_asked_for(self):
        self.crash_at("run.done", "launcher")
        self.start()
        self.no_crash()
        name = self.add("-r", "1", f"echo x >> {self.top}/ran$NEXUS_JOB_ID")
        self.run_nexus("wait", name)
        self.assertEqual(self.job(name)["attempt"], 2)
        self.assertEqual(self.runs(name), 0)


class CrashCommand(CrashCase):

    def test_a_job_is_added_wholly_or_not_at_all(self):
        for point, added in (("add.begin", 0), ("add.commit", 0),
                             ("add.done", 3)):
            with self.subTest(point=point):
                self.crash_at(point, "command")
                self.assertEqual(self.run_nexus(
                    "add", "--array", "0-2", "true {}").returncode,
                    -signal.SIGKILL)
                self.no_crash()
                self.assertEqual(
                    len(json.loads(self.nexus("queue", "--json"))), added)

    def test_a_job_is_removed_with_what_hangs_on_it_or_not_at_all(self):
        for point, left in (("remove.begin", 2), ("remove.commit", 2),
                            ("remove.done", 0)):
            with self.subTest(point=point):
                first = self.add("true")
                second = self.add("-a", first, "true")
                self.crash_at(point, "command")
                self.run_nexus("remove", first)
                self.no_crash()
                queue = json.loads(self.nexus("queue", "--json"))
                self.assertEqual(len(queue), left)
                self.run_nexus("remove", first)
                self.run_nexus("remove", second)


class Reboot(CrashCase):

    def test_after_a_reboot_running_jobs_have_failed_and_the_queue_goes_on(self):
        boot = self.top / "boot"
        boot.write_text("before\n")
        self.environment["NEXUS_TEST_BOOT_ID"] = str(boot)
        self.nexus()
        running = [self.job_that_counts("trap '' HUP; sleep 300")
                   for _ in range(2)]
        waits = self.job_that_counts()
        after = self.add("-a", running[0], "true")
        again = self.add("-a", f"{running[1]}:failure", "true")
        for name in running:
            self.wait_state(name, "running")
        # What a reboot ends.
        for pid in self.left_behind(seconds=0):
            if pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: not self.left_behind(seconds=0), "still there")
        boot.write_text("after\n")
        self.assertIn("service started", self.run_nexus().stderr)
        self.run_nexus("wait", *running)
        for name in running:
            self.assertEqual(self.job(name)["state"], "failed")
            self.assertEqual(self.job(name)["error"],
                             "the machine was restarted")
        self.assertEqual(self.run_nexus("wait", after).returncode, 1)
        self.nexus("wait", waits, again)
        self.assertEqual([self.runs(name) for name in running], [1, 1])


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
