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
        self.nexus()
        self.nexus("wait", *again, alone)


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
