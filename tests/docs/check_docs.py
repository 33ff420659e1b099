#!/usr/bin/env python3
"""Checks that the documents tell what is so.

    check_docs.py [--root DIR] [--bin NEXUS-PIPE] [--queue NEXUS]
                  [--library LIBNEXUS-PIPE.SO] [--cc CC] [--cxx CXX] [--flags FLAGS] [TEST...]

- Every option that `nexus-pipe COMMAND --help` prints is in the command's man
  page and in the completions of all shells, and none of those has another.
- So it is with `nexus` and the options of its commands.
- The man pages pass mandoc's lint.
- Links of Markdown files lead to files and headings that exist.
- Examples of README.md do what they say. A comment on the line ahead of a
  fenced block marks it, and unmarked blocks are left alone:
      <!-- check: run -->          bash runs it, and it has to succeed
      <!-- check: output -->       what the run before it printed, exactly
      <!-- check: file NAME -->    is written to NAME, for the runs after it
  All of them share a scratch folder, whose HOME is empty at first. `cc`, `c++`
  and `pkg-config nexus-pipe` stand for those of the build.
- The worked example of docs/file-formats.md decrypts, here and with age; that
  of a proof stream is what the command writes, and its numbers follow from the
  page.
"""

import argparse
import hashlib
import hmac
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # beside the sources

import proof_root  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED_FOLDERS = {".git", "build", "node_modules"}
TIMEOUT = 120  # seconds for one command
given = None  # the arguments
OPTION = r"(?<![\w-])--?[A-Za-z][A-Za-z-]*"


def output_of(*command, **more):
    process = subprocess.Popen([str(word) for word in command],
                               start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               **more)
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise AssertionError(f"hangs (over {TIMEOUT} s): {command}") from None
    if process.returncode != 0:
        raise AssertionError(f"{command}: exit status {process.returncode}\n"
                             f"{out.decode()}{err.decode()}")
    return out.decode()


def commands():
    text = output_of(given.bin, "--help")
    block = text[text.index("Commands:"):text.index("--help")]
    return re.findall(r"^  ([a-z]+) {2,}", block, re.M)


def options_of(command):
    text = output_of(given.bin, command, "--help")
    lines = re.findall(r"^ {2}(-\S+)", text, re.M)
    return {word for line in lines for word in line.split(",")}


def example_options(text):
    """(command, option) of every `nexus-pipe COMMAND ... -x` in shell text."""
    for call in re.findall(r"nexus-pipe ([a-z]+)((?: [^|;&#\n)]*)?)", text):
        for option in re.findall(OPTION, call[1]):
            yield call[0], option


