#!/usr/bin/env python3
"""Cut, flipped and rearranged files: nothing but authentic bytes comes out."""

import concurrent.futures

import harness
from harness import CHUNK, HEADER, NONCE, SEALED_CHUNK

PAYLOAD = HEADER + NONCE
LAST_LINE = b"-----END AGE ENCRYPTED FILE-----"


def flipped(data, at, mask=1):
    copy = bytearray(data)
    copy[at] ^= mask
    return bytes(copy)


class Damage(harness.CommandTest):

    def setUp(self):
        super().setUp()
        self.plain = harness.pattern(2 * CHUNK + 30000)
        self.pool = self.enterContext(
            concurrent.futures.ThreadPoolExecutor(2))

    def for_each(self, check, cases):
        """check(*case) for all of them, two at once; tells the first few."""
        failures = []

        def attempt(case):
            try:
                check(*case)
            except AssertionError as problem:
                failures.append(f"{case}: {problem}")

        list(self.pool.map(attempt, cases))
        if failures:
            self.fail(f"{len(failures)} failures\n" + "\n".join(failures[:5]))

    def refused(self, data, released=b"", *options):
        """Fails with exactly `released` on standard output."""
        done = self.decrypt(data, *options)
        self.assert_clear_error(done, 1)
        self.assertEqual(len(done.stdout), len(released), "bytes released")
        self.assertEqual(done.stdout, released)

    def refused_to_file(self, data, name):
        done = self.decrypt(data, "-o", name)
        self.assert_clear_error(done, 1)
        self.assertEqual(done.stdout, b"")

    def refused_or_same(self, data, plain):
        """For armor, whose white space is free where it ends."""
        done = self.decrypt(data)
        if done.returncode == 0:
            self.assertEqual(done.stdout, plain)
        else:
            self.assert_clear_error(done, 1)
            self.assertEqual(done.stdout, b"")


class SmallFile(Damage):

    plain_text = b"secret"

    def test_cut_at_every_byte(self):
        sealed = self.encrypt(self.plain_text)
        self.assertEqual(len(sealed), PAYLOAD + 6 + 16)
        self.for_each(lambda n: self.refused_to_file(sealed[:n], f"out{n}"),
                      [(n,) for n in range(len(sealed))])
        self.assertEqual(self.names(), [])

    def test_every_byte_flipped(self):
        sealed = self.encrypt(self.plain_text)
        self.for_each(
            lambda n: self.refused(flipped(sealed, n, 1 << n % 8)),
            [(n,) for n in range(len(sealed))])

    def test_armor_cut_at_every_byte(self):
        sealed = self.encrypt(self.plain_text, "-a")
        end = sealed.index(LAST_LINE) + len(LAST_LINE)
        self.for_each(lambda n: self.refused_to_file(sealed[:n], f"out{n}"),
                      [(n,) for n in range(end)])
        self.assertEqual(self.names(), [])
        self.assertEqual(self.decrypt(sealed[:end]).stdout, self.plain_text)

    def test_every_byte_of_armor_flipped(self):
        sealed = self.encrypt(self.plain_text, "-a")
        end = sealed.index(LAST_LINE) + len(LAST_LINE)
        self.for_each(
            lambda n: self.refused(flipped(sealed, n, 1 << n % 8)),
            [(n,) for n in range(end)])
        self.for_each(
            lambda n: self.refused_or_same(flipped(sealed, end, 1 << n),
                                           self.plain_text),
            [(n,) for n in range(8)])

    def test_an_empty_chunk_after_a_full_one(self):
        # Sealed as the last chunk of a file of its own.
        empty = self.encrypt(b"")
        whole = self.encrypt(self.plain[:CHUNK])
        self.refused(whole + empty[PAYLOAD:], self.plain[:CHUNK])

    def test_line_noise(self):
        for data in (b"", b"\0", b"\n", b"age-encryption.org/v2\n-> x\n",
                     b"age-encryption.org/v1\n" * 3, b"\xff" * 100000,
                     b"age-encryption.org/v1\n" + b"-> X25519 x\n\n" * 5000,
                     b"-----BEGIN AGE ENCRYPTED FILE-----\n" * 3,
                     b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"A" * 9999999):
            with self.subTest(data[:60]):
                self.refused(data)


