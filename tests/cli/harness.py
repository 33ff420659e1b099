"""What the command-line tests share: scratch folders, running, reporting."""

import argparse
import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # beside the sources

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE / "data"
VECTORS = HERE.parent / "vectors/prove"
DEFAULT_BIN = HERE.parents[1] / "build/default/bin/nexus-pipe"
TIMEOUT = 60  # seconds for one command, on a busy machine

ALICE_KEY = DATA / "alice.key"
BOB_KEY = DATA / "bob.key"


def public_key(path):
    """The recipient that a key file names in its comment."""
    return re.search(r"# public key: (age1\w+)", path.read_text())[1]


ALICE = public_key(ALICE_KEY)
BOB = public_key(BOB_KEY)
PASSPHRASE = "correct horse battery staple"  # of data/passphrase.age

CHUNK = 65536
SEALED_CHUNK = CHUNK + 16
HEADER = 168  # bytes of a header with one X25519 stanza
NONCE = 16

binary = DEFAULT_BIN


def environment(scratch, bin_dir):
    """Nothing of the caller's but the path: no keys, plugins or language."""
    return {
        "PATH": f"{bin_dir}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(scratch / "home"),
        "XDG_CONFIG_HOME": str(scratch / "home/config"),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "DATA": str(DATA),
        "VECTORS": str(VECTORS),
        "ALICE": ALICE,
        "BOB": BOB,
    } | {
        # Options of sanitizer builds.
        name: value for name, value in os.environ.items()
        if name.endswith("SAN_OPTIONS")
    } | (
        # PoCL does not end well in a sanitized process, which is not ours to
        # mend: no OpenCL there.
        {"OCL_ICD_VENDORS": str(scratch / "no-opencl")} if sanitized() else {})


@functools.cache
def sanitized():
    """Whether the command was built with a sanitizer."""
    with open(binary, "rb") as file:
        content = file.read()
    return b"__asan_init" in content or b"__tsan_init" in content


def pattern(size):
    """Bytes that look alike nowhere: the numbers in a row."""
    text = bytearray()
    first = 1
    while len(text) < size:
        text += b"".join(b"%d\n" % n for n in range(first, first + 50000))
        first += 50000
    return bytes(text[:size])


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_group(arguments, timeout=TIMEOUT, input=None, **more):
    """subprocess.run in a session of its own that is killed as a whole."""
    if input is None:
        more.setdefault("stdin", subprocess.DEVNULL)
    else:
        more["stdin"] = subprocess.PIPE
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    process = subprocess.Popen(arguments, start_new_session=True, **more)
    try:
        out, err = process.communicate(input, timeout=timeout)
    except subprocess.TimeoutExpired:
        kill_group(process)
        process.communicate()
        raise AssertionError(f"hangs (over {timeout} s): {arguments}") from None
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def status(code):
    """An exit status as a shell tells it."""
    return 128 - code if code < 0 else code


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)
    return value


class CommandTest(unittest.TestCase):
    """A scratch folder, an environment of its own, and the command."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="nexus-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        (self.dir / "home").mkdir()
        self.env = environment(self.dir, binary.parent)

    def run_it(self, *arguments, **more):
        return run_group([str(binary), *map(str, arguments)], cwd=self.dir,
                         env=self.env, **more)

    def start(self, *arguments, **more):
        process = subprocess.Popen(
            [str(binary), *map(str, arguments)], cwd=self.dir, env=self.env,
            start_new_session=True, **more)
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def _reap(process):
        kill_group(process)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def encrypt(self, data, *more):
        done = self.run_it("encrypt", "-r", ALICE, *more, input=data)
        self.assert_exit(done, 0)
        return done.stdout

    def decrypt(self, data, *more, **how):
        return self.run_it("decrypt", "-i", ALICE_KEY, *more, input=data, **how)

    def assert_exit(self, done, expected):
        self.assertEqual(
            status(done.returncode), expected,
            f"{done.args[1:]}: {(done.stderr or b'').decode(errors='replace')}")

    def assert_clear_error(self, done, code=1):
        """One error line of ours, perhaps hints, and nothing else."""
        self.assert_exit(done, code)
        lines = done.stderr.decode().splitlines()
        self.assertTrue(lines, "fails without a word")
        self.assertRegex(lines[0], r"\Anexus-pipe: error: [^A-Z ].*[^.]\Z")
        for line in lines[1:]:
            self.assertRegex(line, r"\Anexus-pipe: hint: ")
        self.assertNotIn("defect of nexus-pipe", done.stderr.decode())

    def assert_whole_chunks(self, got, plain):
        self.assertEqual(got, plain[:len(got)], "not a prefix of the plaintext")
        if len(got) != len(plain):
            self.assertEqual(len(got) % CHUNK, 0, "part of a chunk came out")

    def names(self):
        return sorted(p.name for p in self.dir.iterdir() if p.name != "home")


class _Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addSkip(self, test, reason):
        unittest.TestResult.addSkip(self, test, reason)
        print(f"\nskip: {test.id()}: {reason}", flush=True)


def report(passed, failed, skipped):
    """The line that every runner ends with; the exit status."""
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


def options(parser):
    """Parses the command line; sets what the tests run."""
    global binary
    parser.add_argument("--bin", type=pathlib.Path, default=DEFAULT_BIN,
                        help="the nexus-pipe to test")
    given, rest = parser.parse_known_args()
    binary = given.bin.resolve()
    if not os.access(binary, os.X_OK):
        parser.error(f"{binary} is not a program: build it, or give --bin")
    return given, rest


def main(module="__main__"):
    """unittest's main with --bin, skips told, and the common last line."""
    _, rest = options(argparse.ArgumentParser(add_help=False))
    runner = unittest.TextTestRunner(resultclass=_Result, stream=sys.stdout)
    program = unittest.main(module, argv=[sys.argv[0], *rest], exit=False,
                            testRunner=runner)
    result = program.result
    # A test may fail in several of its parts.
    failed = {getattr(test, "test_case", test).id()
              for test, _ in result.failures + result.errors}
    sys.exit(report(result.passed, len(failed), len(result.skipped)))
