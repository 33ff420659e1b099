#!/usr/bin/env python3
"""The published test vectors (npm package cctv-age) through the command."""

import concurrent.futures
import hashlib
import subprocess
import zlib

from peers import HERE, PeerTest, harness, missing_npm_package, node

SUCCESS = "success"
FAILURES = {"no match", "HMAC failure", "header failure", "armor failure",
            "payload failure"}
KNOWN = {"expect", "payload", "file key", "identity", "passphrase", "armored",
         "compressed", "comment"}


class Vector:
    """Lines of "key: value", an empty line, then a file."""

    def __init__(self, name, data):
        self.name = name
        head, _, body = data.partition(b"\n\n")
        self.fields = {}
        for line in head.decode().splitlines():
            key, _, value = line.partition(": ")
            self.fields.setdefault(key, []).append(value)
        self.body = body
        if self.one("compressed") == "zlib":
            self.body = zlib.decompress(body)

    def one(self, key):
        return self.fields.get(key, [None])[0]

    def unsupported(self):
        """Why it is not for this program, or nothing."""
        unknown = set(self.fields) - KNOWN
        if unknown:
            return f"unknown fields {unknown}"
        if any(i.startswith("AGE-SECRET-KEY-PQ-")
               for i in self.fields.get("identity", [])):
            return "a post-quantum identity"
        return None


class Vectors(PeerTest):

    def setUp(self):
        super().setUp()
        if reason := missing_npm_package("cctv-age"):
            self.skipTest(reason)
        folder = self.dir / "vectors"
        subprocess.run([node(), HERE / "unpack_testkit.mjs", folder],
                       check=True, timeout=harness.TIMEOUT,
                       stdout=subprocess.DEVNULL)
        self.vectors = [Vector(p.name, p.read_bytes())
                        for p in sorted(folder.iterdir())]
        self.assertGreater(len(self.vectors), 100)

    def check(self, vector, *options):
        words = list(options)
        more = {}
        if identities := vector.fields.get("identity"):
            key = self.dir / f"{vector.name}.{'.'.join(options)}.key"
            key.write_text("\n".join(identities) + "\n")
            words += ["-i", key]
        if passphrase := vector.one("passphrase"):
            file = self.dir / f"{vector.name}.passphrase"
            file.write_text(passphrase + "\n")
            words += ["--passphrase-file", file]
        done = self.run_it("decrypt", *words, input=vector.body, **more)
        if vector.one("expect") == SUCCESS:
            self.assert_exit(done, 0)
        else:
            self.assertIn(vector.one("expect"), FAILURES)
            self.assert_clear_error(done, 1)
        if released := vector.one("payload"):
            self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), released,
                             f"{len(done.stdout)} bytes released")
        else:
            self.assertEqual(done.stdout, b"")

    def run_all(self, *options):
        failures = []
        supported = [v for v in self.vectors if not v.unsupported()]
        self.assertGreater(len(supported), 90)

        def attempt(vector):
            try:
                self.check(vector, *options)
            except AssertionError as problem:
                failures.append(f"{vector.name}: {problem}")

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(attempt, supported))
        if failures:
            self.fail("\n".join(failures))

    def test_as_it_comes(self):
        for vector in self.vectors:
            if reason := vector.unsupported():
                print(f"skip: vector {vector.name}: {reason}")
        self.run_all()

    def test_on_one_thread(self):
        self.run_all("--max-threads", "1")

    def test_on_seven_threads_a_chunk_at_a_time(self):
        self.run_all("--max-threads", "7", "--segment-size", "64K")


if __name__ == "__main__":
    harness.main()
