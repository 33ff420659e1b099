#!/usr/bin/env python3
"""The help and the options: what is taken is told, what is told is taken."""

import re

import harness

COMMANDS = ("encrypt", "decrypt", "keygen", "prove", "verify", "digest",
            "join", "inspect", "run", "devices", "plugins", "bench")
STREAMS = ("encrypt", "decrypt", "run")
PROOFS = ("prove", "verify", "digest")  # streams of segments of a fixed size
HIDDEN = {"--telemetry": STREAMS + PROOFS,
          "--hang-seconds": STREAMS + PROOFS}


def options_in(text):
    """Every -x and --long that begins a line of the help."""
    lines = re.findall(r"^ {2}(-\S+)", text, re.M)
    return {word for line in lines for word in line.split(",")}


class Help(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.help = {}
        for command in COMMANDS:
            done = self.run_it(command, "--help")
            self.assert_exit(done, 0)
            self.assertEqual(done.stderr, b"")
            self.help[command] = done.stdout.decode()

    def takes(self, command, option):
        """Whether the command knows the option, whatever else it says."""
        # What follows keeps it from running: once as a value, once as itself.
        done = self.run_it(command, option, "--no-such-option",
                           "--no-such-option")
        return f"unknown option {option}\n" not in done.stderr.decode()

    def test_each_command_takes_what_its_help_tells_and_no_more(self):
        told = {c: options_in(text) for c, text in self.help.items()}
        self.assertGreater(len(told["encrypt"]), 20)
        for option in sorted(set().union(*told.values(), HIDDEN)):
            for command in COMMANDS:
                with self.subTest(command=command, option=option):
                    expected = (option in told[command] or
                                command in HIDDEN.get(option, ()))
                    self.assertEqual(self.takes(command, option), expected)

    def test_the_options_that_the_design_names_are_there(self):
        streams = {"-o", "--output", "--max-threads", "--memory",
                   "--memory-fraction", "--max-inflight", "--segment-size",
                   "--backend", "--plugin-dir", "--policy", "--gpu-threshold",
                   "--io", "--progress", "-q", "-v", "--no-sync", "-h",
                   "--help", "--no-adapt"}
        for command in STREAMS:
            self.assertLessEqual(streams, options_in(self.help[command]))
        self.assertLessEqual({"-r", "-R", "-i", "-p", "-a", "--passphrase-fd",
                              "--passphrase-file"},
                             options_in(self.help["encrypt"]))
        self.assertLessEqual({"-i", "--passphrase-file", "--passphrase-fd"},
                             options_in(self.help["decrypt"]))
        for command in PROOFS:
            self.assertLessEqual(streams - {"-o", "--output", "--no-sync",
                                            "--segment-size"},
                                 options_in(self.help[command]))
        segments = {"--segment-rows", "--first-index", "--partial"}
        self.assertLessEqual(segments, options_in(self.help["digest"]))
        self.assertLessEqual(segments | {"--security", "--wire", "-o"},
                             options_in(self.help["prove"]))
        self.assertLessEqual({"--data", "--root", "--length", "--security"},
                             options_in(self.help["verify"]))
        self.assertLessEqual({"--extract-proof", "--extract-public-values",
                              "-o"}, options_in(self.help["inspect"]))
        self.assertIn("-o", options_in(self.help["join"]))
        self.assertIn("--why", options_in(self.help["plugins"]))
        self.assertLessEqual({"--op", "--report", "--quick", "--size",
                              "--repeat", "--dir", "--backend"},
                             options_in(self.help["bench"]))
        for command in ("verify", "digest", "inspect", "devices", "plugins",
                        "bench"):
            self.assertIn("--json", options_in(self.help[command]))

    def test_a_proof_is_said_not_to_be_zero_knowledge(self):
        self.assertIn("NOT zero-knowledge", self.help["prove"])
        overview = self.run_it("--help").stdout.decode()
        self.assertIn("not zero-knowledge", overview)

    def test_a_value_may_follow_a_short_option_at_once(self):
        done = self.run_it("encrypt", "-r" + harness.ALICE, "-oout", input=b"x")
        self.assert_exit(done, 0)
        self.assertEqual(self.names(), ["out"])

    def test_long_options_are_not_abbreviated(self):
        done = self.run_it("encrypt", "--arm", input=b"x")
        self.assert_clear_error(done, 2)

    def test_help_wins_over_the_other_words(self):
        for words in (["-o", "x", "--help"], ["--help", "--memory", "1M"]):
            done = self.run_it("encrypt", *words)
            self.assert_exit(done, 0)
            self.assertEqual(done.stdout.decode(), self.help["encrypt"])

    def test_the_examples_name_options_that_exist(self):
        for command, text in self.help.items():
            examples = text[text.index("Examples:"):]
            for line in re.findall(rf"nexus-pipe {command} ([^|\n]*)",
                                   examples):
                for word in re.findall(r"(?:^| )(-[-a-zA-Z]+)",
                                       line.split("#")[0]):
                    self.assertIn(word, options_in(text), line)


if __name__ == "__main__":
    harness.main()
