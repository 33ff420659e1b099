#!/usr/bin/env python3
"""Streams of proofs: what is damaged or rearranged, signals, known proofs."""

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import harness
import test_signals
from terminal import Terminal

sys.path.insert(0, str(harness.HERE.parent / "docs"))
import proof_root  # noqa: E402

SEGMENT = 15300  # bytes of one of 256 rows
HEAD = 56  # bytes of a record's head
ROWS = ("--segment-rows", "256")


@dataclasses.dataclass
class Record:
    tag: bytes
    index: int
    length: int
    digest: bytes
    proof: bytes = b""

    def serialize(self):
        return (self.tag + len(self.proof).to_bytes(4, "little") +
                self.index.to_bytes(8, "little") +
                self.length.to_bytes(8, "little") + self.digest + self.proof)


def parse(stream):
    """(header, records, the last of which is the end)."""
    at = stream.index(b"\n\n") + 2
    header, records = stream[:at], []
    while at < len(stream):
        head = stream[at:at + HEAD]
        size = int.from_bytes(head[4:8], "little")
        at += HEAD + size
        records.append(Record(
            head[:4], int.from_bytes(head[8:16], "little"),
            int.from_bytes(head[16:24], "little"), head[24:],
            stream[at - size:at]))
    return header, records


def closed(header, segments):
    """A stream whose end is right for its segments."""
    words = [(s.length, [int.from_bytes(s.digest[i:i + 4], "little")
                         for i in range(0, 32, 4)]) for s in segments]
    root = proof_root.as_bytes(proof_root.stream_root(words, 256))
    end = Record(b"DONE", len(segments), sum(s.length for s in segments), root)
    return header + b"".join(r.serialize() for r in (*segments, end))


def flipped(data, at, mask=1):
    copy = bytearray(data)
    copy[at] ^= mask
    return bytes(copy)


class ProofTest(harness.CommandTest):

    def prove(self, data, *options):
        done = self.run_it("prove", *ROWS, *options, input=data)
        self.assert_exit(done, 0)
        return done.stdout

    def verify(self, stream, *options, **how):
        return self.run_it("verify", *options, input=stream, **how)

    def refused(self, stream, message, *options):
        """verify says just this. A regular expression."""
        done = self.verify(stream, *options)
        self.assert_clear_error(done, 1)
        self.assertEqual(done.stdout, b"")
        self.assertRegex(done.stderr.decode().splitlines()[0],
                         rf"\Anexus-pipe: error: {message}\Z")


