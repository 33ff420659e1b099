#!/usr/bin/env python3
"""Devices that call garbage good: what --verify-output makes of them."""

import os
import pathlib

import harness


class Checks(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.stub = os.environ.get("NEXUS_STUB_DIR", "")
        if not pathlib.Path(self.stub, "nexus-stub.so").exists():
            self.skipTest("the stub plugin was not built")
        self.text = harness.pattern(5 << 20)
        (self.dir / "in").write_bytes(self.text)

    def over_stubs(self, settings, command, *words):
        self.env["NEXUS_STUB"] = settings
        return self.run_it(command, "--plugin-dir", self.stub, "--backend",
                           "stub", "--policy", "round-robin", *words, "in")

    def seal(self, settings, *words):
        return self.over_stubs(settings, "encrypt", "-r", harness.ALICE, "-o",
                               "out", "--segment-size", "1M", *words)

    def opened(self):
        return self.run_it("decrypt", "-i", harness.ALICE_KEY, "out")

    def test_garbage_of_a_card_is_done_again_on_the_cpu(self):
        for words in ([], ["--verify-output=sample"], ["--verify-output=all"],
                      ["-a"]):
            with self.subTest(words=words):
                done = self.seal("cpus=1;gpus=1;gpu.garbage=all", "-v",
                                    *words)
                self.assert_exit(done, 0)
                self.assertIn(b"stub:1: its result proved to be wrong",
                              done.stderr)
                self.assertEqual(self.opened().stdout, self.text)

    def test_garbage_and_nobody_else_is_an_error(self):
        done = self.seal("cpus=0;gpus=1;gpu.garbage=all")
        self.assert_clear_error(done, 3)
        self.assertIn(b"the encrypted bytes are wrong: chunk", done.stderr)
        self.assertEqual(self.names(), ["in"])

    def test_nobody_notices_where_nothing_is_checked(self):
        done = self.seal("cpus=0;gpus=1;gpu.garbage=all",
                            "--verify-output=none")
        self.assert_exit(done, 0)
        self.assert_exit(self.opened(), 1)

    def digest(self, settings, *words):
        done = self.over_stubs(settings, "digest", "--segment-rows", "256",
                               *words)
        self.assert_exit(done, 0)
        return done.stdout

    def test_digests_are_computed_twice_on_demand(self):
        right = self.digest("cpus=1")
        wrong = "cpus=1;gpus=1;gpu.corrupt=all"
        self.assertNotEqual(self.digest(wrong), right)
        self.assertNotEqual(self.digest(wrong, "--verify-output=none"), right)
        self.assertEqual(self.digest(wrong, "--verify-output=all"), right)

    def test_other_words_are_refused(self):
        for command, words in (("encrypt", "sample, all, none"),
                               ("digest", "all, none")):
            done = self.run_it(command, "--verify-output=some", "in")
            self.assert_clear_error(done, 2)
            self.assertIn(f'--verify-output: "some" is none of {words}\n',
                          done.stderr.decode())


if __name__ == "__main__":
    harness.main()
