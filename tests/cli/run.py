#!/usr/bin/env python3
"""Runs *.test files: commands and what they must say.

    run.py [--bin NEXUS-PIPE] [--jobs 2] [FILE.test...]

A test file is lines of text; the first comment says what it shows.

    # comment
    @needs root          skip elsewhere: root, not-root, or a program's name
    $ command            run by bash in a scratch folder; its input is empty
    + more of it         a further line of the same command
    > text               one line of its standard output, exactly
    >~ regex             one line that matches as a whole
    >*                   whatever else comes
    ! text, !~, !*       the same for standard error
    ? 1                  the exit status; 0 where this is not said

Output that is not told must not come. The commands of a file share its folder,
where HOME is too. Functions for them are in prelude.sh, and $DATA, $VECTORS,
$ALICE and $BOB name the fixed files and recipients. A temporary of nexus-pipe that is left
at the end fails the test.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import sys
import tempfile

import harness


@dataclasses.dataclass
class Step:
    line: int
    command: str
    output: list = dataclasses.field(default_factory=list)
    errors: list = dataclasses.field(default_factory=list)
    status: int = 0


class BadTest(Exception):
    pass


def parse(path):
    """(steps, what the test needs)."""
    steps, needs = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.name}:{number}"
        mark, _, text = line.partition(" ")
        if not line.strip() or mark.startswith("#"):
            continue
        if mark == "@needs":
            needs += text.split()
        elif mark == "$":
            steps.append(Step(number, text))
        elif not steps:
            raise BadTest(f"{where}: no command before this line")
        elif mark == "+":
            steps[-1].command += "\n" + text
        elif mark == "?":
            steps[-1].status = int(text)
        elif mark in (">", ">~", ">*"):
            steps[-1].output.append((mark[1:], text))
        elif mark in ("!", "!~", "!*"):
            steps[-1].errors.append((mark[1:], text))
        else:
            raise BadTest(f"{where}: what is \"{line}\"?")
    if not steps:
        raise BadTest(f"{path.name}: no command")
    return steps, needs


def missing(needs):
    """Why the test cannot run here, or nothing."""
    for need in needs:
        if need == "root" and os.geteuid() != 0:
            return "needs root"
        if need == "not-root" and os.geteuid() == 0:
            return "needs a user other than root"
        if need not in ("root", "not-root") and not shutil.which(need):
            return f"needs the program {need}"
    return None


def as_regex(expected):
    parts = []
    for kind, text in expected:
        if kind == "*":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append((text if kind == "~" else re.escape(text)) + r"\n")
    return "".join(parts)


def differs(what, expected, text):
    """A complaint, or nothing."""
    if text and not text.endswith("\n"):
        text += "\n"  # as a terminal would show it
    if re.fullmatch(as_regex(expected), text):
        return ""
    wanted = "".join(f"    {kind:1} {line}\n" for kind, line in expected)
    came = "".join(f"      {line}\n" for line in text.splitlines()[:40])
    return f"  {what}, expected:\n{wanted}  but came:\n{came}"


def run_step(step, scratch, environment):
    done = harness.run_group(["bash", "-c", step.command], cwd=scratch / "work",
                             env=environment)
    complaint = differs("standard output", step.output,
                        done.stdout.decode(errors="replace"))
    complaint += differs("standard error", step.errors,
                         done.stderr.decode(errors="replace"))
    status = harness.status(done.returncode)
    if status != step.status:
        complaint += f"  exit status {status}, expected {step.status}\n"
    return complaint


def run_test(path):
    """(outcome, what to tell)."""
    try:
        steps, needs = parse(path)
    except (BadTest, ValueError) as problem:
        return "failed", f"  {problem}\n"
    if reason := missing(needs):
        return "skipped", reason
    with tempfile.TemporaryDirectory(prefix="nexus-cli-") as name:
        scratch = pathlib.Path(name)
        os.chmod(scratch, 0o755)
        (scratch / "work").mkdir()
        (scratch / "home").mkdir()
        environment = harness.environment(scratch, harness.binary.parent)
        environment["BASH_ENV"] = str(harness.HERE / "prelude.sh")
        for step in steps:
            try:
                complaint = run_step(step, scratch, environment)
            except (AssertionError, re.error) as problem:
                complaint = f"  {problem}\n"
            if complaint:
                return "failed", (f"  line {step.line}: $ {step.command}\n" +
                                  complaint)
        left = [str(p.relative_to(scratch)) for p in scratch.rglob("*.tmp")]
        if left:
            return "failed", f"  temporaries left: {' '.join(left)}\n"
    return "passed", ""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("tests", nargs="*", type=pathlib.Path)
    given, rest = harness.options(parser)
    if rest:
        parser.error(f"what is {rest[0]}?")
    paths = given.tests or sorted(harness.HERE.glob("*.test"))
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for path, (outcome, told) in zip(paths, pool.map(run_test, paths)):
            counts[outcome] += 1
            if outcome == "failed":
                print(f"FAIL: {path.name}\n{told}", flush=True)
            elif outcome == "skipped":
                print(f"skip: {path.name}: {told}", flush=True)
    if not paths:
        print("no tests found")
        counts["failed"] = 1
    return harness.report(**counts)


if __name__ == "__main__":
    sys.exit(main())
