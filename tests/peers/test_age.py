#!/usr/bin/env python3
"""Both ways with the age command."""

import pathlib
import shutil
import sys
import tempfile

from peers import SIZES, PeerTest, harness
from terminal import Terminal

BIG = 1 << 30
SECRET = b"gulls over the harbour"


class Age(PeerTest):

    def setUp(self):
        super().setUp()
        if shutil.which("age") is None:
            self.skipTest("no program age")

    def age(self, *arguments, input):
        return harness.run_group(["age", *map(str, arguments)], input=input,
                                 cwd=self.dir, env=self.env)

    def test_age_opens_what_nexus_pipe_seals(self):
        for size in SIZES:
            for armor in ((), ("-a",)):
                with self.subTest(size, armor=armor):
                    plain = harness.pattern(size)
                    sealed = self.encrypt(plain, *armor)
                    self.opened(self.age("-d", "-i", harness.ALICE_KEY,
                                         input=sealed), plain)

    def test_nexus_pipe_opens_what_age_seals(self):
        for size in SIZES:
            for armor in ((), ("-a",)):
                with self.subTest(size, armor=armor):
                    plain = harness.pattern(size)
                    sealed = self.age("-r", harness.ALICE, *armor, input=plain)
                    self.opened(self.decrypt(sealed.stdout), plain)
                    self.opened(self.decrypt(sealed.stdout, "--max-threads", 2,
                                             "--segment-size", "64K"), plain)

    def test_several_recipients(self):
        to_both = ("-r", harness.BOB, "-r", harness.ALICE)
        sealed = self.run_it("encrypt", *to_both, input=b"text").stdout
        for key in (harness.ALICE_KEY, harness.BOB_KEY):
            self.opened(self.age("-d", "-i", key, input=sealed), b"text")
        sealed = self.age(*to_both, input=b"text").stdout
        for key in (harness.ALICE_KEY, harness.BOB_KEY):
            self.opened(self.run_it("decrypt", "-i", key, input=sealed),
                        b"text")

    def test_files_of_keys_and_recipients_are_shared(self):
        self.assert_exit(self.run_it("keygen", "-o", "ours"), 0)
        made = self.run_it("keygen", "-y", "ours").stdout.decode()
        seen = self.shell("age-keygen -y ours").stdout.decode()
        self.assertEqual(seen, made)
        self.assert_exit(self.shell("age-keygen -o theirs"), 0)
        public = self.shell("age-keygen -y theirs").stdout
        self.assertEqual(self.run_it("keygen", "-y", "theirs").stdout, public)
        (self.dir / "team").write_bytes(b"# team\n" + public)
        sealed = self.run_it("encrypt", "-R", "team", input=b"text").stdout
        self.opened(self.age("-d", "-i", "theirs", input=sealed), b"text")

    def test_a_passphrase_of_ours(self):
        (self.dir / "in").write_bytes(b"text")
        done = self.run_it("encrypt", "--passphrase-fd", "0", "-o", "f", "in",
                           input=SECRET)
        self.assert_exit(done, 0)
        with Terminal(["age", "-d", "-o", "out", "f"], self.env,
                      self.dir) as tty:
            tty.expect(b"nter passphrase")
            tty.type(SECRET + b"\n")
            code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertEqual((self.dir / "out").read_bytes(), b"text")

    def test_a_passphrase_of_theirs(self):
        (self.dir / "in").write_bytes(b"text")
        with Terminal(["age", "-p", "-a", "-o", "f", "in"], self.env,
                      self.dir) as tty:
            tty.expect(b"nter passphrase")
            tty.type(SECRET + b"\n")
            tty.expect(b"onfirm passphrase")
            tty.type(SECRET + b"\n")
            code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        done = self.run_it("decrypt", "--passphrase-fd", "0", "f",
                           input=SECRET)
        self.opened(done, b"text")

    def test_what_one_refuses_the_other_does_too(self):
        """The exit status alone: words differ."""
        sealed = self.encrypt(b"text")
        for name, data in (("cut", sealed[:-1]), ("more", sealed + b"\n"),
                           ("empty", b""), ("text", b"hello\n"),
                           ("header alone", sealed[:harness.HEADER])):
            with self.subTest(name):
                theirs = self.age("-d", "-i", harness.ALICE_KEY, input=data)
                self.assertEqual(theirs.returncode, 1)
                self.assert_clear_error(self.decrypt(data), 1)


class Big(PeerTest):
    """A GiB through a pipe each way; wants a tmpfs of more than that."""

    def setUp(self):
        super().setUp()
        if shutil.which("age") is None:
            self.skipTest("no program age")
        folder = pathlib.Path("/dev/shm")
        if not folder.is_dir() or \
                shutil.disk_usage(folder).free < BIG + (64 << 20):
            self.skipTest("no tmpfs with 1.1 GiB free at /dev/shm")
        file = tempfile.NamedTemporaryFile(dir=folder, prefix="nexus-cli-")
        self.addCleanup(file.close)
        with open("/dev/urandom", "rb") as random:
            block = random.read(1 << 20)
        for index in range(BIG >> 20):
            file.write(index.to_bytes(8, "big") + block[8:])
        file.flush()
        self.env["BIG"] = file.name
        self.env["KEY"] = str(harness.ALICE_KEY)
        self.env["NEXUS"] = str(harness.binary)

    def through(self, command):
        done = self.shell(command + ' | cmp - "$BIG"', timeout=280)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, b"", b""))

    def test_nexus_pipe_then_age(self):
        self.through('"$NEXUS" encrypt -r "$ALICE" "$BIG" | '
                     'age -d -i "$KEY"')

    def test_age_then_nexus_pipe(self):
        self.through('age -r "$ALICE" < "$BIG" | '
                     '"$NEXUS" decrypt -i "$KEY"')

    def test_nexus_pipe_both_ways_armored(self):
        self.through('"$NEXUS" encrypt -a -r "$ALICE" < "$BIG" | '
                     '"$NEXUS" decrypt -i "$KEY"')


if __name__ == "__main__":
    # `test_age.py Big` runs the slow ones, without a name the others.
    if not {"Big", "Age"} & set(sys.argv):
        sys.argv.append("Age")
    harness.main()