class ThreeChunks(Damage):
    """Two full chunks and a short one, at several numbers of threads."""

    shapes = [("--max-threads", str(threads), *segment)
              for threads in (1, 2, 7)
              for segment in ((), ("--segment-size", "64K"))]

    def released_before(self, at):
        """What a decryptor may give away of a file that is wrong at `at`."""
        full = max(0, at - PAYLOAD) // SEALED_CHUNK
        return self.plain[:full * CHUNK]

    def offsets(self, size):
        """The edges of each part, and some within."""
        starts = [PAYLOAD + k * SEALED_CHUNK for k in range(3)]
        edges = [0, 22, 40, HEADER - 1, HEADER, PAYLOAD - 1, size - 17,
                 size - 16]
        inside = [s + d for s in starts for d in (0, 1, 63, 4096, 29000)]
        ends = [s - d for s in starts[1:] for d in (1, 16, 17)]
        return sorted({*edges, *inside, *ends, size - 1})

    def test_flipped_bytes(self):
        sealed = self.encrypt(self.plain)
        self.for_each(
            lambda at, shape: self.refused(
                flipped(sealed, at), self.released_before(at), *shape),
            [(at, shape) for at in self.offsets(len(sealed))
             for shape in self.shapes])

    def test_flipped_bytes_of_a_regular_file(self):
        """A file is read in pieces at once, a pipe in order."""
        sealed = self.encrypt(self.plain)

        def check(at):
            file = self.dir / f"in{at}"
            file.write_bytes(flipped(sealed, at))
            done = self.run_it("decrypt", "-i", harness.ALICE_KEY,
                               "--max-threads", "2", "--segment-size", "64K",
                               file)
            self.assert_clear_error(done, 1)
            self.assertEqual(done.stdout, self.released_before(at))

        self.for_each(check, [(at,) for at in self.offsets(len(sealed))])

    def test_cut_around_the_ends_of_chunks(self):
        sealed = self.encrypt(self.plain)
        cuts = {PAYLOAD + k * SEALED_CHUNK + d for k in range(3)
                for d in (-17, -16, -1, 0, 1, 15, 16, 17)}
        cuts |= {len(sealed) - d for d in (1, 15, 16, 17)}
        self.for_each(
            lambda cut, shape: self.refused(
                sealed[:cut], self.released_before(cut), *shape),
            [(cut, shape) for cut in sorted(cuts)
             for shape in self.shapes[1:4]])

    def test_appended_bytes(self):
        sealed = self.encrypt(self.plain)
        before = self.plain[:2 * CHUNK]
        self.for_each(
            lambda more, shape: self.refused(sealed + more, before, *shape),
            [(more, shape) for more in (b"\0", b"\n", bytes(16), sealed)
             for shape in self.shapes])

    def test_bytes_after_a_last_chunk_that_is_full(self):
        plain = self.plain[:2 * CHUNK]
        sealed = self.encrypt(plain)
        for shape in self.shapes:
            for more in (b"\0", bytes(SEALED_CHUNK), sealed[PAYLOAD:]):
                with self.subTest(shape, more=len(more)):
                    done = self.decrypt(sealed + more, *shape)
                    self.assert_clear_error(done, 1)
                    self.assertEqual(done.stdout, plain)

    def test_chunks_that_are_moved(self):
        sealed = self.encrypt(self.plain)
        head, rest = sealed[:PAYLOAD], sealed[PAYLOAD:]
        a, b, c = rest[:SEALED_CHUNK], rest[SEALED_CHUNK:2 * SEALED_CHUNK], \
            rest[2 * SEALED_CHUNK:]
        other = self.encrypt(self.plain)[PAYLOAD:][:SEALED_CHUNK]
        one = self.plain[:CHUNK]
        for name, payload, released in (
                ("swapped", b + a + c, b""), ("doubled", a + a + b + c, one),
                ("first missing", b + c, b""), ("middle missing", a + c, one),
                ("last alone", c, b""), ("last first", c + a + b, b""),
                ("of another file", other + b + c, b"")):
            for shape in self.shapes:
                with self.subTest(name, shape=shape):
                    self.refused(head + payload, released, *shape)

    def test_armor_damaged_in_the_middle(self):
        sealed = self.encrypt(self.plain, "-a")
        lines = sealed.splitlines(keepends=True)
        middle = len(lines) // 2
        for name, text in (
                ("a line missing", lines[:middle] + lines[middle + 1:]),
                ("a short line", [*lines[:middle], lines[middle][4:],
                                  *lines[middle + 1:]]),
                ("an empty line", [*lines[:middle], b"\n", *lines[middle:]]),
                ("a strange letter", [*lines[:middle],
                                      b"*" + lines[middle][1:],
                                      *lines[middle + 1:]]),
                ("no end", lines[:-1]), ("two files", lines + lines)):
            for shape in self.shapes:
                with self.subTest(name, shape=shape):
                    done = self.decrypt(b"".join(text), *shape)
                    self.assert_clear_error(done, 1)
                    self.assert_whole_chunks(done.stdout, self.plain)


class WhatStandsInAFile(Damage):

    def test_a_redirected_file_holds_a_prefix_and_its_offset_the_end(self):
        sealed = flipped(self.encrypt(self.plain), PAYLOAD + SEALED_CHUNK + 9)
        with open(self.dir / "out", "w+b") as out:
            out.write(b"before|")
            out.flush()
            done = self.decrypt(sealed, stdout=out)
            self.assert_clear_error(done, 1)
            self.assertEqual(out.seek(0, 1), 7 + CHUNK)
            out.seek(0)
            self.assertEqual(out.read(), b"before|" + self.plain[:CHUNK])

    def test_a_named_file_is_not_there(self):
        sealed = flipped(self.encrypt(self.plain), PAYLOAD + SEALED_CHUNK + 9)
        for options in ((), ("--no-sync",), ("--io", "threads")):
            with self.subTest(options):
                done = self.decrypt(sealed, "-o", "out", *options)
                self.assert_clear_error(done, 1)
                self.assertEqual(self.names(), [])


if __name__ == "__main__":
    harness.main()
