#!/usr/bin/env python3
"""The job queue as a black box, with real sessions of screen.

    test_nexus.py --bin NEXUS [TEST...]
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # beside the sources

import case  # noqa: E402
from case import Case, gpu_line, is_alive  # noqa: E402


class Bad(Case):

    def test_bad_calls_say_what_is_wrong_and_change_nothing(self):
        for words, status, text in [
                (["nonsense"], 2, "nonsense"), (["add"], 2, "missing"),
                (["add", ""], 1, "empty"), (["add", "--bogus", "x"], 2, "bogus"),
                (["add", "-t", "soon", "x"], 1, "duration"),
                (["kill", "zzz"], 1, "no job zzz"), (["kill"], 2, "required"),
                (["remove", "zzz"], 1, "no job zzz"),
                (["logs", "zzz"], 1, "no job zzz"),
                (["attach", "zzz"], 1, "no job zzz"),
                (["wait", "zzz"], 1, "no job zzz"),
                (["rerun", "zzz"], 1, "no job zzz"),
                (["stop"], 1, "does not run"), (["resume"], 1, "not paused"),
                (["config", "gpus.cpu_slots", "x"], 1, "whole number"),
                (["help", "nonsense"], 2, "nonsense")]:
            with self.subTest(words=words):
                self.assertIn(text, self.nexus(*words, status=status))
        self.assertEqual(self.nexus("queue"), "No jobs pending\n")

    def test_a_home_that_cannot_be_made(self):
        (self.top / "file").write_text("")
        self.environment["NEXUS_HOME"] = str(self.top / "file/home")
        self.assertIn("cannot make", self.nexus("add", "x", status=1))

    def test_rubbish_in_the_config_is_told_and_passed_over(self):
        (self.home / "config.toml").write_bytes(b"\xff\0\n[gpus\n=\ncpu_slots=1")
        done = self.run_nexus("add", "true")
        self.assertEqual(done.returncode, 0)
        self.assertIn("config.toml, line 1", done.stderr)

    def test_rubbish_in_the_database(self):
        (self.home / "queue.db").write_bytes(b"rubbish" * 1000)
        self.assertIn("database is damaged", self.nexus("queue", status=1))

    def test_without_screen_jobs_wait_and_it_is_said(self):
        self.environment["PATH"] = f"{self.top}/bin"
        self.assertIn("screen is not installed", self.nexus(status=1))
        name = self.add("true")
        self.assertIn(name, self.nexus("queue"))

    def test_a_full_disk_loses_no_job(self):
        disk = self.top / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none",
                           disk], capture_output=True).returncode != 0:
            self.skipTest("needs the right to mount")
        try:
            self.environment["NEXUS_HOME"] = str(disk)
            name = self.add("true")
            with open(disk / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"x" * 4096)
                except OSError:
                    pass
            # SQLite says "full" or "disk I/O error", as the file system does.
            self.assertIn("database: ", self.nexus(
                "add", "echo " + "x" * 60000, status=1))
            (disk / "filler").unlink()
            self.assertIn(name, self.nexus("queue"))
        finally:
            subprocess.run(["umount", disk], check=True)


class Queue(Case):
    gpus = 0

    def test_without_a_gpu_it_says_so_and_queues(self):
        name = self.add("true")
        self.assertIn("nvidia-smi lists no GPU", self.nexus())
        self.assertEqual(self.job(name)["state"], "queued")

    def test_slots_run_jobs_that_need_no_gpu(self):
        self.nexus("config", "gpus.cpu_slots", "1")
        self.nexus()
        name = self.add("-g", "0", 'echo "[$CUDA_VISIBLE_DEVICES]"')
        waits = self.add("true")
        self.nexus("wait", name)
        self.assertEqual(self.nexus("logs", name), "[]\n")
        self.assertEqual(self.job(waits)["state"], "queued")

    def test_jobs_txt_is_taken_in_and_rubbish_in_it_is_not(self):
        first = self.add("echo 1")
        self.nexus()
        path = self.home / "jobs.txt"
        self.wait_for(lambda: first in path.read_text(), "jobs.txt not written")
        with path.open("ab") as file:
            file.write(b"\xff\0rubbish\necho 2\n")
        self.wait_for(lambda: "echo 2" in self.nexus("queue"), "not taken in")
        self.assertEqual(len(json.loads(self.nexus("queue", "--json"))), 2)
        log = self.home / "logs/service.log"
        self.wait_for(lambda: "jobs.txt, line 6: the command is not UTF-8"
                      in log.read_text(), "not told")
        self.assertIn(b"rubbish", (self.home / "jobs.txt.rejected").read_bytes())

    def test_edit_removes_adds_and_keeps_the_folder(self):
        first = self.add("echo 1")
        self.environment["EDITOR"] = "sed -i -e '$aecho 2' -e '/echo 1/d'"
        self.environment.pop("VISUAL", None)
        self.assertIn(f"Removed job {first}", self.nexus("edit"))
        queue = json.loads(self.nexus("queue", "--json"))
        self.assertEqual([job["command"] for job in queue], ["echo 2"])
        self.assertEqual(queue[0]["directory"], str(self.folder))
        self.environment["EDITOR"] = "false"
        self.assertIn("nothing was changed", self.nexus("edit", status=1))

    def test_remove_and_priority(self):
        names = [self.add("one"), self.add("two"), self.add("-p", "3", "three")]
        listed = self.nexus("queue").splitlines()
        self.assertEqual(listed[0], f"1. {names[2]} three")
        self.nexus("remove", names[0])
        self.assertIn("not in the queue", self.nexus("remove", names[0],
                                                     status=1))
        self.assertEqual(len(self.nexus("queue").splitlines()), 2)

    def test_words_reach_the_command_as_they_are(self):
        self.add("--", "python3", "-c", "print('a b', \"$x\")", "--", "--json")
        self.add("python3", "train.py", "--name", "x y")
        self.assertEqual(
            [job["command"] for job in json.loads(self.nexus("queue", "--json"))],
            ["python3 -c 'print('\\''a b'\\'', \"$x\")' -- --json",
             "python3 train.py --name 'x y'"])


class Jobs(Case):

    def test_a_job_gets_its_gpu_folder_and_environment(self):
        self.nexus()
        self.environment["MINE"] = "my own"
        name = self.add('echo "$CUDA_VISIBLE_DEVICES|$CUDA_DEVICE_ORDER|'
                        '$NEXUS_JOB_ID|$NEXUS_GPU_ID|$MINE|$PWD"; '
                        'echo wrong >&2; [ -t 1 ] && [ -t 0 ] && echo terminal')
        self.nexus("wait", name)
        done = self.run_nexus("logs", name)
        self.assertEqual(done.stdout, f"0|PCI_BUS_ID|{name}|0|my own|"
                                      f"{self.folder}\nterminal\n")
        self.assertEqual(done.stderr, "wrong\n")
        job = self.job(name)
        self.assertEqual((job["state"], job["exit_status"], job["gpu"]),
                         ("completed", 0, "0"))
        self.assertIn(f"{name} ", self.nexus("history"))
        self.wait_for(lambda: self.sessions() == ["nexus"], "session stays")

    def test_failures_are_told_with_their_status(self):
        self.nexus()
        for command, code in [("exit 7", 7), ("kill -9 $$", 137),
                              ("/nonexistent", 127)]:
            name = self.add(command)
            self.assertEqual(self.run_nexus("wait", name).returncode, 1)
            self.assertEqual(self.job(name)["exit_status"], code)
            self.assertEqual(self.job(name)["state"], "failed")
        self.nexus("pause")
        gone = self.folder = self.folder / "gone"
        gone.mkdir()
        name = self.add("true")
        gone.rmdir()
        self.folder = gone.parent
        self.nexus("resume")
        self.run_nexus("wait", name)
        self.assertEqual(self.job(name)["state"], "failed")
        self.assertIn("No such file", self.job(name)["error"])

    def test_kill_ends_the_whole_group_and_what_left_it(self):
        self.nexus()
        name = self.add("trap '' TERM; setsid sh -c 'trap \"\" TERM; "
                        "while :; do sleep 1; done' & "
                        "(trap '' TERM; sleep 300) & while :; do sleep 1; done")
        self.wait_state(name, "running")
        self.assertIn("runs", self.nexus("start", status=1))
        self.assertEqual(self.nexus("kill", "0"), f"Killed job {name}\n")
        job = self.job(name)
        self.assertEqual(job["state"], "killed")
        self.assertFalse(is_alive(job["pid"]))
        mark = f"NEXUS_JOB_ID={name}".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                environment = (path / "environ").read_bytes()
            except OSError:
                continue
            if str(self.top).encode() in environment:
                self.assertNotIn(mark, environment.split(b"\0"))
        self.assertIn("has ended", self.nexus("kill", name, status=1))

    def test_pause_and_resume(self):
        self.nexus()
        self.nexus("pause")
        name = self.add("true")
        self.assertIn("[PAUSED]", self.nexus())
        time.sleep(0.6)
        self.assertEqual(self.job(name)["state"], "queued")
        self.nexus("resume")
        self.nexus("wait", name)

    def test_in_order_and_never_two_on_a_gpu(self):
        names = [self.add(f"mkdir {self.top}/lock$NEXUS_GPU_ID && sleep 0.02 && "
                          f"rmdir {self.top}/lock$NEXUS_GPU_ID")
                 for _ in range(16)]
        self.nexus()
        self.nexus("wait", *names)
        log = (self.home / "logs/service.log").read_text()
        started = [line.split()[4] for line in log.splitlines()
                   if "Started job" in line]
        self.assertEqual(started, names)

    def test_others_and_the_blacklist_keep_a_gpu_from_being_used(self):
        (self.top / "users").write_text("GPU-0, 77, /usr/bin/Xorg, 9\n")
        self.nexus("blacklist", "1")
        self.nexus()
        name = self.add("true")
        text = self.nexus("--why")
        self.assertIn("in use by process 77 (Xorg, 9 MiB)", text)
        self.assertIn("on the blacklist", text)
        time.sleep(0.6)
        self.assertEqual(self.job(name)["state"], "queued")
        self.nexus("config", "gpus.ignore", '["Xorg"]')
        self.nexus("wait", name)
        self.assertEqual(self.job(name)["gpu"], "0")

    def test_gpus_vanish_and_print_garbage(self):
        self.nexus()
        self.set_gpus("garbage\n")
        self.wait_for(lambda: "without sense" in self.nexus(), "not told")
        name = self.add("true")
        time.sleep(0.5)
        self.assertEqual(self.job(name)["state"], "queued")
        self.set_gpus(gpu_line(3))
        self.nexus("wait", name)
        self.assertEqual(self.job(name)["gpu"], "3")

    def test_time_limit_retries_and_rerun(self):
        self.nexus()
        name = self.add("-t", "1s", "sleep 60")
        self.run_nexus("wait", name)
        self.assertIn("time limit", self.job(name)["error"])
        name = self.add("-r", "1", "-n", "twice", "echo x; false")
        self.run_nexus("wait", name)
        self.assertEqual(self.job(name)["attempt"], 2)
        self.assertEqual(self.nexus("logs", name), "x\nx\n")
        self.assertEqual(self.nexus("logs", "-n", "1", name), "x\n")
        again = self.nexus("rerun", name).split()[2]
        self.run_nexus("wait", again)
        self.assertEqual(self.job(again)["name"], "twice")

    def test_logs_follow_to_the_end(self):
        self.nexus()
        name = self.add("for i in 1 2 3; do echo $i; sleep 0.2; done")
        self.assertEqual(self.nexus("logs", "-f", name), "1\n2\n3\n")

    def test_stop_ends_running_jobs_and_keeps_the_queue(self):
        self.nexus()
        running = [self.add("sleep 300"), self.add("sleep 300")]
        waits = self.add("sleep 300")
        for name in running:
            self.wait_state(name, "running")
        self.nexus("stop")
        self.assertEqual(self.sessions(), [])
        queue = json.loads(self.nexus("queue", "--json"))
        self.assertEqual([job["id"] for job in queue], [waits])
        past = json.loads(self.nexus("history", "--json"))
        self.assertEqual({job["state"] for job in past}, {"killed"})
        self.nexus("remove", waits)


class Crash(Case):

    def kill_service(self):
        pid = self.service()["pid"]
        os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: not is_alive(pid), "the service lives")

    def test_running_jobs_are_adopted_again(self):
        self.nexus()
        name = self.add("sleep 1; echo done; exit 3")
        self.wait_state(name, "running")
        pid = self.job(name)["pid"]
        self.kill_service()
        self.nexus()
        self.assertEqual(self.job(name)["pid"], pid)
        self.run_nexus("wait", name)
        self.assertEqual(self.job(name)["exit_status"], 3)
        self.assertEqual(self.job(name)["attempt"], 1)

    def test_jobs_that_ended_without_a_service_are_known(self):
        self.nexus()
        name = self.add("sleep 0.5; exit 4")
        self.wait_state(name, "running")
        self.kill_service()
        self.run_nexus("wait", name)
        self.nexus()
        self.assertEqual(self.job(name)["exit_status"], 4)

    def test_restart_leaves_jobs_running(self):
        self.nexus()
        name = self.add("sleep 1; exit 5")
        self.wait_state(name, "running")
        before = self.service()["pid"]
        self.nexus("restart")
        self.assertNotEqual(self.service()["pid"], before)
        self.run_nexus("wait", name)
        self.assertEqual(self.job(name)["exit_status"], 5)

    def test_killed_at_any_time_no_job_is_lost_or_run_twice(self):
        names = [self.add(f"echo x >> {self.top}/ran$NEXUS_JOB_ID; sleep 0.1")
                 for _ in range(8)]
        for delay in (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
            self.nexus()
            time.sleep(delay)
            self.kill_service()
        self.nexus()
        self.nexus("wait", *names)
        for name in names:
            self.assertEqual((self.top / f"ran{name}").read_text(), "x\n")

    def test_a_session_that_dies_fails_its_job(self):
        self.nexus()
        name = self.add("trap '' HUP; sleep 300")
        self.wait_state(name, "running")
        job = self.job(name)
        for path in (self.top / "screens").glob(f"*nexus_job_{name}"):
            os.kill(int(path.name.split(".")[0]), signal.SIGKILL)
        self.wait_state(name, "failed")
        self.assertIn("session", self.job(name)["error"])
        self.assertFalse(is_alive(job["pid"]))

    def test_a_launcher_that_dies_fails_its_job(self):
        self.nexus()
        name = self.add("trap '' HUP; sleep 300")
        self.wait_state(name, "running")
        pid = self.job(name)["pid"]
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        os.kill(int(stat.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
        self.wait_state(name, "failed")
        self.assertFalse(is_alive(pid))

    def test_after_a_reboot_running_jobs_have_failed(self):
        import sqlite3
        self.nexus()
        name = self.add("sleep 300")
        self.wait_state(name, "running")
        pid = self.job(name)["pid"]
        waits = self.add("-g", "2", "true")
        self.kill_service()
        os.killpg(pid, signal.SIGKILL)
        for path in (self.top / "screens").glob("*nexus_job_*"):
            os.kill(int(path.name.split(".")[0]), signal.SIGKILL)
        self.run_nexus("wait", name)
        with sqlite3.connect(self.home / "queue.db") as data:
            data.execute("UPDATE jobs SET state = 2, boot = 'before' "
                         "WHERE id = ?", (name,))
        data.close()
        self.nexus()
        self.wait_state(name, "failed")
        self.assertIn("restarted", self.job(name)["error"])
        self.nexus("wait", waits)

    def test_of_two_services_one_wins(self):
        self.nexus()
        done = self.run_nexus("__service")
        self.assertEqual(done.returncode, 1)
        self.assertIn("runs already", done.stderr)


class Terminal(Case):

    def test_what_an_attached_user_types_reaches_the_job(self):
        self.nexus()
        name = self.add("echo ask; read line; echo got $line; echo bad >&2")
        self.wait_for(lambda: self.run_nexus("logs", name).stdout == "ask\n",
                      "it does not ask")
        subprocess.run(["screen", "-S", f"nexus_job_{name}", "-X", "stuff",
                        "hello\\n"], env=self.environment, check=True)
        self.nexus("wait", name)
        done = self.run_nexus("logs", name)
        self.assertEqual(done.stdout, "ask\ngot hello\n")
        self.assertEqual(done.stderr, "bad\n")

    def test_the_session_shows_both_outputs(self):
        self.nexus()
        name = self.add("echo to-out; echo to-error >&2; sleep 300")
        self.wait_state(name, "running")
        copy = self.top / "copy"

        def shown():
            subprocess.run(["screen", "-S", f"nexus_job_{name}", "-X",
                            "hardcopy", copy], env=self.environment)
            text = copy.read_text() if copy.exists() else ""
            return "to-out" in text and "to-error" in text
        self.wait_for(shown, "not shown")

    def test_much_output_is_kept_whole(self):
        self.nexus()
        name = self.add("seq 1 200000")
        self.nexus("wait", name)
        self.assertEqual(self.nexus("logs", name),
                         "".join(f"{i}\n" for i in range(1, 200001)))


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
