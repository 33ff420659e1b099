#!/usr/bin/env python3
"""bench: its data, its page, its errors, and that nothing is left behind.

The figures depend on the machine; what is tested is that they are there, that
they fit each other, and that the page shows them.
"""

import html
import html.parser
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from terminal import Terminal

OPS = ("encrypt", "decrypt", "prove", "verify", "digest")
TINY = ("--quick", "--repeat", "2")
LITTLE = ("--size", "512K")  # of data
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(html.parser.HTMLParser):
    """Elements, their attributes, and whether they are closed in order."""

    VOID = {"meta", "link", "path", "line", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.wrong = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


class BenchTest(harness.CommandTest):

    def bench(self, *words, **how):
        little = () if "--size" in words else LITTLE
        done = self.run_it("bench", *TINY, *little, *words, **how)
        self.assert_exit(done, 0)
        return done

    def bench_json(self, *words):
        return json.loads(self.bench("--json", *words).stdout)


class Results(BenchTest):

    def test_every_operation_is_measured(self):
        all_ops = [word for op in OPS for word in ("--op", op)]
        found = self.bench_json(*all_ops)
        self.assertEqual({run["operation"] for run in found["runs"]}, set(OPS))
        for run in found["runs"]:
            with self.subTest(run=(run["operation"], run["segment_bytes"])):
                self.assertEqual(run["data_bytes"], 512 << 10)
                self.assertEqual(len(run["seconds"]["samples"]), 2)
                self.assertGreater(run["seconds"]["least"], 0)
                self.assertAlmostEqual(
                    run["bytes_per_second"] * run["seconds"]["median"],
                    run["data_bytes"], delta=1)
                kind = ("copy" if run["operation"] in ("encrypt", "decrypt")
                        else "read")
                self.assertEqual(run["compared_with"], kind)
                point = next(m for m in found["memory"]
                             if m["threads"] == run["compared_threads"])
                self.assertAlmostEqual(
                    run["share"], run["bytes_per_second"] /
                    point[f"{kind}_bytes_per_second"]["median"], places=6)
        for latency in found["latencies"]:
            self.assertGreater(latency["one_byte_seconds"]["median"], 0)
            silent = latency["operation"] in ("verify", "digest")
            self.assertEqual(latency["first_byte_seconds"] is None, silent)

    def test_without_an_operation_it_is_three(self):
        found = self.bench_json()
        self.assertEqual([latency["operation"] for latency
                          in found["latencies"]],
                         ["encrypt", "decrypt", "digest"])

    def test_machine_memory_and_disk_are_told(self):
        found = self.bench_json("--op", "encrypt", "--dir", self.dir)
        self.assertGreater(found["machine"]["logical_processors"], 0)
        self.assertRegex(found["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn("--op encrypt", found["command"])
        for point in found["memory"]:
            for kind in ("copy", "read"):
                speed = point[f"{kind}_bytes_per_second"]
                self.assertGreaterEqual(len(speed["samples"]), 3)
                self.assertGreater(speed["least"], 1e6)
        self.assertEqual(found["disk"]["directory"], str(self.dir))
        self.assertGreater(found["disk"]["write_bytes_per_second"]["least"], 0)
        self.assertGreater(found["disk"]["read_bytes_per_second"]["least"], 0)

    @unittest.skipUnless(pathlib.Path("/dev/shm").is_dir(), "needs /dev/shm")
    def test_a_file_system_in_memory_is_said_to_be_one(self):
        found = self.bench_json("--op", "encrypt", "--dir", "/dev/shm")
        self.assertTrue(found["disk"]["in_memory"])
        self.assertEqual(found["disk"]["file_system"], "tmpfs")

    def test_workers_are_as_few_as_was_asked_for(self):
        found = self.bench_json("--op", "encrypt", "--max-threads", "1")
        self.assertEqual({run["workers"] for run in found["runs"]}, {1})
        found = self.bench_json("--op", "encrypt", "--size", "4M")
        most = found["backends"][0]["workers"]
        self.assertEqual({run["workers"] for run in found["runs"]},
                         {1, max(1, most // 2), most})

    def test_cards_are_measured_beside_the_processors(self):
        library = harness.binary.parent.parent / "lib"
        stub = library / "test-plugins/stub"
        if not stub.is_dir():
            self.skipTest("the stub plugin was not built")
        self.env["NEXUS_STUB"] = "cpus=0;gpus=1"
        found = self.bench_json("--op", "encrypt", "--size", "16M",
                                "--plugin-dir", library / "nexus-pipe/plugins",
                                "--plugin-dir", stub)
        self.assertEqual([(b["name"], b["gpu"]) for b in found["backends"]],
                         [("cpu", False), ("stub", True)])
        card = [r for r in found["runs"] if r["backend"] == "stub"]
        # Larger segments, and no numbers of workers: its lanes are what it has.
        self.assertEqual([r["segment_bytes"] for r in card],
                         [1 << 20, 4 << 20])
        self.assertEqual(len({r["workers"] for r in card}), 1)
        self.assertEqual({r["compared_threads"] for r in card},
                         {max(m["threads"] for m in found["memory"])})

    def test_the_table_tells_the_same(self):
        done = self.bench("--op", "encrypt")
        text = done.stdout.decode()
        self.assertRegex(text, r"encrypt +cpu +\d+ +256 KiB +[\d.]+ .B/s")
        for heading in ("Machine", "Memory", "Disk", "Runs", "Latency"):
            self.assertRegex(text, rf"(?m)^{heading}")
        self.assertEqual(done.stderr, b"")

    def test_nothing_is_left_behind(self):
        self.bench("--op", "encrypt", "--dir", self.dir)
        self.assertEqual(self.names(), [])

    def test_progress_is_a_line_on_a_terminal_alone(self):
        words = [harness.binary, "bench", *TINY, *LITTLE, "--op", "encrypt"]
        env = self.env | {"TERM": "xterm"}
        with open(os.devnull, "wb") as null, \
                Terminal(words, env, self.dir, stdout=null) as terminal:
            terminal.expect(b"bench 1 of ")
            terminal.process.wait(harness.TIMEOUT)
        with open(os.devnull, "wb") as null, \
                Terminal([*words, "-q"], env, self.dir,
                         stdout=null) as terminal:
            terminal.process.wait(harness.TIMEOUT)
            terminal._take(0)
            self.assertEqual(terminal.shown, b"")


class Report(BenchTest):

    def report(self, *words, name="out.html"):
        self.bench("--op", "encrypt", "--op", "digest", "--report", name,
                   *words)
        return (self.dir / name).read_text()

    def test_it_is_well_formed_and_fetches_nothing(self):
        text = self.report()
        page = Page(text)
        self.assertEqual((page.open, page.wrong), ([], []))
        self.assertNotRegex(text, r"https?:|//|@import|url\(|src=|<script")
        self.assertGreaterEqual(page.count("svg"), 3)
        self.assertGreaterEqual(page.count("table"), 4)
        for tag, attributes in page.elements:
            self.assertFalse([name for name in attributes
                              if name.startswith("on")], tag)
            if tag == "svg":
                self.assertEqual(attributes["role"], "img")
                named = attributes["aria-labelledby"].split()
                self.assertLessEqual(set(named), {
                    a.get("id") for _, a in page.elements})

    def test_names_are_escaped(self):
        place = self.dir / "<b>&\"x'"
        place.mkdir()
        text = self.report("--dir", place)
        self.assertNotIn("<b>", text)
        self.assertIn("&lt;b&gt;&amp;&quot;x", text)
        page = Page(text)
        self.assertEqual((page.open, page.wrong), ([], []))

    def test_it_replaces_a_file_whole_and_keeps_its_mode(self):
        old = self.dir / "out.html"
        old.write_text("old")
        old.chmod(0o640)
        self.report()
        self.assertIn("</html>", old.read_text())
        self.assertEqual(old.stat().st_mode & 0o777, 0o640)
        self.assertEqual(self.names(), ["out.html"])

    def test_figures_of_the_page_are_those_of_the_data(self):
        done = self.bench("--op", "encrypt", "--report", "out.html", "--json")
        text = (self.dir / "out.html").read_text()
        for run in json.loads(done.stdout)["runs"]:
            seconds = [f"{s:.4f}" for s in run["seconds"]["samples"]]
            self.assertIn(", ".join(seconds), text)


class Errors(BenchTest):

    def refused(self, code, *words, **how):
        begin = time.monotonic()
        done = self.run_it("bench", *words, **how)
        self.assert_clear_error(done, code)
        self.assertEqual(done.stdout, b"")
        # Ahead of the measuring, which takes half a minute.
        self.assertLess(time.monotonic() - begin, 10)
        return done.stderr.decode()

    def test_words_that_do_not_fit(self):
        self.assertIn("is none of encrypt, decrypt, prove, verify, digest",
                      self.refused(2, "--op", "join"))
        self.assertIn("not a size", self.refused(2, "--size", "many"))
        self.assertIn("more than 1T", self.refused(2, "--size", "2T"))
        self.assertIn("--repeat", self.refused(2, "--repeat", "0"))
        self.refused(2, "--report", "-")
        self.refused(2, "--report", "")
        self.refused(2, "more")

    def test_no_such_backend(self):
        self.assertIn("backend nope", self.refused(3, "--backend", "nope"))

    def test_a_backend_that_does_not_offer_the_operation(self):
        listed = json.loads(self.run_it(
            "devices", "--json", "--backend", "opencl").stdout)["devices"]
        if not any(d["plugin"] == "opencl" and d["lanes"] for d in listed):
            self.skipTest("no OpenCL device")
        self.assertIn("no backend here can run", self.refused(
            3, "--backend", "opencl", "--op", "prove"))

    def test_reports_that_cannot_be_written(self):
        (self.dir / "folder").mkdir()
        self.assertIn("is a directory",
                      self.refused(2, "--report", "folder"))
        self.assertIn("cannot make no/such.html",
                      self.refused(3, "--report", "no/such.html"))
        self.assertEqual(self.names(), ["folder"])

    def test_a_directory_that_is_not_there(self):
        said = self.refused(3, *TINY, *LITTLE, "--dir", "no/where")
        self.assertIn("no/where", said)

    def test_too_little_memory(self):
        said = self.refused(3, "--size", "1T")
        self.assertIn("1.00 TiB need", said)
        self.assertIn("--size", said)

    def test_memory_that_the_system_refuses(self):
        if harness.sanitized():
            self.skipTest("a sanitizer reserves more than the limit")
        done = harness.run_group(
            ["bash", "-c", 'ulimit -v 400000; exec "$0" bench --quick --op '
             'digest --size 300M', str(harness.binary)],
            cwd=self.dir, env=self.env)
        self.assert_clear_error(done, 3)

    def test_a_closed_reader_ends_it_quietly(self):
        read, write = os.pipe()
        os.close(read)
        done = self.run_it("bench", *TINY, *LITTLE, "--op", "encrypt",
                           stdout=write)
        os.close(write)
        self.assert_exit(done, 141)
        self.assertEqual(done.stderr, b"")


class Signals(BenchTest):

    def test_a_signal_at_any_time_leaves_nothing_behind(self):
        for delay in (0.02, 0.2, 1, 2):
            with self.subTest(delay=delay):
                process = self.start(
                    "bench", "--report", "out.html", "--dir", self.dir,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                status = pathlib.Path(f"/proc/{process.pid}/status")
                harness.wait_until(
                    lambda: int(re.search(r"SigBlk:\s*(\w+)",
                                          status.read_text())[1], 16)
                    >> (signal.SIGINT - 1) & 1, "signals taken")
                time.sleep(delay)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
                self.assertEqual(harness.status(process.returncode), 130)
                self.assertEqual(out, b"")
                self.assertEqual(err, b"nexus-pipe: error: stopped by SIGINT\n")
                self.assertEqual(self.names(), [])


@unittest.skipUnless(CHROMIUM, "needs chromium")
class Browser(BenchTest):
    """The page in a browser that tells what it asked for."""

    def setUp(self):
        super().setUp()
        profile = tempfile.mkdtemp(prefix="nexus-chromium-")
        self.addCleanup(shutil.rmtree, profile, ignore_errors=True)
        self.profile = pathlib.Path(profile)
        self.bench("--op", "encrypt", "--size", "32M", "--report", "out.html")
        self.page = self.dir / "out.html"

    def chromium(self, *words, page=None):
        done = harness.run_group(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--no-first-run", "--disable-extensions", "--hide-scrollbars",
             "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND",
             f"--user-data-dir={self.profile}", *words,
             (page or self.page).as_uri()],
            cwd=self.dir, env=self.env | {"HOME": str(self.profile)})
        self.assert_exit(done, 0)
        return done.stdout.decode(), done.stderr.decode()

    def said(self, script, *words, more=""):
        """What a script says of the page, in a copy that allows scripts."""
        text = re.sub(r"<meta http-equiv[^>]*>", "", self.page.read_text())
        copy = self.dir / "probe.html"
        copy.write_text(text.replace(
            "</body>", f"{more}<script>addEventListener('load', () => "
            f"document.title = JSON.stringify({script}))</script></body>"))
        out, _ = self.chromium("--dump-dom", *words, page=copy)
        return json.loads(html.unescape(
            re.search(r"<title>(.*?)</title>", out, re.S)[1]))

    def test_it_renders_without_errors(self):
        out, err = self.chromium("--dump-dom")
        self.assertNotIn("CONSOLE", err)
        dom = Page(out)
        self.assertGreaterEqual(dom.count("svg"), 2)
        self.assertGreaterEqual(dom.count("table"), 4)

    def test_it_asks_for_nothing(self):
        script = "performance.getEntriesByType('resource').map(e => e.name)"
        self.assertEqual(self.said(script), [])
        # A request would be seen.
        url = "http://request.invalid/x.png"
        self.assertEqual(self.said(script, more=f'<img src="{url}">'), [url])

    def test_a_console_error_would_be_seen(self):
        broken = self.dir / "broken.html"
        broken.write_text(self.page.read_text().replace(
            "</body>", "<script>1</script></body>"))
        _, err = self.chromium("--dump-dom", page=broken)
        self.assertIn("CONSOLE", err)

    def test_charts_have_a_size_and_nothing_sticks_out(self):
        script = """(() => {
          const charts = [...document.querySelectorAll('svg')].map(
            svg => [svg.getBoundingClientRect().width,
                    svg.getBoundingClientRect().height]);
          const cut = [...document.querySelectorAll('svg text')].filter(t => {
            const a = t.getBoundingClientRect();
            const b = t.closest('svg').getBoundingClientRect();
            return a.left < b.left - 1 || a.right > b.right + 1 ||
                   a.top < b.top - 1 || a.bottom > b.bottom + 1;
          }).map(t => t.textContent);
          return {charts, cut, wide: document.documentElement.scrollWidth >
                                     window.innerWidth};
        })()"""
        for size in ("1280,900", "390,844"):
            with self.subTest(size=size):
                found = self.said(script, f"--window-size={size}")
                self.assertGreaterEqual(len(found["charts"]), 2)
                for width, height in found["charts"]:
                    self.assertGreater(width, 200)
                    self.assertGreater(height, 80)
                self.assertEqual(found["cut"], [])
                self.assertFalse(found["wide"])

    def test_it_is_dark_where_that_is_preferred(self):
        script = "getComputedStyle(document.body).backgroundColor"
        found = [self.said(script, f"--blink-settings=preferredColorScheme={n}")
                 for n in (0, 1)]
        self.assertEqual(found, ["rgb(20, 22, 26)", "rgb(255, 255, 255)"])


if __name__ == "__main__":
    harness.main()
