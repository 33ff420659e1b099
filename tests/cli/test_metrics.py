#!/usr/bin/env python3
"""Metrics and traces of runs."""

import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import harness
from test_watch import SEAL, WatchTest


def samples(text):
    """{sample with its labels: value}"""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if not line.startswith("#")}


class Metrics(WatchTest):

    def serve(self, *more):
        """A run that waits, and where it is served."""
        process = self.start_midway("--metrics", "0", "--headless", *more)
        line = process.stderr.readline().decode()
        at = re.search(r"metrics are at http://127\.0\.0\.1:(\d+)/metrics",
                       line)
        self.assertTrue(at, line)
        return process, int(at[1])

    @staticmethod
    def get(port, path="/metrics", method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}",
                                         method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def test_a_run_is_scraped(self):
        process, port = self.serve()
        text = self.get(port)
        got = samples(text)
        self.assertEqual(got['nexus_run_info{operation="encrypt"}'], 1)
        self.assertEqual(got["nexus_run_finished"], 0)
        self.assertGreaterEqual(got["nexus_input_bytes_total"], 2 << 20)
        self.assertGreater(got["nexus_memory_budget_bytes"], 0)
        device = 'device="cpu:0",plugin="cpu",kind="cpu"'
        self.assertGreater(got[f"nexus_device_jobs_total{{{device}}}"], 0)
        self.assertEqual(got[f'nexus_device_state{{{device},state="ready"}}'],
                         1)
        for name in ("prover_active_workers", "prover_queued_tasks",
                     "prover_worker_restarts_total"):
            self.assertEqual(got[name], 0)
        job = 'job="age-seal",kind="cpu"'
        self.assertEqual(
            got[f'nexus_job_duration_seconds_bucket{{{job},le="+Inf"}}'],
            got[f"nexus_device_jobs_total{{{device}}}"])
        self.assertEqual(self.get(port, "/healthz"), "ok\n")
        self.end(process)
        self.assert_sealed()

    def test_promtool_finds_nothing_wrong(self):
        unpacked = harness.HERE.parents[1] / "build/tools/usr/bin"
        promtool = shutil.which("promtool") or shutil.which("promtool",
                                                            path=unpacked)
        if not promtool:
            self.skipTest("needs promtool, of the package prometheus")
        process, port = self.serve()
        checked = subprocess.run([promtool, "check", "metrics"],
                                 input=self.get(port), text=True,
                                 capture_output=True)
        self.end(process)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr),
                         (0, "", ""))

    def test_other_requests_are_refused(self):
        process, port = self.serve()
        for path, method, code in (("/", "GET", 404), ("/metrics", "POST", 405),
                                   ("/../etc/passwd", "GET", 404)):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.get(port, path, method)
            self.assertEqual(caught.exception.code, code)
            caught.exception.close()
        for sent, answer in ((b"nonsense\r\n\r\n", b"HTTP/1.1 400 "),
                             (b"GET /" + b"x" * 5000, b"HTTP/1.1 431 ")):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(sent)
                self.assertEqual(client.recv(100)[:len(answer)], answer)
        self.end(process)

    def test_many_slow_clients_do_no_harm(self):
        process, port = self.serve()
        slow = [socket.create_connection(("127.0.0.1", port))
                for _ in range(60)]
        for client in slow[::2]:
            client.sendall(b"GET /met")
        self.assertIn("nexus_build_info", self.get(port))
        # Most were shown out by those who came after them.
        slow[0].settimeout(10)
        try:
            self.assertEqual(slow[0].recv(1), b"")
        except ConnectionResetError:
            pass
        started = time.monotonic()
        self.end(process)
        self.assertLess(time.monotonic() - started, 4)
        for client in slow:
            client.close()
        self.assert_sealed()

    def test_who_says_nothing_is_shown_out(self):
        process, port = self.serve()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(10)
            self.assertEqual(client.recv(1), b"")
        self.end(process)

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            for where in (f"{port}", f":{port}", f"localhost:{port}"):
                self.refused(3, f"cannot listen at 127.0.0.1:{port}: Address "
                             "already in use", "--metrics", where)

    def test_addresses_are_checked(self):
        for where in ("65536", "1.2.3:80", "host:80", "[::1:80", "::1:80",
                      "127.0.0.1:", "[127.0.0.1]:80", "1:2:3"):
            self.refused(2, "--metrics: .* is no address to listen at",
                         "--metrics", where)
        # TEST-NET-1 is nobody's.
        self.refused(3, "cannot listen at 192.0.2.1:80: ", "--metrics",
                     "192.0.2.1:80")

    def test_others_than_this_machine_are_warned_of(self):
        done = self.run_it(*SEAL, "--metrics", "0.0.0.0:0", "-o", "out", "in")
        self.assert_exit(done, 0)
        self.assertRegex(done.stderr.decode(),
                         "^nexus-pipe: warning: everybody who reaches 0.0.0.0")

    def test_a_file_is_replaced_whole(self):
        target = self.dir / "run.prom"
        target.write_text("old\n")
        before = target.stat().st_ino
        process = self.start_midway("--metrics", "run.prom")
        self.assertNotEqual(target.stat().st_ino, before)
        self.assertEqual(samples(target.read_text())["nexus_run_finished"], 0)
        inodes = set()
        texts = []
        end = time.monotonic() + 6  # it is written every 5 seconds
        while time.monotonic() < end:
            texts.append(target.read_text())
            inodes.add(target.stat().st_ino)
        for text in texts:
            self.assertRegex(text, r"(?s)\A# HELP nexus_build.*\n\Z")
        self.assertGreater(len(inodes), 1)
        self.assertGreater(samples(texts[-1])["nexus_input_bytes_total"], 0)
        self.end(process)
        got = samples(target.read_text())
        self.assertEqual(got["nexus_run_finished"], 1)
        self.assertEqual(got["nexus_input_bytes_total"], len(self.plain))
        self.assertEqual(self.names(), ["in", "out", "run.prom"])

    def test_a_failed_run_leaves_its_numbers(self):
        (self.dir / "bad").write_bytes(self.encrypt(self.plain)[:-1])
        done = self.run_it("decrypt", "-i", harness.ALICE_KEY, "-o", "out",
                           "--metrics", "run.prom", "bad")
        self.assert_clear_error(done, 1)
        got = samples((self.dir / "run.prom").read_text())
        self.assertEqual(got["nexus_run_finished"], 1)


