#!/usr/bin/env python3
"""Word of jobs that ended: by a command, and by HTTP on 127.0.0.1.

    test_notify.py --bin NEXUS [TEST...]
"""

import base64
import hmac
import http.server
import json
import os
import shutil
import signal
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True  # beside the sources

import case  # noqa: E402
from case import Case  # noqa: E402

KEY = b"a key of more than twenty-four bytes"


class Listener:
    """A server that keeps what it is sent, and answers as it is told."""

    def __init__(self):
        self.answers = []  # statuses; "hang" answers nothing; then 200
        self.requests = []
        self.release = threading.Event()
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                listener.requests.append((self.path, self.headers, body))
                answer = listener.answers.pop(0) if listener.answers else 200
                if answer == "hang":
                    listener.release.wait(60)
                    return
                self.send_response(answer)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=%7B[1]"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class NotifyCase(Case):
    gpus = 1
    notify = ""

    def setUp(self):
        super().setUp()
        for name in list(self.environment):
            if name.lower().endswith("_proxy"):
                del self.environment[name]

    def configure(self, text):
        with (self.home / "config.toml").open("a") as file:
            file.write(f"[notify]\nretry_seconds = 0.1\n{text}\n")

    def log_has(self, text):
        log = self.home / "logs/service.log"
        self.wait_for(lambda: text in log.read_text(), f"no {text!r} in the log")


class NotifyCommand(NotifyCase):

    def told(self):
        path = self.top / "told"
        return path.read_text().splitlines() if path.exists() else []

    def test_it_is_told_of_every_end(self):
        self.configure(
            f"command = 'echo \"$NEXUS_JOB_ID|$NEXUS_JOB_NAME|$NEXUS_JOB_STATE|"
            f"$NEXUS_EXIT_STATUS|$NEXUS_JOB_ERROR\" >> {self.top}/told'")
        self.nexus()
        good = self.add("-n", "x y", "true")
        bad = self.add("exit 3")
        after = self.add("-a", bad, "true")
        self.add("--notify", "never", "true")
        failed_only = self.add("--notify", "failed", "true")
        self.run_nexus("wait", failed_only)
        self.wait_for(lambda: len(self.told()) == 3, "not told")
        time.sleep(0.3)
        self.assertEqual(self.told(), [
            f"{good}|x y|completed|0|", f"{bad}||failed|3|",
            f"{after}||failed||job {bad} failed"])

    def test_one_that_hangs_holds_nobody_up(self):
        self.configure("time_limit_seconds = 0.3\n"
                       "command = 'sleep 54322 & sleep 54322'")
        self.nexus()
        begun = time.time()
        for _ in range(3):
            self.nexus("wait", self.add("true"))
        self.assertLess(time.time() - begun, 15)
        self.log_has("it ran into its time limit; tried again")
        self.nexus("stop")
        for pid, line in self.left_behind().items():
            self.assertNotIn("54322", line, pid)

    def test_one_that_fails_is_tried_again_a_few_times(self):
        self.configure("retry_seconds = 0.01\ncommand = "
                       f"'echo x >> {self.top}/told; exit 5'")
        self.nexus()
        name = self.add("true")
        self.nexus("wait", name)
        self.log_has(f"notify.command for job {name} failed: its exit status "
                     "was 5; given up after 6 times")
        self.assertEqual(len(self.told()), 6)


