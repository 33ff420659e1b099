#!/usr/bin/env python3
"""Passphrases typed at a terminal, and what a terminal is spared."""

import subprocess

import harness
from terminal import Terminal

SECRET = b"one two-three f\xc3\xbcnf"
FIXED = harness.DATA / "passphrase.age"  # of a low work factor


class TerminalTest(harness.CommandTest):

    def terminal(self, *arguments, **streams):
        return Terminal([harness.binary, *arguments], self.env, self.dir,
                        **streams)


class Prompt(TerminalTest):

    def make_passphrase_file(self):
        (self.dir / "in").write_bytes(b"text\n")
        with self.terminal("encrypt", "-p", "-o", "f", "in") as tty:
            tty.expect(b"New passphrase (empty: a random one): ")
            tty.type(SECRET + b"\n")
            tty.expect(b"Once more: ")
            tty.type(SECRET + b"\n")
            code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertNotIn(SECRET, shown)

    def test_a_passphrase_is_typed_twice_and_opens_the_file(self):
        self.make_passphrase_file()
        with open(self.dir / "out", "wb") as out, \
                open(self.dir / "f", "rb") as file:
            with self.terminal("decrypt", stdin=file, stdout=out) as tty:
                tty.expect(b"Passphrase of ")
                tty.type(SECRET + b"\n")
                code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertNotIn(SECRET, shown)
        self.assertEqual((self.dir / "out").read_bytes(), b"text\n")

    def test_two_different_passphrases_are_refused(self):
        (self.dir / "in").write_bytes(b"text\n")
        with self.terminal("encrypt", "-p", "-o", "f", "in") as tty:
            tty.expect(b"New passphrase")
            tty.type(b"first-try\n")
            tty.expect(b"Once more: ")
            tty.type(b"other-try\n")
            code, shown = tty.finish()
        self.assertEqual(code, 2, shown)
        self.assertIn(b"error: the two passphrases are not the same", shown)
        self.assertNotIn(b"-try", shown)
        self.assertEqual(self.names(), ["in"])

    def test_a_random_passphrase_is_shown_on_the_terminal_alone(self):
        with open(self.dir / "err", "wb") as err:
            (self.dir / "in").write_bytes(b"text\n")
            with self.terminal("encrypt", "-p", "-o", "f", "in",
                               stderr=err) as tty:
                tty.expect(b"New passphrase")
                tty.type(b"\n")
                tty.expect(b"The passphrase is: ")
                made = tty.expect(b"\r\n").strip()
                code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertRegex(made, rb"\A[a-z0-9]+(-[a-z0-9]+){4,}\Z")
        self.assertEqual((self.dir / "err").read_bytes(), b"")
        done = self.run_it("decrypt", "--passphrase-fd", "0", "f", input=made)
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout, b"text\n")

    def test_a_wrong_passphrase_is_not_repeated(self):
        with self.terminal("decrypt", "-o", "out", FIXED) as tty:
            tty.expect(b"Passphrase of ")
            tty.type(b"wrong-guess\n")
            code, shown = tty.finish()
        self.assertEqual(code, 1, shown)
        self.assertIn(b"nexus-pipe: error: the passphrase is wrong", shown)
        self.assertNotIn(b"wrong-guess", shown)
        self.assertEqual(self.names(), [])

    def test_the_prompt_is_on_the_terminal_where_all_else_is_redirected(self):
        with open(FIXED, "rb") as file:
            with self.terminal("decrypt", stdin=file, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE) as tty:
                tty.expect(b"Passphrase of standard input: ")
                tty.type(harness.PASSPHRASE.encode() + b"\n")
                out, err = tty.process.communicate(timeout=harness.TIMEOUT)
        self.assertEqual((out, err), (b"opened\n", b""))

    def test_interrupting_the_prompt_ends_with_130_and_echo_on(self):
        with self.terminal("decrypt", "-o", "out", FIXED) as tty:
            tty.expect(b"Passphrase of ")
            tty.type(b"half\x03")
            code, shown = tty.finish(10)
            self.assertTrue(tty.echoes())
        self.assertEqual(code, 130, shown)
        self.assertNotIn(b"half", shown)
        self.assertEqual(self.names(), [])

    def test_the_end_of_input_at_the_prompt_is_an_error(self):
        with self.terminal("decrypt", "-o", "out", FIXED) as tty:
            tty.expect(b"Passphrase of ")
            tty.type(b"\x04")
            code, shown = tty.finish(10)
        self.assertIn(code, (1, 3), shown)
        self.assertIn(b"nexus-pipe: error: no passphrase was given", shown)

    def test_escape_sequences_in_a_name_are_not_shown(self):
        evil = self.dir / "a\x1b[31mb"
        evil.write_bytes(FIXED.read_bytes())
        with self.terminal("decrypt", evil.name) as tty:
            prompt = tty.expect(b": ")
        self.assertNotIn(b"\x1b[31m", prompt)