class Trace(WatchTest):

    def events(self, name="trace"):
        trace = json.loads((self.dir / name).read_text())
        self.assertEqual(trace["otherData"], {"dropped_events": 0})
        tracks = {event["tid"]: event["args"]["name"]
                  for event in trace["traceEvents"]
                  if event["name"] == "thread_name"}
        slices = collections.defaultdict(list)
        counters = collections.defaultdict(list)
        for event in trace["traceEvents"]:
            if event["ph"] == "X":
                slices[tracks[event["tid"]]].append(event)
            elif event["ph"] == "C":
                counters[event["name"]].append(event)
        return slices, counters

    @staticmethod
    def workers(slices):
        return {name: each for name, each in slices.items()
                if re.fullmatch(r"W\d+", name)}

    def test_every_segment_has_its_slice(self):
        done = self.run_it(*SEAL, "--trace", "trace", "--segment-size", "64K",
                           "-o", "out", "in")
        self.assert_exit(done, 0)
        self.assertEqual(done.stderr, b"")
        self.assert_sealed()
        slices, counters = self.events()
        jobs = [e for each in self.workers(slices).values() for e in each]
        self.assertEqual(sorted(int(e["name"].split()[1]) for e in jobs),
                         list(range(48)))
        self.assertEqual({e["cat"] for e in jobs}, {"age-seal"})
        self.assertEqual(sum(e["args"]["bytes"] for e in jobs),
                         len(self.plain))
        self.assertTrue(slices["write"])
        self.assertGreater(max(e["args"]["segments"]
                               for e in counters["window"]), 0)
        self.assertGreater(max(e["args"]["bytes"]
                               for e in counters["memory"]), 0)
        for each in slices.values():
            end = 0
            for event in sorted(each, key=lambda e: e["ts"]):
                self.assertGreaterEqual(event["ts"], end - 0.002)
                end = event["ts"] + event["dur"]

    def test_steps_lie_within_their_proofs(self):
        done = self.run_it("prove", "--trace", "trace", "--segment-rows",
                           "4096", "-o", "out", "in")
        self.assert_exit(done, 0)
        slices, _ = self.events()
        proofs = 0
        for each in self.workers(slices).values():
            jobs = [e for e in each if e["name"].startswith("segment")]
            steps = [e for e in each if not e["name"].startswith("segment")]
            self.assertEqual(len(steps), 6 * len(jobs))
            proofs += len(jobs)
            for job in jobs:
                end = job["ts"] + job["dur"] + 0.002
                self.assertEqual(
                    [e["name"] for e in steps
                     if job["ts"] <= e["ts"] and e["ts"] + e["dur"] <= end],
                    ["witness", "trace", "quotient", "openings", "folding",
                     "queries"])
        self.assertEqual(proofs, 13)

    def test_it_is_whole_whatever_ends_the_run(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, 137)):
            process = self.start_midway("--trace", "trace")
            harness.wait_until(
                lambda: (self.dir / "trace").stat().st_size > 1000, "events")
            process.send_signal(number)
            self.end(process, code)
            slices, _ = self.events()
            self.assertTrue(self.workers(slices))
            for left in self.dir.glob("*.tmp"):
                left.unlink()  # of the one that was killed

    def test_a_failed_run_leaves_its_trace(self):
        (self.dir / "bad").write_bytes(self.encrypt(self.plain)[:-1])
        done = self.run_it("decrypt", "-i", harness.ALICE_KEY, "-o", "out",
                           "--trace", "trace", "bad")
        self.assert_clear_error(done, 1)
        self.assertTrue(self.workers(self.events()[0]))

    def test_a_pipe_gets_it_in_order(self):
        os.mkfifo(self.dir / "fifo")
        got = []
        reader = threading.Thread(target=lambda: got.append(
            (self.dir / "fifo").read_text()))
        reader.start()
        harness.wait_until(lambda: self.run_it(
            *SEAL, "--trace", "fifo", "-o", "out", "in").returncode == 0,
            "a reader")
        reader.join()
        self.assertTrue(json.loads(got[0])["traceEvents"])


if __name__ == "__main__":
    harness.main()
