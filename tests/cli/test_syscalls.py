#!/usr/bin/env python3
"""What runs say to the kernel, by strace: how little goes over the sockets of
helper processes, and that keys go nowhere else."""

import re
import shutil
import subprocess

import harness

PARAMETERS = 192  # where those of a job begin in its packet (protocol.hpp)
KEY = PARAMETERS + 16  # nexus_age_params.key


class Traced(harness.CommandTest):

    def setUp(self):
        super().setUp()
        if not shutil.which("strace"):
            self.skipTest("there is no strace")
        probe = subprocess.run(["strace", "-qq", "true"], capture_output=True)
        if probe.returncode != 0:
            self.skipTest("strace is not allowed here: "
                          + probe.stderr.decode().strip())
        if harness.sanitized():
            self.skipTest("a sanitizer makes calls of its own")

    def trace(self, options, *words, **more):
        return harness.run_group(
            ["strace", "-f", "-qq", "-o", "trace", *options,
             str(harness.binary), *map(str, words)],
            cwd=self.dir, env=self.env, **more)

    def lines(self):
        return (self.dir / "trace").read_text().splitlines()


class Sockets(Traced):

    def test_payload_does_not_travel(self):
        megabyte = 1 << 20
        (self.dir / "in").write_bytes(bytes(64 * megabyte))
        done = self.trace(["-e", "trace=sendmsg,sendto,recvmsg,recvfrom"],
                          "encrypt", "-r", harness.ALICE, "--isolate=all",
                          "--segment-size", "1M", "-o", "out", "in")
        self.assert_exit(done, 0)
        bytes_of = {"send": 0, "recv": 0}
        for line in self.lines():
            moved = re.search(r"(send|recv)\w+(?:\(| resumed).* = (\d+)\Z",
                              line)
            if moved:
                bytes_of[moved[1]] += int(moved[2])
        print(f"over sockets, of 64 segments: {bytes_of}", flush=True)
        # What one side sends the other receives: each byte counts once.
        self.assertGreater(bytes_of["send"], 64 * 500, "not all was seen")
        for direction, total in bytes_of.items():
            self.assertLess(total, 64 * 4096, direction)

    def test_the_key_goes_to_sockets_alone(self):
        (self.dir / "in").write_bytes(harness.pattern(300000))
        done = self.trace(
            ["-xx", "-s", "400000", "-e", "trace=write,pwrite64,writev,"
             "pwritev,pwritev2,sendmsg,sendto,execve,splice,vmsplice"],
            "encrypt", "-r", harness.ALICE, "--isolate=all", "--io", "threads",
            "-o", "out", "in")
        self.assert_exit(done, 0)
        lines = [line.replace("\\x", "") for line in self.lines()]
        operation = b"age-seal".hex()
        jobs = [line for line in lines
                if "sendmsg(" in line and operation in line]
        self.assertTrue(jobs, "no job was sent")
        packet = re.search(r'iov_base="([0-9a-f]+)"', jobs[0])[1]
        key = packet[2 * KEY:2 * (KEY + 32)]
        self.assertEqual(len(key), 64)
        self.assertGreater(len(set(bytes.fromhex(key))), 10, "not a key")
        seen = {re.search(r"(\w+)\(", line)[1]
                for line in lines if key in line}
        self.assertEqual(seen, {"sendmsg"})
        # The payload was seen: the calls are those that write it.
        self.assertTrue(any("write" in line and len(line) > harness.CHUNK
                            for line in lines), "no payload was written")


if __name__ == "__main__":
    harness.main()
