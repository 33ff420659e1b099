#!/usr/bin/env python3
"""--dashboard on real terminals: windows of tmux, which tell what they show."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import unittest

import harness
from terminal import Terminal

SEAL = ["encrypt", "-r", harness.ALICE]


class Refusals(harness.CommandTest):

    def refused(self, said, *words, **streams):
        (self.dir / "in").write_bytes(b"text\n")
        done = self.run_it(*SEAL, "--dashboard", "-o", "out", *words, "in",
                           **streams)
        self.assert_clear_error(done, 2)
        self.assertRegex(done.stderr.decode(), said)
        self.assertFalse((self.dir / "out").exists())

    def test_there_has_to_be_a_terminal(self):
        self.refused("--dashboard: there is no terminal to draw on")

    def test_what_it_excludes(self):
        self.refused("--dashboard and --headless exclude", "--headless")
        self.refused("--dashboard and -q exclude", "-q")
        self.refused("--dashboard and --progress=always exclude",
                     "--progress=always")

    def on_terminal(self, *words, kind="xterm", **streams):
        self.env["TERM"] = kind
        with Terminal([harness.binary, *words, "--dashboard"], self.env,
                      self.dir, **streams) as tty:
            return tty.finish()

    def test_a_terminal_that_cannot_be_drawn_on(self):
        (self.dir / "in").write_bytes(b"text\n")
        for kind, said in (("dumb", b"cannot move its cursor"),
                           ("no-such", b"no known kind")):
            code, shown = self.on_terminal(*SEAL, "-o", "out", "in", kind=kind)
            self.assertEqual(code, 2, shown)
            self.assertIn(said, shown)

    def test_neither_input_nor_output_is_a_terminal(self):
        code, shown = self.on_terminal(*SEAL, "-o", "out")
        self.assertEqual(code, 2, shown)
        self.assertIn(b"the input is a terminal", shown)
        (self.dir / "in").write_bytes(b"text\n")
        code, shown = self.on_terminal(*SEAL, "-a", "in")
        self.assertEqual(code, 2, shown)
        self.assertIn(b"the output is a terminal", shown)


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Screen(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.plain = harness.pattern(8 << 20)
        os.mkfifo(self.dir / "feed")
        self.servers = 0
        self.env |= {"TERM": "xterm-256color", "SHELL": "/bin/sh"}

    def tmux(self, *words, check=True):
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self.socket, *map(str, words)],
            env=self.env, cwd=self.dir, capture_output=True, text=True,
            timeout=harness.TIMEOUT)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def show(self, *words, columns=80, rows=24, data=None):
        """Starts a run in a window; it waits for the rest of its input."""
        # A server that was ended may still be there for a moment.
        self.servers += 1
        self.socket = self.dir / f"tmux-{self.servers}"
        self.addCleanup(self.tmux, "kill-server", check=False)
        command = shlex.join(map(str, [harness.binary, *words]))
        (self.dir / "script").write_text(
            f"trap : INT\nstty -a > before\n{command}; echo $? > code\n"
            "stty -a > after\necho all is over\nexec cat\n")
        self.tmux("new-session", "-d", "-x", columns, "-y", rows,
                  "exec sh ./script")
        self.tmux("set", "-g", "status", "off")
        self.tmux("resize-window", "-x", columns, "-y", rows)
        self.feed = open(self.dir / "feed", "wb", buffering=0)
        self.addCleanup(self.feed.close)
        self.feed.write(data or self.plain)

    def start_sealing(self, *more, **shape):
        self.show(*SEAL, "--dashboard", "-o", "out", *more, "feed", **shape)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def expect(self, *texts):
        shown = ""

        def there():
            nonlocal shown
            shown = self.screen()
            return all(text in shown for text in texts)

        try:
            harness.wait_until(there, "screen")
        except AssertionError:
            self.fail(f"no {texts} in:\n{shown}")
        return shown

    def modes(self):
        return self.tmux("display", "-p",
                         "#{alternate_on} #{cursor_flag}").split()

    def assert_given_back(self, code):
        shown = self.expect("all is over")
        self.assertEqual((self.dir / "code").read_text().strip(), str(code),
                         shown)
        before, after = ((self.dir / name).read_text().split(";", 3)[3]
                         for name in ("before", "after"))  # but for the size
        self.assertEqual(after, before)
        self.assertEqual(self.modes(), ["0", "1"], shown)
        return shown

    def pid(self):
        (pane,) = self.tmux("list-panes", "-F", "#{pane_pid}").split()
        return int(subprocess.check_output(["pgrep", "-P", pane], text=True))

    def end(self):
        self.feed.close()
        self.tmux("kill-server")

    def test_it_shows_the_run_and_gives_the_terminal_back(self):
        self.start_sealing()
        self.expect("8.00 MiB", "read", "written", "CPU", "memory", "window",
                    "W0", "ready", "restarts", "System Info", "q or Ctrl-C")
        self.assertEqual(self.modes(), ["1", "0"])
        self.feed.close()
        shown = self.assert_given_back(0)
        self.assertNotIn("restarts", shown)
        self.assertIn("encrypt: 8.00 MiB in, 8.00 MiB out", shown)
        done = self.run_it("decrypt", "-i", harness.ALICE_KEY, "out")
        self.assertEqual(done.stdout, self.plain)

    def test_small_and_large_windows(self):
        for columns, rows in ((40, 10), (200, 60)):
            with self.subTest(columns):
                self.start_sealing(columns=columns, rows=rows)
                self.expect("encrypt", "8.00 MiB", "W0", "ready")
                self.feed.close()
                self.assert_given_back(0)
                self.end()

    def test_it_follows_the_size_of_the_window(self):
        self.start_sealing()
        self.expect("q or Ctrl-C")
        self.tmux("resize-window", "-x", 40, "-y", 8)
        harness.wait_until(lambda: "q or Ctrl-C" not in self.screen(), "small")
        self.expect("encrypt", "8.00 MiB")
        self.tmux("resize-window", "-x", 100, "-y", 30)
        self.expect("q or Ctrl-C", "memory")
        self.feed.close()
        self.assert_given_back(0)

    def test_q_stops_as_an_interrupt_does(self):
        for key in ("q", "C-c"):
            with self.subTest(key):
                self.start_sealing()
                self.expect("q or Ctrl-C")
                self.tmux("send-keys", key)
                shown = self.assert_given_back(130)
                self.assertIn("error: stopped by SIGINT", shown)
                self.assertNotIn("out", self.names())
                self.end()

    def test_signals_give_the_terminal_back(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(number):
                self.start_sealing()
                self.expect("q or Ctrl-C")
                os.kill(self.pid(), number)
                self.assert_given_back(128 + number)
                self.end()

    def test_errors_are_seen_at_the_end(self):
        sealed = bytearray(self.encrypt(self.plain))
        sealed[-1] ^= 1
        self.show("decrypt", "-i", harness.ALICE_KEY, "--dashboard", "-o",
                  "out", "feed", data=sealed)
        self.expect("q or Ctrl-C")
        self.feed.close()
        shown = self.assert_given_back(1)
        self.assertIn("nexus-pipe: error: ", shown)

    def test_no_color_means_none(self):
        for value, colored in (("", True), ("1", False)):
            with self.subTest(value):
                self.env["NO_COLOR"] = value
                self.start_sealing()
                self.expect("q or Ctrl-C")
                codes = re.findall(r"\x1b\[([\d;]*)m",
                                   self.tmux("capture-pane", "-e", "-p"))
                colors = [c for c in codes if re.search(r"\b3[0-7]\b", c)]
                self.assertEqual(bool(colors), colored, codes)
                self.end()


if __name__ == "__main__":
    harness.main()