class Damage(ProofTest):
    """Three segments, the last one short."""

    def setUp(self):
        super().setUp()
        self.stream = self.prove(harness.pattern(2 * SEGMENT + 100))
        self.header, records = parse(self.stream)
        self.segments, self.end = records[:-1], records[-1]

    def changed(self, number, **fields):
        """The stream with a segment that differs; its end fits."""
        segments = list(self.segments)
        segments[number] = dataclasses.replace(segments[number], **fields)
        return closed(self.header, segments)

    def test_the_parts_were_understood(self):
        self.assertEqual([s.tag for s in self.segments],
                         [b"SEGM", b"SEGM", b"LAST"])
        self.assertEqual(closed(self.header, self.segments), self.stream)
        self.assert_exit(self.verify(self.stream), 0)

    def test_no_byte_may_be_another(self):
        """All of header, heads and end, and some of the proofs."""
        starts, at = [], len(self.header)
        for record in self.segments:
            starts.append(at)
            at += HEAD + len(record.proof)
        places = {*range(len(self.header)), *range(at, len(self.stream))}
        for start, record in zip(starts, self.segments):
            places |= set(range(start, start + HEAD))
            inside, size = start + HEAD, len(record.proof)
            places |= {inside + size * k // 12 for k in range(12)}
            places |= {inside + 1, inside + size - 1}

        def accepted(place):
            done = self.verify(flipped(self.stream, place, 1 << place % 8))
            self.assert_clear_error(done, 1)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(accepted, sorted(places)))

    def test_segments_that_are_moved(self):
        a, b, c = self.segments
        for name, segments, message in (
                ("swapped", (b, a, c),
                 "segment 0: the record bears the number 1"),
                ("doubled", (a, a, b, c),
                 "segment 1: the record bears the number 0"),
                ("first missing", (b, c),
                 "segment 0: the record bears the number 1"),
                ("middle missing", (a, c),
                 "segment 1: the record bears the number 2"),
                ("last missing", (a, b),
                 "end: no segment before it is marked as the last one"),
                ("nothing", (), "end: there is no segment before it"),
                ("last alone", (c,),
                 "segment 0: the record bears the number 2"),
                ("more after the last", (a, b, c, c),
                 "segment 3: it follows the last segment")):
            with self.subTest(name):
                self.refused(closed(self.header, segments), message)

    def test_segments_that_are_moved_and_numbered_anew(self):
        a, b, _ = self.segments
        swapped = (dataclasses.replace(b, index=0),
                   dataclasses.replace(a, index=1), self.segments[2])
        self.refused(closed(self.header, swapped), "segment 0: .+")
        last = dataclasses.replace(b, tag=b"LAST")
        self.refused(closed(self.header, (a, last)), "segment 1: .+")
        moved = dataclasses.replace(a, index=1)
        self.refused(closed(self.header, (a, moved, self.segments[2])),
                     "segment 1: .+")

    def test_a_proof_is_of_its_length_digest_and_profile(self):
        other = self.segments[1]
        for name, stream, message in (
                ("shorter", self.changed(2, length=99), "segment 2: .+"),
                ("longer", self.changed(2, length=101), "segment 2: .+"),
                ("digest", self.changed(0, digest=other.digest),
                 "segment 0: .+"),
                ("proof", self.changed(0, proof=other.proof), "segment 0: .+"),
                ("no proof", self.changed(1, proof=b""), "segment 1: .+"),
                ("cut", self.changed(1, proof=other.proof[:-1]),
                 "segment 1: .+"),
                ("more", self.changed(1, proof=other.proof + b"\0"),
                 "segment 1: .+")):
            with self.subTest(name):
                self.refused(stream, message)

    def test_what_a_head_may_say(self):
        too_much = b"\x01\x00\x00\x7f" + self.segments[0].digest[4:]
        for name, stream, message in (
                ("tag", self.changed(1, tag=b"SEGN"),
                 "segment 1: its record has no tag that is known"),
                ("early last", self.changed(1, tag=b"LAST"),
                 "segment 1: .+"),
                ("short", self.changed(1, length=15299),
                 "segment 1: shorter than 15300 bytes, but not the last one"),
                ("long", self.changed(1, length=15301),
                 "segment 1: more bytes than 15300"),
                ("empty", self.changed(2, length=0),
                 "segment 2: empty, but not alone"),
                ("long proof", self.changed(1, proof=bytes(1 << 20)),
                 "segment 1: no proof of 15300 bytes is as long as 1048576"),
                ("digest", self.changed(0, digest=too_much),
                 "segment 0: its digest holds a number that is no field "
                 "element")):
            with self.subTest(name):
                self.refused(stream, message)

    def test_what_the_end_may_say(self):
        begin = self.stream[:-HEAD]
        root = self.end.digest
        for name, changes, message in (
                ("count", {"index": 4},
                 "end: it counts 4 segments, and there are 3"),
                ("length", {"length": 30699},
                 "end: it counts 30699 bytes, and there are 30700"),
                ("root", {"digest": flipped(root, 31)},
                 "end: the root is not that of the segments"),
                ("proof", {"proof": b"x"}, "end: it holds a proof")):
            with self.subTest(name):
                end = dataclasses.replace(self.end, **changes)
                self.refused(begin + end.serialize(), message)

    def test_the_first_bad_segment_is_named_whoever_finds_it(self):
        stream = self.stream
        for number in (2, 1):
            at = stream.index(self.segments[number].proof) + 5000
            stream = flipped(stream, at)
        for threads in ("1", "2", "4"):
            self.refused(stream, "segment 1: .+", "--max-threads", threads)
        cut = stream[:-HEAD]
        self.refused(cut, "segment 1: .+")
        (self.dir / "f").write_bytes(stream)
        done = self.run_it("verify", "f")
        self.assertIn(b"error: segment 1: ", done.stderr)

    def test_numbers_stay_below_their_bound(self):
        data = harness.pattern(SEGMENT)
        whole = self.prove(data, "--first-index", str(2**60 - 1))
        header, (only, _) = parse(whole)
        full = dataclasses.replace(only, tag=b"SEGM")
        beyond = dataclasses.replace(only, index=2**60)
        for command in ("verify", "inspect"):
            done = self.run_it(command, *(["--part"] * (command == "verify")),
                               input=closed(header, (full, beyond)))
            self.assert_clear_error(done, 1)
        self.assertIn(b"segment 1152921504606846976: its number is not below "
                      b"2^60", done.stderr)