class Options(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.told = {command: options_of(command) for command in commands()}

    def test_the_help_was_understood(self):
        self.assertIn("encrypt", self.told)
        self.assertGreater(len(self.told["encrypt"]), 20)

    def assert_options(self, where, command, found):
        self.assertEqual(sorted(found), sorted(self.told[command]),
                         f"{where}: options of {command}")

    # ---- man pages -------------------------------------------------------

    def page(self, name):
        return (given.root / "docs/man" / f"{name}.1").read_text()

    def test_every_man_page_has_the_options_of_its_command(self):
        for command in self.told:
            with self.subTest(command=command):
                text = self.page(f"nexus-pipe-{command}")
                described = re.findall(r"^\.It (Fl .*)$", text, re.M)
                listed = {f"-{name}" for line in described for name in
                          re.findall(r"Fl (-?[A-Za-z][A-Za-z-]*)", line)}
                self.assert_options("man page", command, listed)
                mentioned = {f"-{name}" for name in re.findall(
                    r"^\.(?:.* )?Fl (-?[A-Za-z][A-Za-z-]*)", text, re.M)}
                self.assertLessEqual(mentioned, self.told[command])

    def test_the_overview_names_every_command_and_no_other_option(self):
        text = self.page("nexus-pipe")
        self.assertEqual(sorted(re.findall(r"^\.It Cm (\w+)$", text, re.M)),
                         sorted(self.told))
        known = set().union(*self.told.values()) | {"--version"}
        named = {f"-{name}" for name in
                 re.findall(r"Fl (-?[A-Za-z][A-Za-z-]*)", text)}
        self.assertLessEqual(named, known)

    def test_examples_of_man_pages_name_options_that_exist(self):
        for path in sorted((given.root / "docs/man").glob("*.1")):
            text = "\n".join(re.findall(r"^\.Dl (.*)$", path.read_text(), re.M))
            for command, option in example_options(text):
                self.assertIn(option, self.told[command], path.name)

    def test_man_pages_refer_to_pages_that_exist(self):
        for path in sorted((given.root / "docs/man").glob("*.1")):
            for name in re.findall(r"^\.Xr (nexus-pipe\S*) 1", path.read_text(),
                                   re.M):
                self.assertTrue((path.parent / f"{name}.1").is_file(),
                                f"{path.name} refers to {name}(1)")

    @unittest.skipUnless(shutil.which("mandoc"), "needs mandoc")
    def test_man_pages_are_well_formed(self):
        pages = sorted((given.root / "docs/man").glob("*.1"))
        self.assertGreaterEqual(len(pages), len(self.told) + 1)
        output_of("mandoc", "-T", "lint", "-W", "warning", *pages)

    # ---- completions -----------------------------------------------------

    def test_bash_completes_every_option(self):
        script = given.root / "completions/nexus-pipe.bash"
        for command in self.told:
            with self.subTest(command=command):
                text = output_of("bash", "-c", "source $0; "
                                 "_nexus_pipe_options $1", script, command)
                self.assert_options("bash", command, text.split())

    def test_completions_offer_the_values_that_the_commands_take(self):
        texts = {path.name: path.read_text() for path in
                 (given.root / "completions").glob("*nexus-pipe*")}
        self.assertEqual(len(texts), 3)
        for command, option in (
                ("encrypt", "--policy"), ("encrypt", "--io"),
                ("encrypt", "--progress"), ("prove", "--security"),
                ("prove", "--wire"), ("bench", "--op")):
            done = subprocess.run([given.bin, command, option, "?"], text=True,
                                  stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
            values = re.search(r'"\?" is none of (.*)', done.stderr)[1]
            for name, text in texts.items():
                with self.subTest(shell=name, option=option):
                    self.assertRegex(text, rf"-*{option[2:]}\b[^#]*?[\"(]"
                                     rf"{values.replace(', ', ' ')}[\")]")

    def test_bash_completes_every_command(self):
        text = output_of(
            "bash", "-c", "source $0; COMP_WORDS=(nexus-pipe ''); COMP_CWORD=1;"
            "_nexus_pipe; echo ${COMPREPLY[@]}",
            given.root / "completions/nexus-pipe.bash")
        self.assertEqual(sorted(text.split()), sorted(
            [*self.told, "help", "--help", "--version"]))

    def test_zsh_completes_every_option(self):
        text = (given.root / "completions/_nexus-pipe").read_text()
        arrays = dict(re.findall(r"local -a (\w+)=\((.*?)\)\n(?=  \S)", text,
                                 re.S))
        self.assertIn("resources", arrays)

        def expand(part):
            part = re.sub(r"\$(\w+)", lambda m: expand(arrays.get(m[1], "")),
                          part)
            return re.sub(r"\[[^\]]*\]", " ", part)  # what an option is for

        for command in self.told:
            with self.subTest(command=command):
                case = re.search(rf"^    {command}\)(.*?);;", text,
                                 re.S | re.M)[1]
                case = expand(case.replace("_arguments -s", ""))
                self.assert_options("zsh", command,
                                    set(re.findall(OPTION, case)))

    def test_fish_completes_every_option(self):
        text = (given.root / "completions/nexus-pipe.fish").read_text()
        named = dict(re.findall(r'^set -l (\w+) "([^"]*)"$', text, re.M))
        found = {command: set() for command in self.told}
        for line in re.findall(r"^complete -c nexus-pipe (.*)$", text, re.M):
            where = re.search(r'-n (?:\$(\w+)|"([^"]*)")', line)
            condition = (named.get(where[1], where[2]) if where
                         else "__nexus_pipe_on " + " ".join(self.told))
            if not condition.startswith("__nexus_pipe_on"):
                continue
            line = re.sub(r'"[^"]*"', "", line)
            options = {"-" + x for x in re.findall(r" ?-s (\w)", line)}
            options |= {"--" + x for x in re.findall(r"-l ([\w-]+)", line)}
            for command in condition.split()[1:]:
                found[command] |= options
        for command in self.told:
            with self.subTest(command=command):
                self.assert_options("fish", command, found[command])


class QueueOptions(unittest.TestCase):
    """The same of `nexus`, whose commands share a page and few options."""

    @classmethod
    def setUpClass(cls):
        text = output_of(given.queue, "help")
        cls.commands = re.findall(r"^  ([a-z]+) ", text, re.M)
        cls.told = {}
        for command in cls.commands:
            if command == "help":
                continue
            text = output_of(given.queue, "help", command)
            cls.told[command] = {
                word for line in re.findall(r"^ {2}(-[^ ]+)", text, re.M)
                for word in line.split(",")}

    def assert_options(self, where, command, found):
        self.assertEqual(sorted(set(found) - {"-h", "--help"}),
                         sorted(self.told[command] - {"-h", "--help"}),
                         f"{where}: options of {command}")

    def test_the_help_was_understood(self):
        self.assertGreater(len(self.told["add"]), 15)
        self.assertIn("--follow", self.told["logs"])

    def test_the_man_page_has_all_of_them(self):
        page = (given.root / "docs/man/nexus.1").read_text()
        page = page[page.index(".Sh COMMANDS"):]
        page = page[:page.index(".Sh ", 5)]
        parts = re.split(r"^\.It Cm ", page, flags=re.M)[1:]
        seen = []
        for part in parts:
            names = re.findall(r"(?:^|, Cm )([a-z]+)", part.split("\n")[0])
            names = [name for name in names if name in self.commands]
            seen += names
            found = set()
            for call in re.findall(r"Fl ((?:[\w-]+ , )*[\w-]+)", part):
                found |= {"-" + name for name in call.split(" , ")}
            for name in names:
                if name != "help":
                    self.assert_options("man page", name, found)
        self.assertEqual(sorted(seen), sorted(self.commands))

    def test_bash(self):
        script = given.root / "completions/nexus.bash"
        for command in self.told:
            text = output_of("bash", "-c", "source $0; _nexus_options $1",
                             script, command)
            self.assert_options("bash", command, text.split())
        text = output_of("bash", "-c", "source $0; COMP_WORDS=(nexus '');"
                         "COMP_CWORD=1; _nexus; echo ${COMPREPLY[@]}", script)
        self.assertEqual(sorted(text.split()), sorted(
            [*self.commands, "--why", "--json", "--help", "--version"]))

    def test_zsh(self):
        text = (given.root / "completions/_nexus").read_text()
        for name in self.commands:
            self.assertRegex(text, rf"'{name}:")
        text = text[text.index("case $line[1]"):].replace("_arguments -s", "")
        for command in self.told:
            case = re.search(rf"^    {command}\)(.*?);;", text, re.S | re.M)
            case = re.sub(r"\[[^\]]*\]", " ", case[1] if case else "")
            case = case.replace("$json", "--json")
            self.assert_options("zsh", command, re.findall(OPTION, case))

    def test_fish(self):
        text = (given.root / "completions/nexus.fish").read_text()
        found = {command: set() for command in self.told}
        for line in re.findall(r'^complete -c nexus -n "__nexus_on ([^"]*)" '
                               r"(.*)$", text, re.M):
            rest = re.sub(r'"[^"]*"', "", line[1])
            options = {"-" + x for x in re.findall(r"(?:^| )-s (\w)", rest)}
            options |= {"--" + x for x in re.findall(r"-l ([\w-]+)", rest)}
            for command in line[0].split():
                if command in found:
                    found[command] |= options
        for command in self.told:
            self.assert_options("fish", command, found[command])
            self.assertIn(f"-n $none -a {command} ", text)

    def test_shells_understand_them(self):
        for shell, *words in (("bash", "-n"), ("zsh", "-n"),
                              ("fish", "--no-execute")):
            name = "_nexus" if shell == "zsh" else f"nexus.{shell}"
            if shutil.which(shell):
                output_of(shell, *words, given.root / "completions" / name)

    def test_words_that_they_ask_for_are_told(self):
        with tempfile.TemporaryDirectory(prefix="nexus-docs-") as home:
            environment = os.environ | {"NEXUS_HOME": home}
            name = output_of(given.queue, "add", "true",
                             env=environment).split()[2]
            for kind, expected in (("all", [name]), ("queued", [name]),
                                   ("active", [])):
                self.assertEqual(output_of(given.queue, "__ids", kind,
                                           env=environment).split(), expected)
            self.assertIn("notify.webhook", output_of(
                given.queue, "__keys", env=environment).split())


# ---- Markdown --------------------------------------------------------------

def markdown_files():
    for folder, folders, names in os.walk(given.root):
        folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS]
        for name in names:
            if name.endswith(".md"):
                yield pathlib.Path(folder) / name


def without_code(text):
    text = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "`", text)


