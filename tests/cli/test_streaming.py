#!/usr/bin/env python3
"""Bytes come out while more come in; pipes and sockets of every kind."""

import os
import socket
import subprocess
import threading
import time

import harness
from harness import CHUNK, HEADER, NONCE, SEALED_CHUNK

SOON = 5  # seconds; a fraction of one on an idle machine


class Streaming(harness.CommandTest):

    def read_within(self, fd, size, seconds=SOON):
        """Exactly size bytes, which must come within the time."""
        os.set_blocking(fd, False)
        got = b""

        def more():
            nonlocal got
            try:
                got += os.read(fd, size - len(got))
            except BlockingIOError:
                pass
            return len(got) == size

        harness.wait_until(more, f"{size} bytes of output, while the input is "
                           "open", seconds)
        os.set_blocking(fd, True)
        return got

    def pipe(self, *words, data):
        process = self.start(*words, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(data)
        process.stdin.flush()
        return process

    def finish(self, process, more, first):
        """All of the output; `first` was read already."""
        out, err = process.communicate(more, harness.TIMEOUT)
        self.assertEqual(process.returncode, 0, err)
        return first + out

    def test_encrypt_gives_a_chunk_as_soon_as_more_follows(self):
        plain = harness.pattern(CHUNK + 1)
        process = self.pipe("encrypt", "-r", harness.ALICE, data=plain)
        first = self.read_within(process.stdout.fileno(),
                                 HEADER + NONCE + SEALED_CHUNK)
        sealed = self.finish(process, b"end", first)
        self.assertEqual(self.decrypt(sealed).stdout, plain + b"end")

    def test_encrypt_gives_what_it_can_of_an_odd_size(self):
        plain = harness.pattern(200000)
        process = self.pipe("encrypt", "-r", harness.ALICE, data=plain)
        first = self.read_within(process.stdout.fileno(),
                                 HEADER + NONCE + 3 * SEALED_CHUNK)
        sealed = self.finish(process, b"end", first)
        self.assertEqual(self.decrypt(sealed).stdout, plain + b"end")

    def test_armor_is_given_as_it_comes(self):
        plain = harness.pattern(200000)
        process = self.pipe("encrypt", "-a", "-r", harness.ALICE, data=plain)
        first = self.read_within(process.stdout.fileno(), 100000)
        sealed = self.finish(process, b"", first)
        self.assertEqual(self.decrypt(sealed).stdout, plain)

    def test_decrypt_gives_a_chunk_as_soon_as_more_follows(self):
        plain = harness.pattern(200000)
        for armor in ((), ("-a",)):
            with self.subTest(armor):
                sealed = self.encrypt(plain, *armor)
                here = HEADER + NONCE + 2 * SEALED_CHUNK + 1
                if armor:
                    here = len(sealed) * 3 // 4
                process = self.pipe("decrypt", "-i", harness.ALICE_KEY,
                                    data=sealed[:here])
                first = self.read_within(process.stdout.fileno(), 2 * CHUNK)
                self.assertEqual(self.finish(process, sealed[here:], first),
                                 plain)

    def test_a_chain_passes_on_what_a_slow_producer_gives(self):
        plain = harness.pattern(200000)
        first = self.pipe("encrypt", "-r", harness.ALICE, data=plain)
        second = self.start("decrypt", "-i", harness.ALICE_KEY,
                            stdin=first.stdout, stdout=subprocess.PIPE)
        first.stdout.close()
        begin = self.read_within(second.stdout.fileno(), 2 * CHUNK)
        first.stdin.write(b"end")
        first.stdin.close()
        self.assertEqual(begin + second.stdout.read(), plain + b"end")
        self.assertEqual(second.wait(harness.TIMEOUT), 0)

    def test_a_producer_of_small_pieces(self):
        plain = harness.pattern(70000)
        process = self.start("encrypt", "-r", harness.ALICE,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def produce():
            for at in range(0, len(plain), 7):
                os.write(process.stdin.fileno(), plain[at:at + 7])
            process.stdin.close()

        thread = threading.Thread(target=produce)
        thread.start()
        sealed = process.stdout.read()
        thread.join()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.decrypt(sealed).stdout, plain)

    def test_a_consumer_that_is_slow(self):
        source = self.dir / "in"
        source.write_bytes(plain := harness.pattern(6 << 20))
        process = self.start("encrypt", "-r", harness.ALICE, "--memory", "2M",
                             "--telemetry", "t", source, stdout=subprocess.PIPE)
        sealed = process.stdout.read(100000)
        time.sleep(0.5)
        sealed += process.stdout.read()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.decrypt(sealed).stdout, plain)

    def test_pipes_that_do_not_block(self):
        """Another program may have left them so."""
        plain = harness.pattern(3 << 20)
        for io in ("auto", "threads"):
            with self.subTest(io):
                source, into = os.pipe()
                outof, sink = os.pipe()
                os.set_blocking(source, False)
                os.set_blocking(sink, False)
                process = self.start("encrypt", "-r", harness.ALICE, "--io", io,
                                     stdin=source, stdout=sink)
                os.close(source)
                os.close(sink)

                def produce():
                    with open(into, "wb") as file:
                        for at in range(0, len(plain), 1 << 20):
                            time.sleep(0.1)
                            file.write(plain[at:at + (1 << 20)])

                thread = threading.Thread(target=produce)
                thread.start()
                with open(outof, "rb") as file:
                    sealed = file.read()
                thread.join()
                self.assertEqual(process.wait(harness.TIMEOUT), 0)
                self.assertEqual(self.decrypt(sealed).stdout, plain)

    def test_sockets_at_both_ends(self):
        plain = harness.pattern(1 << 20)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self.start("encrypt", "-r", harness.ALICE,
                                 stdin=theirs, stdout=theirs)
            theirs.close()

            def produce():
                ours.sendall(plain)
                ours.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=produce)
            thread.start()
            sealed = b"".join(iter(lambda: ours.recv(65536), b""))
            thread.join()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        self.assertEqual(self.decrypt(sealed).stdout, plain)

    def test_an_input_that_shrinks_meanwhile(self):
        """Its end is an end or an error, and no defect of the program."""
        whole = harness.pattern(16 << 20)
        sealed = self.encrypt(whole)
        for words, data in ((["encrypt", "-r", harness.ALICE], whole),
                            (["decrypt", "-i", harness.ALICE_KEY], sealed)):
            for io in ("auto", "threads"):
                with self.subTest(words[0], io=io):
                    self.shrink([*words, "--io", io], data, whole)

    def shrink(self, words, data, whole):
        source = self.dir / "in"
        source.write_bytes(data)
        process = self.start(*words, "--memory", "1M", source,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = os.read(process.stdout.fileno(), 1000)
        os.truncate(source, 1 << 20)
        out, err = process.communicate(timeout=harness.TIMEOUT)
        done = subprocess.CompletedProcess(words, process.returncode,
                                           first + out, err)
        if words[0] == "decrypt":
            self.assert_whole_chunks(done.stdout, whole)
            self.assertIn(harness.status(done.returncode), (1, 3))
        if done.returncode != 0:
            self.assert_clear_error(done, harness.status(done.returncode))
        else:
            plain = self.decrypt(done.stdout).stdout
            self.assertEqual(plain, whole[:len(plain)])

    def test_what_follows_in_a_pipe_belongs_to_the_same_file(self):
        """Two files in one pipe are one damaged file, not one good one."""
        done = self.decrypt(self.encrypt(b"one") + self.encrypt(b"two"))
        self.assert_clear_error(done, 1)
        self.assertEqual(done.stdout, b"")


if __name__ == "__main__":
    harness.main()
