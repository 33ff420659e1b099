#!/usr/bin/env python3
"""Tests of check_includes.py on trees of one bad or good include each."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKER = pathlib.Path(__file__).resolve().parents[1] / "check_includes.py"

FILES = ["core/base/bytes.hpp", "core/ops/keys.hpp", "core/engine/run.hpp",
         "core/async/scope.hpp", "plugins/cpu/pool.hpp", "plugins/gpu/queue.hpp",
         "tools/nexus-pipe/words.hpp"]

BAD = [
    ("core/base/a.cpp", "<boost/asio/post.hpp>"),
    ("core/base/a.cpp", "<liburing.h>"),
    ("core/base/a.cpp", '"ops/keys.hpp"'),
    ("core/ops/a.cpp", '"engine/run.hpp"'),
    ("core/ops/a.cpp", '"async/scope.hpp"'),
    ("core/ops/a.cpp", "<openssl/evp.h>"),
    ("core/ops/a.cpp", "<nexus/asio.hpp>"),
    ("core/engine/a.cpp", '"ops/keys.hpp"'),
    ("core/engine/a.cpp", '"run.hpp"'),
    ("core/engine/a.cpp", '"engine/missing.hpp"'),
    ("core/engine/a.cpp", "<boost/beast.hpp>"),
    ("core/hwinfo/a.cpp", '"async/scope.hpp"'),
    ("core/surprise/a.cpp", "<vector>"),
    ("core/include/nexus/engine.hpp", "<boost/asio/post.hpp>"),
    ("core/include/nexus/engine.hpp", "<nexus/asio.hpp>"),
    ("core/include/nexus/engine.hpp", '"base/bytes.hpp"'),
    ("core/include/nexus/plugin.h", "<nexus/status.hpp>"),
    ("plugins/cpu/a.cpp", "<nexus/engine.hpp>"),
    ("plugins/cpu/a.cpp", '"base/bytes.hpp"'),
    ("plugins/cpu/a.cpp", '"../gpu/queue.hpp"'),
    ("plugins/cpu/a.cpp", "<boost/asio/post.hpp>"),
    ("tools/nexus-pipe/a.cpp", '"base/bytes.hpp"'),
    ("tools/nexus-pipe/a.cpp", "<openssl/evp.h>"),
    ("tools/nexus-pipe/a.cpp", "<sqlite3.h>"),
    ("tools/nexus/a.cpp", "<nexus/engine.hpp>"),
]

GOOD = [
    ("core/base/a.cpp", "<openssl/crypto.h>"),
    ("core/engine/a.cpp", '"async/scope.hpp"'),
    ("core/engine/a.cpp", "<boost/asio/post.hpp>"),
    ("core/ops/a.cpp", "<nexus/plugin.h>"),
    ("core/include/nexus/asio.hpp", "<boost/asio/post.hpp>"),
    ("core/include/nexus/plugin.h", "<stdint.h>"),
    ("plugins/cpu/a.cpp", '"pool.hpp"'),
    ("plugins/gpu/a.cpp", "<cuda_runtime.h>"),
    ("tools/nexus-pipe/a.cpp", "<nexus/age.hpp>"),
    ("tools/nexus/a.cpp", "<nexus/status.hpp>"),
    ("tools/nexus/a.cpp", "<sqlite3.h>"),
    ("examples/plugin/a.c", "<pthread.h>"),
]


class CheckIncludes(unittest.TestCase):
    def check(self, name, include):
        with tempfile.TemporaryDirectory() as scratch:
            root = pathlib.Path(scratch)
            for path in FILES + [name]:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).touch()
            (root / name).write_text(f"// first line\n#include {include}\n")
            return subprocess.run([sys.executable, CHECKER, root], text=True,
                                  stdout=subprocess.PIPE, check=False)

    def test_names_file_and_line_of_what_is_forbidden(self):
        for name, include in BAD:
            with self.subTest(name=name, include=include):
                done = self.check(name, include)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(f"{name}:2: ", done.stdout)

    def test_is_content_with_what_is_allowed(self):
        for name, include in GOOD:
            with self.subTest(name=name, include=include):
                done = self.check(name, include)
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_refuses_a_tree_without_sources(self):
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run([sys.executable, CHECKER, empty],
                                  stdout=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