def anchors_of(path):
    """Headings as GitHub names them in links."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    names = set()
    for title in re.findall(r"^#+ +(.*?) *$", text, re.M):
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = sum(n == name or n.startswith(name + "-") for n in names)
        names.add(f"{name}-{count}" if name in names else name)
    return names


class Links(unittest.TestCase):

    def test_relative_links_lead_somewhere(self):
        files = list(markdown_files())
        self.assertIn(given.root / "README.md", files)
        for path in files:
            for link in re.findall(r"\]\(([^)\s]+)\)",
                                   without_code(path.read_text())):
                if re.match(r"[a-z]+:", link):
                    continue
                target, _, anchor = link.partition("#")
                aim = path.parent / target if target else path
                with self.subTest(file=str(path), link=link):
                    self.assertTrue(aim.exists(), "no such file")
                    if anchor:
                        self.assertIn(anchor, anchors_of(aim))


def marked_blocks(path):
    """(what the mark says, the block's text) in order."""
    return [(mark.strip(), body) for mark, body in re.findall(
        r"^<!-- check: (.*?) -->\n```\w*\n(.*?)^```$", path.read_text(),
        re.S | re.M)]


class Scratch:
    """A folder with a HOME, the build's command and compilers in the path."""

    def __init__(self, folder):
        self.work = folder / "work"
        self.home = folder / "home"
        tools = folder / "bin"
        for made in (self.work, self.home, tools, folder / "pc"):
            made.mkdir()
        for name, compiler in (("cc", given.cc), ("c++", given.cxx)):
            (tools / name).write_text(
                f"#!/bin/sh\nexec {shlex.quote(shutil.which(compiler))} "
                f'{given.flags} "$@"\n')
            (tools / name).chmod(0o755)
        library = given.library.parent
        (folder / "pc/nexus-pipe.pc").write_text(
            "Name: nexus-pipe\nDescription: the build's\nVersion: 0\n"
            f"Cflags: -I{given.root}/core/include\n"
            f"Libs: -L{library} -lnexus-pipe -Wl,-rpath,{library}\n")
        self.environment = {
            "PATH": f"{tools}:{given.bin.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(folder),
            "LC_ALL": "C.UTF-8",
            "PKG_CONFIG_PATH": str(folder / "pc"),
        } | {name: value for name, value in os.environ.items()
             if name.endswith("SAN_OPTIONS")}

    def run(self, script):
        return output_of("bash", "-eu", "-o", "pipefail", "-c", script,
                         cwd=self.work, env=self.environment)


class Examples(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nexus-docs-")
        self.addCleanup(folder.cleanup)
        self.scratch = Scratch(pathlib.Path(folder.name))

    def run_blocks(self, path):
        printed, runs = None, 0
        for mark, body in marked_blocks(path):
            with self.subTest(block=body):
                if mark == "run":
                    printed = self.scratch.run(body)
                    runs += 1
                elif mark == "output":
                    self.assertEqual(printed, body)
                elif mark.startswith("file "):
                    (self.scratch.work / mark[5:]).write_text(body)
                else:
                    self.fail(f"{path.name}: what is <!-- check: {mark} -->?")
        return runs

    def test_the_examples_of_the_readme_run(self):
        path = given.root / "README.md"
        marks = path.read_text().count("<!-- check:")
        self.assertEqual(len(marked_blocks(path)), marks,
                         "a mark is not on the line ahead of a block")
        self.assertGreater(self.run_blocks(path), 0)
        # One example for each command, at least.
        text = "".join(b for mark, b in marked_blocks(path) if mark == "run")
        for command in commands():
            self.assertIn(f"nexus-pipe {command}", text)


# ---- the worked example ----------------------------------------------------

def hkdf(key, salt, info):
    """HKDF-SHA-256 of 32 bytes: RFC 5869, one round."""
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


class WorkedExample(unittest.TestCase):

    def setUp(self):
        text = (given.root / "docs/file-formats.md").read_text()
        self.values = dict(re.findall(r"^\| ([a-z ]+?) +\| `([^`]+)` +\|$",
                                      text, re.M))
        dump = re.search(r"<!-- worked example -->\n```\w*\n(.*?)```", text,
                         re.S)[1]
        self.file = bytes.fromhex("".join(
            re.sub(r"^[0-9a-f]+: ((?:[0-9a-f]{2} ?)+).*", r"\1", line)
            for line in dump.splitlines()))

    def value(self, name):
        return bytes.fromhex(self.values[name])

    def test_the_values_in_between_follow_from_each_other(self):
        wrap_info = b"age-encryption.org/v1/X25519"
        self.assertEqual(
            hkdf(self.value("shared secret"),
                 self.value("ephemeral share") + self.value("recipient point"),
                 wrap_info), self.value("wrap key"))
        mac_key = hkdf(self.value("file key"), b"", b"header")
        self.assertEqual(mac_key, self.value("header key"))
        covered = self.file[:self.file.index(b"\n--- ") + 4]
        self.assertEqual(hmac.digest(mac_key, covered, "sha256"),
                         self.value("header mac"))
        self.assertEqual(
            hkdf(self.value("file key"), self.value("nonce"), b"payload"),
            self.value("payload key"))
        self.assertEqual(hashlib.sha256(self.file).digest(),
                         self.value("sha of the file"))

    def decrypt(self, *command):
        with tempfile.TemporaryDirectory(prefix="nexus-docs-") as name:
            folder = pathlib.Path(name)
            (folder / "key").write_text(self.values["identity"] + "\n")
            (folder / "file").write_bytes(self.file)
            plain = output_of(*command, "-i", folder / "key", folder / "file")
        self.assertEqual(plain.encode(), self.value("plaintext"))

    def test_it_decrypts(self):
        self.decrypt(given.bin, "decrypt")

    @unittest.skipUnless(shutil.which("age"), "needs age")
    def test_age_decrypts_it(self):
        self.decrypt("age", "-d")


class ProofExample(unittest.TestCase):
    """Of the five bytes "hello", in segments of 256 rows."""

    @classmethod
    def setUpClass(cls):
        text = (given.root / "docs/file-formats.md").read_text()
        cls.text = text[text.index("### A worked example of a proof stream"):]
        cls.stream = subprocess.run(
            [given.bin, "prove", "--segment-rows", "256"], input=b"hello",
            stdout=subprocess.PIPE, timeout=TIMEOUT, check=True).stdout
        cls.digest = proof_root.segment_digest(b"hello", 0, True)
        cls.root = proof_root.stream_root([(5, cls.digest)], 256)

    def test_the_command_writes_what_the_page_shows(self):
        dump = re.search(r"<!-- proof stream -->\n```\w*\n(.*?)```", self.text,
                         re.S)[1]
        shown = re.findall(r"^([0-9a-f]{6}): ((?:[0-9a-f]{2} ?)+)", dump, re.M)
        self.assertEqual(len(shown), 15)
        for offset, octets in shown:
            octets = bytes.fromhex(octets)
            at = int(offset, 16)
            self.assertEqual(self.stream[at:at + len(octets)], octets, offset)
        self.assertIn(f"writes {len(self.stream):,} bytes", self.text)
        self.assertEqual(at + len(octets), len(self.stream))

    def test_the_parts_are_where_the_page_says(self):
        rows = re.findall(r"^\| ([0-9a-f]{6}) \| `([0-9a-f]+)` \|", self.text,
                          re.M)
        self.assertEqual(len(rows), 10)
        for offset, octets in rows:
            octets = bytes.fromhex(octets)
            at = int(offset, 16)
            self.assertEqual(self.stream[at:at + len(octets)], octets, offset)

    def test_digest_and_root_follow_from_the_bytes(self):
        self.assertEqual(self.stream[0x86:0xa6],
                         proof_root.as_bytes(self.digest))
        self.assertEqual(self.stream[-32:], proof_root.as_bytes(self.root))

    def test_the_numbers_in_between_are_those_of_the_page(self):
        tag = proof_root.ROOT_TAG
        for name, expected in (
                ("lanes 0 to 3 of row 0",
                 proof_root.limbs(int.from_bytes(b"hello", "little"), 4)),
                ("digest", self.digest),
                ("public values 8 to 15", proof_root.statement(5, 0, True)),
                ("root, lanes 16 to 23 at the beginning",
                 [tag, 1, 8, 0, 0, 0, 0, 0]),
                ("block of the segment, lanes 8 to 15",
                 [5, 0, 0, 0, 1, 0, 0, 0]),
                ("block of the end, lanes 0 to 15",
                 [1, 0, 5, *[0] * 9, 2, 0, 0, 0]),
                ("root", self.root)):
            row = re.search(rf"^\| {name} \| ([0-9, ]+) \|$", self.text, re.M)
            self.assertEqual(row[1], ", ".join(map(str, expected)), name)

    def test_digests_are_those_of_known_proofs(self):
        vectors = proof_root.VECTORS
        for case in json.loads((vectors / "cases.json").read_text()):
            if case["rows"] > 512:
                continue
            data = subprocess.run(
                [sys.executable, vectors / "make_input.py",
                 str(case["length"]), str(case["seed"])],
                stdout=subprocess.PIPE, check=True).stdout
            self.assertEqual(
                proof_root.segment_digest(data, case["index"], case["last"]) +
                proof_root.statement(len(data), case["index"], case["last"]),
                case["public_values"], case["name"])


def main():
    global given
    root = HERE.parents[1]
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    built = root / "build/default"
    parser.add_argument("--root", type=pathlib.Path, default=root)
    parser.add_argument("--bin", type=pathlib.Path,
                        default=built / "bin/nexus-pipe")
    parser.add_argument("--queue", type=pathlib.Path,
                        default=built / "bin/nexus")
    parser.add_argument("--library", type=pathlib.Path,
                        default=built / "lib/libnexus-pipe.so")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--flags", default="")
    given, rest = parser.parse_known_args()
    given.root = given.root.resolve()
    given.bin = given.bin.resolve()
    given.queue = given.queue.resolve()
    given.library = given.library.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)


if __name__ == "__main__":
    main()