class Output(TerminalTest):

    def test_binary_is_not_written_to_a_terminal(self):
        (self.dir / "in").write_bytes(b"text\n")
        with self.terminal("encrypt", "-r", harness.ALICE, "in") as tty:
            code, shown = tty.finish()
        self.assertEqual(code, 2, shown)
        self.assertNotIn(b"age-encryption.org", shown)
        self.assertIn(b"nexus-pipe: error: the output is binary", shown)
        self.assertIn(b"-o -", shown)

    def test_it_is_refused_before_a_passphrase_is_asked_for(self):
        (self.dir / "in").write_bytes(b"text\n")
        with self.terminal("encrypt", "-p", "in") as tty:
            code, shown = tty.finish(20)
        self.assertEqual(code, 2, shown)
        self.assertNotIn(b"assphrase", shown)

    def test_a_dash_forces_it(self):
        (self.dir / "in").write_bytes(b"text\n")
        with self.terminal("encrypt", "-r", harness.ALICE, "-o", "-",
                           "in") as tty:
            code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertIn(b"age-encryption.org/v1", shown)

    def test_armor_may_be_written_to_a_terminal(self):
        (self.dir / "in").write_bytes(b"text\n")
        with self.terminal("encrypt", "-a", "-r", harness.ALICE, "in") as tty:
            code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertIn(b"-----END AGE ENCRYPTED FILE-----", shown)

    def decrypted_to_terminal(self, plain, *more):
        (self.dir / "f").write_bytes(self.encrypt(plain))
        with self.terminal("decrypt", "-i", harness.ALICE_KEY, *more,
                           "f") as tty:
            return tty.finish()

    def test_decrypted_text_is_shown(self):
        text = "Grüße,\ttabs\n".encode()
        code, shown = self.decrypted_to_terminal(text)
        self.assertEqual(code, 0, shown)
        self.assertEqual(shown, text.replace(b"\n", b"\r\n"))

    def test_decrypted_control_characters_are_not(self):
        for bad in (b"\x1b[2J", b"\0", b"\x7f", b"\x07", "\x9b".encode()):
            with self.subTest(bad):
                code, shown = self.decrypted_to_terminal(
                    b"begins as text\n" + bad)
                self.assertEqual(code, 2, shown)
                self.assertNotIn(b"begins as text", shown)
                self.assertNotIn(bad, shown)
                self.assertIn(b"nexus-pipe: error: the output is binary", shown)

    def test_nor_is_text_that_does_not_authenticate(self):
        sealed = bytearray(self.encrypt(b"secret text\n"))
        sealed[-1] ^= 1
        (self.dir / "f").write_bytes(sealed)
        with self.terminal("decrypt", "-i", harness.ALICE_KEY, "f") as tty:
            code, shown = tty.finish()
        self.assertEqual(code, 1, shown)
        self.assertNotIn(b"secret text", shown)

    def test_a_dash_forces_those_too(self):
        code, shown = self.decrypted_to_terminal(b"\x1b[0m", "-o", "-")
        self.assertEqual(code, 0, shown)
        self.assertIn(b"\x1b[0m", shown)

    def test_progress_is_drawn_on_a_terminal_and_removed(self):
        self.env["TERM"] = "xterm"
        with self.terminal("encrypt", "-r", harness.ALICE, "-o", "out",
                           stdin=subprocess.PIPE) as tty:
            tty.process.stdin.write(harness.pattern(100000))
            tty.process.stdin.flush()
            tty.expect(b"encrypt", 15)
            tty.process.stdin.close()
            code, shown = tty.finish()
        self.assertEqual(code, 0, shown)
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)


if __name__ == "__main__":
    harness.main()