@unittest.skipUnless(shutil.which("curl"), "needs curl")
class NotifyWebhook(NotifyCase):

    def setUp(self):
        super().setUp()
        self.listener = Listener()
        self.addCleanup(self.listener.close)
        self.configure(
            f'webhook = "{self.listener.url}"\n'
            f'secret = "whsec_{base64.b64encode(KEY).decode()}"\n'
            "time_limit_seconds = 1")

    def assert_signed(self, headers, body):
        signed = b".".join([headers["webhook-id"].encode(),
                            headers["webhook-timestamp"].encode(), body])
        expected = "v1," + base64.b64encode(
            hmac.digest(KEY, signed, "sha256")).decode()
        self.assertEqual(headers["webhook-signature"], expected)
        self.assertLess(abs(time.time() - int(headers["webhook-timestamp"])),
                        60)
        self.assertEqual(headers["content-type"], "application/json")

    def wait_requests(self, count):
        self.wait_for(lambda: len(self.listener.requests) >= count,
                      f"not {count} requests")

    def test_it_is_signed_and_tells_of_the_job(self):
        self.nexus()
        name = self.add("-n", 'a "name"', "echo 'ä' \"\\\\\"; exit 4")
        self.run_nexus("wait", name)
        self.wait_requests(1)
        path, headers, body = self.listener.requests[0]
        self.assertEqual(path, "/hook?a=%7B[1]")
        self.assert_signed(headers, body)
        told = json.loads(body)
        self.assertEqual(told["type"], "job.failed")
        self.assertEqual(told["data"]["id"], name)
        self.assertEqual(told["data"]["exit_status"], 4)
        self.assertEqual(told["data"]["name"], 'a "name"')
        self.assertEqual(told["data"]["command"],
                         "echo 'ä' \"\\\\\"; exit 4")

    def test_one_that_fails_at_first_gets_the_same_message_again(self):
        self.listener.answers = [500, 302]
        self.nexus()
        name = self.add("true")
        self.nexus("wait", name)
        self.wait_requests(3)
        time.sleep(0.5)
        self.assertEqual(len(self.listener.requests), 3)
        self.assertEqual(len({headers["webhook-id"] for _, headers, _ in
                              self.listener.requests}), 1)
        self.assertEqual(len({body for _, _, body in self.listener.requests}), 1)
        for _, headers, body in self.listener.requests:
            self.assert_signed(headers, body)
        self.log_has(f"notify.webhook for job {name} failed: the answer was "
                     "500; tried again")

    def test_one_that_hangs_holds_up_neither_jobs_nor_the_end(self):
        self.listener.answers = ["hang"] * 20
        self.nexus()
        begun = time.time()
        for _ in range(3):
            self.nexus("wait", self.add("true"))
        self.assertLess(time.time() - begun, 15)
        self.log_has("there was no answer in time")
        begun = time.time()
        self.nexus("stop")
        self.assertLess(time.time() - begun, 5)

    def test_what_was_not_sent_is_sent_by_the_next_service(self):
        self.listener.answers = ["hang"]
        self.nexus()
        name = self.add("true")
        self.nexus("wait", name)
        self.wait_requests(1)
        pid = self.service()["pid"]
        os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: not case.is_alive(pid), "the service lives")
        self.listener.release.set()
        self.nexus()
        self.wait_requests(2)
        first, second = self.listener.requests[:2]
        self.assertEqual(first[1]["webhook-id"], second[1]["webhook-id"])
        self.assertEqual(json.loads(second[2])["data"]["id"], name)

    def test_nobody_who_listens_costs_no_job(self):
        self.listener.server.shutdown()
        self.listener.server.server_close()
        self.nexus("config", "notify.retry_seconds", "0.01")
        self.nexus()
        name = self.add("true")
        self.nexus("wait", name)
        self.log_has(f"notify.webhook for job {name} failed: nobody listens "
                     "there (curl's status 7); given up after 6 times")

    def test_the_secret_is_not_shown(self):
        secret = base64.b64encode(KEY).decode()
        for words in (["config"], ["config", "--json"]):
            self.assertNotIn(secret, self.nexus(*words))
        self.assertEqual(
            json.loads(self.nexus("config", "--json"))["notify"]["secret"],
            "(hidden)")

    def test_settings_that_make_no_sense_are_refused(self):
        for key, value, text in [
                ("secret", "whsec_short", "whsec_ and 24 to 64 bytes"),
                ("webhook", "ftp://x", "http:// or https://"),
                ("webhook", "http://a b", "one word"),
                ("on", "always", '"never"'),
                ("nonsense", "x", "no key")]:
            self.assertIn(text, self.nexus("config", f"notify.{key}", value,
                                           status=1))
        self.assertIn("none of finished failed never",
                      self.nexus("add", "--notify", "x", "y", status=1))


if __name__ == "__main__":
    sys.exit(case.main(__doc__))
