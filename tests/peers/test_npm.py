#!/usr/bin/env python3
"""Both ways with the npm package age-encryption."""

import sys

from peers import HERE, SIZES, PeerTest, harness, missing_npm_package, node
from peers import secret_key


class AgeEncryption(PeerTest):

    def setUp(self):
        super().setUp()
        if reason := missing_npm_package("age-encryption"):
            self.skipTest(reason)

    def peer(self, *arguments, input):
        done = harness.run_group([node(), str(HERE / "peer.mjs"), *arguments],
                                 input=input, env=self.env, cwd=self.dir)
        return done

    def test_it_opens_what_nexus_pipe_seals(self):
        identity = secret_key(harness.ALICE_KEY)
        for size in SIZES:
            with self.subTest(size):
                plain = harness.pattern(size)
                self.opened(self.peer("decrypt", "--identity", identity,
                                      input=self.encrypt(plain)), plain)

    def test_nexus_pipe_opens_what_it_seals(self):
        for size in SIZES:
            with self.subTest(size):
                plain = harness.pattern(size)
                sealed = self.peer("encrypt", "--recipient", harness.ALICE,
                                   input=plain)
                self.assert_exit(sealed, 0)
                self.opened(self.decrypt(sealed.stdout), plain)

    def test_armor(self):
        """Each line of armor holds 48 bytes: sizes around a full line."""
        identity = secret_key(harness.ALICE_KEY)
        for size in (*range(30, 34), 65536):
            with self.subTest(size):
                plain = harness.pattern(size)
                self.opened(self.peer("decrypt", "--identity", identity,
                                      input=self.encrypt(plain, "-a")), plain)
                sealed = self.peer("encrypt", "--armor", "--recipient",
                                   harness.ALICE, input=plain)
                self.opened(self.decrypt(sealed.stdout), plain)

    def test_several_recipients(self):
        sealed = self.run_it("encrypt", "-r", harness.ALICE, "-r", harness.BOB,
                             input=b"text").stdout
        theirs = self.peer("encrypt", "--recipient", harness.ALICE,
                           "--recipient", harness.BOB, input=b"text").stdout
        for key in (harness.ALICE_KEY, harness.BOB_KEY):
            self.opened(self.peer("decrypt", "--identity", secret_key(key),
                                  input=sealed), b"text")
            self.opened(self.run_it("decrypt", "-i", key, input=theirs),
                        b"text")

    def test_a_passphrase(self):
        (self.dir / "in").write_bytes(b"text")
        secret = "k\u00e4se und brot"
        sealed = self.run_it("encrypt", "--passphrase-fd", "0", "in",
                             input=secret.encode())
        self.assert_exit(sealed, 0)
        self.opened(self.peer("decrypt", "--passphrase", secret,
                              input=sealed.stdout), b"text")
        for factor in ("1", "10", "14"):
            theirs = self.peer("encrypt", "--passphrase", secret,
                               "--work-factor", factor, input=b"text")
            (self.dir / "f").write_bytes(theirs.stdout)
            self.opened(self.run_it("decrypt", "--passphrase-fd", "0", "f",
                                    input=secret.encode()), b"text")

    def test_a_work_factor_that_is_too_high_is_refused_at_once(self):
        """22 is the most; the number stands in the header."""
        theirs = self.peer("encrypt", "--passphrase", "x", "--work-factor",
                           "10", input=b"text").stdout
        for factor in (b"23", b"30", b"64", b"99999999999"):
            (self.dir / "f").write_bytes(theirs.replace(b" 10\n",
                                                        b" %s\n" % factor, 1))
            done = self.run_it("decrypt", "--passphrase-fd", "0", "f",
                               input=b"x", timeout=20)
            self.assert_clear_error(done, 1)


class Big(PeerTest):
    """A GiB through a pipe each way."""

    def setUp(self):
        super().setUp()
        if reason := missing_npm_package("age-encryption"):
            self.skipTest(reason)
        self.env |= {"NEXUS": str(harness.binary), "NODE": node(),
                     "PEER": str(HERE / "peer.mjs"),
                     "KEY": str(harness.ALICE_KEY), "SIZE": str(1 << 30),
                     "IDENTITY": secret_key(harness.ALICE_KEY)}

    def through(self, seal, unseal):
        """The same numbers in a row on both sides."""
        done = self.shell(
            "numbers() { seq 2000000000 2> /dev/null | head -c \"$SIZE\"; "
            "return 0; }; "
            f"numbers | {seal} | {unseal} | cmp - <(numbers)", timeout=500)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, b"", b""))

    def test_nexus_pipe_then_npm(self):
        self.through('"$NEXUS" encrypt -r "$ALICE"',
                     '"$NODE" "$PEER" decrypt --stream --identity "$IDENTITY"')

    def test_npm_then_nexus_pipe(self):
        self.through('"$NODE" "$PEER" encrypt --stream --recipient "$ALICE"',
                     '"$NEXUS" decrypt -i "$KEY"')


if __name__ == "__main__":
    # `test_npm.py Big` runs the slow ones, without a name the others.
    if not {"Big", "AgeEncryption"} & set(sys.argv):
        sys.argv.append("AgeEncryption")
    harness.main()
