#!/usr/bin/env python3
"""What jobs may be given: what they wait for, memory, arrays.

    test_options.py --bin NEXUS [TEST...]
"""

import json
import sys
import time

sys.dont_write_bytecode = True  # beside the sources

import case  # noqa: E402
from case import Case, gpu_line  # noqa: E402


class After(Case):

    def test_what_is_wrong_is_told_and_nothing_added(self):
        first = self.add("true")
        for words, text in [
                (["zzz"], "no job zzz"), ([first + ":soon"], "none of success"),
                (["", ], "no job"), ([first + ",zzz"], "no job zzz")]:
            with self.subTest(words=words):
                self.assertIn(text, self.nexus("add", "--after", *words, "x",
                                               status=1))
                self.assertIn(text, self.nexus("add", "--dry-run", "--after",
                                               *words, "x", status=1))
        self.assertEqual(len(self.jobs_in_queue()), 1)

    def jobs_in_queue(self):
        return json.loads(self.nexus("queue", "--json"))

    def test_jobs_run_after_those_they_wait_for(self):
        order = self.top / "order"
        self.nexus("pause")
        first = self.add(f"sleep 0.3; echo 1 >> {order}")
        second = self.add(f"sleep 0.2; echo 2 >> {order}; false")
        last = self.add("--after", f"{first},{second}:failure",
                        f"echo 3 >> {order}")
        self.assertIn(f"    waits for job {first} to complete, job {second} "
                      "to fail\n", self.nexus("queue"))
        queued = self.job(last)
        self.assertEqual(queued["after"], [{"id": first, "when": "success"},
                                           {"id": second, "when": "failure"}])
        self.assertIn(f"waits for job {first} to complete", queued["reason"])
        self.assertIn(f"waits for job {first} to complete", self.nexus("--why"))
        self.nexus("resume")
        self.nexus("wait", last)
        self.assertEqual(sorted(order.read_text().split()[:2]), ["1", "2"])
        self.assertEqual(order.read_text().split()[2], "3")

    def test_a_failure_cancels_what_waits_for_it_and_says_so(self):
        first = self.add("-r", "1", "sleep 0.2; false")
        second = self.add("-a", first, "echo never")
        third = self.add("-a", second, "echo never")
        cleanup = self.add("-a", f"{first}:failure", "-a", f"{second}:any",
                           "echo cleaned")
        self.nexus()
        self.assertEqual(self.run_nexus("wait", second, third).returncode, 1)
        self.nexus("wait", cleanup)
        self.assertEqual(self.job(first)["attempt"], 2)
        self.assertEqual(self.job(third)["error"], f"job {second} failed")
        self.assertEqual(self.job(third)["attempt"], 0)
        self.assertIn(f"    job {first} failed\n", self.nexus("history"))
        log = self.home / "logs/service.log"
        self.wait_for(lambda: f"Job {third} failed: job {second} failed\n"
                      in log.read_text(), "not in the log")

    def test_removing_and_running_again(self):
        self.nexus("pause")
        first = self.add("echo first")
        second = self.add("-a", first, "echo second")
        third = self.add("-a", second, "echo third")
        told = self.nexus("remove", first)
        self.assertEqual(self.job(third)["state"], "failed")
        self.assertIn(f"Removed job {first}\n", told)
        # In whatever order they are named.
        again = [line.split()[2] for line in
                 self.nexus("rerun", third, second, first).splitlines()]
        self.assertEqual([job["after"] for job in self.jobs_in_queue()],
                         [[], [{"id": again[0], "when": "success"}],
                          [{"id": again[1], "when": "success"}]])
        # Alone, it waits for nothing that has ended.
        alone = self.nexus("rerun", third).split()[2]
        self.assertEqual(self.job(alone)["after"], [])
        self.nexus("resume")
        self.nexus("wait", *again, alone)


class Memory(Case):

    def test_only_gpus_with_so_much_free_are_used(self):
        self.set_gpus("0, GPU-0, A, 8000, 3\n1, GPU-1, B, 24000, 400\n")
        self.nexus()
        name = self.add("-m", "20G", "true")
        small = self.add("true")
        self.nexus("wait", name, small)
        self.assertEqual(self.job(name)["gpu"], "1")
        self.assertEqual(self.job(name)["gpu_memory_mib"], 20480)

    def test_too_much_is_told_and_holds_nobody_up(self):
        self.nexus()
        done = self.run_nexus("add", "-m", "48G", "true")
        self.assertEqual(done.returncode, 0)
        text = "wants a GPU with 49152 MiB; the largest has 24576 MiB"
        self.assertEqual(done.stderr, f"nexus: {text}\n")
        name = done.stdout.split()[2]
        self.assertIn(text, self.nexus("--why"))
        self.assertIn(text, self.nexus("queue"))
        self.assertEqual(self.job(name)["reason"], text)
        self.nexus("wait", self.add("true"))
        self.set_gpus("0, GPU-0, A, 50000, 3\n")
        self.nexus("wait", name)

    def test_what_is_no_size(self):
        self.assertIn("no size of memory",
                      self.nexus("add", "-m", "much", "x", status=1))


class Array(Case):

    def test_every_number_is_a_job_of_its_own(self):
        first = self.add("true")
        told = self.nexus("add", "--array", "1,3,8-12:2", "-n", "seed", "-a",
                          first, f"echo {{}} >> {self.top}/out")
        names = [line.removeprefix("Added job ") for line in told.splitlines()]
        self.assertEqual(len(set(names)), 5)
        queue = json.loads(self.nexus("queue", "--json"))[1:]
        self.assertEqual([job["id"] for job in queue], names)
        self.assertEqual([job["name"] for job in queue],
                         ["seed-1", "seed-3", "seed-8", "seed-10", "seed-12"])
        self.assertEqual({job["after"][0]["id"] for job in queue}, {first})
        self.nexus()
        self.nexus("wait", *names)
        self.assertEqual(sorted((self.top / "out").read_text().split()),
                         ["1", "10", "12", "3", "8"])

    def test_a_trial_adds_nothing(self):
        self.assertEqual(
            self.nexus("add", "--array", "0-1", "--dry-run", "x {}"),
            "Would add: x 0\nWould add: x 1\n")
        self.assertEqual(self.nexus("queue"), "No jobs pending\n")

    def test_what_is_wrong_adds_nothing(self):
        for words, text in [(["0-", "x {}"], "is no range"),
                            (["0-10000", "x {}"], "10000 jobs at most"),
                            (["0-9", "x"], "no {} for the number"),
                            (["0-9", "-a", "zzz", "x {}"], "no job zzz")]:
            with self.subTest(words=words):
                self.assertIn(text, self.nexus("add", "--array", *words,
                                               status=1))
        self.assertEqual(self.nexus("queue"), "No jobs pending\n")

    def test_ten_thousand_at_once(self):
        listed = json.loads(self.nexus("add", "--json", "--array", "0-9999",
                                       "true {}"))
        self.assertEqual(len({job["id"] for job in listed}), 10000)
        self.assertEqual(listed[77]["command"], "true 77")


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