class Signals(ProofTest, test_signals.SignalTest):

    def start_midway(self, *words, data):
        """A run whose output has begun and whose input does not end."""
        process = self.start(*words, stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        process.stdin.write(data)
        process.stdin.flush()

        def begun():
            self.assertIsNone(process.poll(), "ended on its own")
            return any(p.stat().st_size > 0 for p in self.dir.glob(".*.tmp"))

        harness.wait_until(begun, "output", harness.TIMEOUT)
        return process

    def assert_stops(self, process, number, code, left):
        got, said = self.stop(process, number)
        self.assertEqual(got, code, said)
        self.assertEqual(said.decode(),
                         f"nexus-pipe: error: stopped by {number.name}\n")
        self.assertEqual(self.names(), left)

    def test_a_signal_stops_prove_and_removes(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start_midway("prove", *ROWS, "-o", "out",
                                        data=harness.pattern(5 * SEGMENT))
            self.assert_stops(process, number, code, [])

    def test_a_signal_stops_a_large_proof(self):
        """One that takes a second or more, in the middle of it."""
        if harness.sanitized():
            self.skipTest("sanitizer builds take too long to stop")
        (self.dir / "in").write_bytes(harness.pattern(1000000))
        process = self.start("prove", "-o", "out", "in",
                             stderr=subprocess.PIPE)
        status = f"/proc/{process.pid}/status"

        def at_work():
            with open(status) as file:
                text = file.read()
            return int(text.split("Threads:")[1].split()[0]) > 3

        harness.wait_until(at_work, "workers")
        self.assert_stops(process, signal.SIGINT, 130, ["in"])

    def test_a_signal_stops_verify_and_digest(self):
        stream = self.prove(harness.pattern(3 * SEGMENT))
        for words, data in ((("verify",), stream[:-100000]),
                            (("digest", *ROWS), harness.pattern(SEGMENT))):
            process = self.start(*words, stdin=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            self.wait_for_handlers(process)
            process.stdin.write(data)
            process.stdin.flush()
            time.sleep(0.2)  # on to where it waits for more
            self.assertIsNone(process.poll(), "does not wait")
            self.assert_stops(process, signal.SIGINT, 130, [])

    def test_a_signal_stops_join_and_removes(self):
        data = harness.pattern(2 * SEGMENT)
        (self.dir / "p1").write_bytes(self.prove(data[:SEGMENT], "--partial"))
        end = self.prove(data[SEGMENT:], "--first-index", "1")
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start_midway("join", "-o", "out", "p1", "-",
                                        data=end[:1000])
            self.assert_stops(process, number, code, ["p1"])


class Output(ProofTest):
    """At a terminal, and where nobody reads."""

    def terminal(self, *arguments):
        with Terminal([harness.binary, *arguments], self.env, self.dir) as tty:
            return tty.finish()

    def setUp(self):
        super().setUp()
        (self.dir / "in").write_bytes(b"hello")
        (self.dir / "f").write_bytes(self.prove(b"hello"))

    def test_no_proof_is_written_to_a_terminal(self):
        for words in (["prove", *ROWS, "in"], ["join", "f"],
                      ["inspect", "--extract-proof", "0", "f"]):
            with self.subTest(words):
                code, shown = self.terminal(*words)
                self.assertEqual(code, 2, shown)
                self.assertNotIn(b"proof stream v1", shown)
                self.assertIn(b"nexus-pipe: error: the output is binary", shown)
                self.assertLess(len(shown), 1000)

    def test_a_dash_forces_it(self):
        for words in (["prove", *ROWS, "-o", "-", "in"],
                      ["join", "-o", "-", "f"]):
            with self.subTest(words):
                code, shown = self.terminal(*words)
                self.assertEqual(code, 0, shown[:1000])
                self.assertIn(b"proof stream v1", shown)

    def test_what_is_text_is_shown(self):
        for words in (["verify", "f"], ["digest", "in"], ["inspect", "f"],
                      ["inspect", "--extract-public-values", "0", "f"]):
            with self.subTest(words):
                self.assertEqual(self.terminal(*words)[0], 0)

    def test_a_reader_that_goes_away_ends_it_quietly(self):
        (self.dir / "in").write_bytes(harness.pattern(20 * SEGMENT))
        process = self.start("prove", *ROWS, "in", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.wait(harness.TIMEOUT), 141)
        self.assertEqual(process.stderr.read(), b"")


class Known(ProofTest):
    """Proofs that Plonky3 itself made of the same bytes."""

    ROWS_FROM, ROWS_TO = 256, 16384

    def test_proofs_equal_those_of_plonky3(self):
        cases = json.loads((harness.VECTORS / "cases.json").read_text())
        tested = 0
        for case in cases:
            profile = {(100, 16): "conjectured", (200, 16): "proven"}.get(
                (case["queries"], case["query_pow"]))
            full = case["length"] == case["rows"] // 256 * SEGMENT
            if (profile is None or not (case["last"] or full) or
                    not self.ROWS_FROM <= case["rows"] <= self.ROWS_TO):
                continue
            tested += 1
            with self.subTest(case["name"]):
                self.check(case, profile)
        self.assertGreater(tested, 1)

    def check(self, case, profile):
        data = subprocess.run(
            [sys.executable, harness.VECTORS / "make_input.py",
             str(case["length"]), str(case["seed"])], check=True,
            stdout=subprocess.PIPE).stdout
        done = self.run_it(
            "prove", "--segment-rows", case["rows"], "--first-index",
            case["index"], "--security", profile, "-o", "f",
            *(["--partial"] * (not case["last"])), input=data, timeout=300)
        self.assert_exit(done, 0)
        done = self.run_it("inspect", "--extract-proof", case["index"], "f")
        self.assertEqual(len(done.stdout), case["proof_0_6_length"])
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(),
                         case["proof_0_6_sha256"])
        done = self.run_it("inspect", "--extract-public-values", case["index"],
                           "f")
        self.assertEqual(json.loads(done.stdout)["public_values"],
                         case["public_values"])


class BigKnown(Known):
    """Those of the default size."""

    ROWS_FROM, ROWS_TO = 65536, 65536


class BigStream(ProofTest):

    def test_a_long_stream_is_proved_and_verified_in_a_pipe(self):
        size = (12 if harness.sanitized() else 200) << 20
        segments = -(-size // (256 * SEGMENT))
        plain = self.dir / "in"
        plain.write_bytes(os.urandom(size))
        done = harness.run_group(
            ["bash", "-o", "pipefail", "-c",
             "nexus-pipe prove < in | tee f | nexus-pipe verify --data in"],
            cwd=self.dir, env=self.env, timeout=480)
        self.assert_exit(done, 0)
        told = done.stdout.decode()
        self.assertIn(f"length        {size}\n", told)
        self.assertIn(f"segments      {segments} of 65536 rows\n", told)
        digest = self.run_it("digest", "in")
        self.assertEqual(digest.stdout.decode().splitlines(),
                         told.splitlines()[:3])
        # One byte of the data, in the third segment.
        with open(plain, "r+b") as file:
            file.seek(9000000)
            byte = file.read(1)[0]
            file.seek(9000000)
            file.write(bytes([byte ^ 0x40]))
        done = self.run_it("verify", "--data", "in", "f")
        self.assert_clear_error(done, 1)
        self.assertIn(b"segment 2: the proof holds, but is about other data",
                      done.stderr)


if __name__ == "__main__":
    harness.main()
