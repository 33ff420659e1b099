#!/usr/bin/env python3
"""Installs the tree, moves it, and uses it as others would.

Runs after everything was built. All of it happens in a scratch folder, and
with the moved tree alone: the place it was installed to is gone by then.
"""

import argparse
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
OPT_IN = {"asio.hpp"}  # public headers that need more than the library


def run(*command, check=True, **options):
    """Runs a command, and on failure shows what it said."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, timeout=300, **options)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(words)}\nexit status {done.returncode}\n"
            f"{done.stdout.decode()}\n{done.stderr.decode()}")
    return done


def text_of(*command, **options):
    return run(*command, **options).stdout.decode().strip()


class Package(unittest.TestCase):
    given = None  # the arguments

    @classmethod
    def setUpClass(cls):
        for name in ("NEXUS_PLUGIN_PATH", "LD_LIBRARY_PATH", "DESTDIR",
                     "CMAKE_PREFIX_PATH", "PKG_CONFIG_PATH"):
            os.environ.pop(name, None)
        folder = tempfile.TemporaryDirectory(prefix="nexus-package-",
                                             dir=cls.given.build)
        cls.addClassCleanup(folder.cleanup)
        cls.scratch = pathlib.Path(folder.name).resolve()
        cls.first = cls.scratch / "installed here"
        run(cls.given.cmake, "--install", cls.given.build, "--prefix", cls.first)
        cls.tree = cls.scratch / "moved" / "to there"
        cls.tree.parent.mkdir()
        shutil.move(cls.first, cls.tree)
        cls.library = next(cls.tree.rglob("libnexus-pipe.so")).parent
        cls.tool = cls.tree / "bin" / "nexus-pipe"
        shutil.copytree(SOURCE / "examples", cls.scratch / "examples")
        cls.built = {name: cls.build(cls.scratch / "examples" / name)
                     for name in ("embed", "plugin")}

    @classmethod
    def build(cls, source):
        """Configures and builds a project against the moved tree."""
        target = cls.scratch / ("build-" + source.name)
        run(cls.given.cmake, "-S", source, "-B", target,
            f"-DCMAKE_PREFIX_PATH={cls.tree}", "-DCMAKE_BUILD_TYPE=Release",
            f"-DCMAKE_C_COMPILER={cls.given.cc}",
            f"-DCMAKE_CXX_COMPILER={cls.given.cxx}",
            f"-DCMAKE_C_FLAGS={cls.given.flags}",
            f"-DCMAKE_CXX_FLAGS={cls.given.flags} -Wall -Wextra -Werror")
        run(cls.given.cmake, "--build", target)
        return target

    def headers(self):
        found = sorted((self.tree / "include" / "nexus").iterdir())
        self.assertIn("engine.hpp", [header.name for header in found])
        return found

    # ---- what was installed ------------------------------------------------

    def test_every_public_header_is_installed(self):
        ours = SOURCE / "core" / "include" / "nexus"
        self.assertEqual([header.name for header in self.headers()],
                         sorted(header.name for header in ours.iterdir()))

    def test_no_text_of_the_package_holds_a_path(self):
        texts = [path for kind in ("*.cmake", "*.pc")
                 for path in self.library.rglob(kind)]
        self.assertGreaterEqual(len(texts), 5)
        for path in texts:
            for place in (self.first, self.given.build, SOURCE):
                self.assertNotIn(str(place), path.read_text(), path)

    def test_no_binary_looks_for_libraries_where_it_was_built(self):
        binaries = [self.tool, *self.library.rglob("*.so")]
        self.assertGreaterEqual(len(binaries), 3)
        for path in binaries:
            lines = text_of("readelf", "-d", path).splitlines()
            for line in lines:
                if "RUNPATH" in line or "RPATH" in line:
                    self.assertIn("[$ORIGIN", line, path)

    def test_public_headers_compile_alone(self):
        for header in self.headers():
            languages = [("c++", self.given.cxx, "c++20")]
            if header.suffix == ".h":
                languages.append(("c", self.given.cc, "c11"))
            for language, compiler, standard in languages:
                with self.subTest(header=header.name, language=language):
                    # Twice: it must bear that.
                    run(compiler, "-x", language, f"-std={standard}", "-Wall",
                        "-Wextra", "-pedantic", "-Werror", "-fsyntax-only",
                        "-isystem" if header.name in OPT_IN else "-I",
                        self.tree / "include", "-",
                        input=f"#include <nexus/{header.name}>\n".encode() * 2)

    def test_public_headers_bring_no_other_library(self):
        for header in self.headers():
            if header.name in OPT_IN:
                continue
            with self.subTest(header=header.name):
                needs = text_of(self.given.cxx, "-x", "c++", "-std=c++20", "-M",
                                "-I", self.tree / "include", header)
                self.assertIn(header.name, needs)
                for other in ("/boost/", "/fmt/", "/asio", "/openssl/",
                              "hwloc", "liburing"):
                    self.assertNotIn(other, needs)

    # ---- hosts -------------------------------------------------------------

    def encrypt_with(self, program):
        """Encrypts a file with a host's program, decrypts it with the tool."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            work = pathlib.Path(folder)
            plain = random.Random(1).randbytes(3_000_001)
            (work / "plain").write_bytes(plain)
            run(self.tool, "keygen", "-o", work / "key")
            recipient = text_of(self.tool, "keygen", "-y", work / "key")
            shown = run(program, recipient, work / "plain", work / "sealed")
            self.assertIn("100 %", shown.stderr.decode())
            self.assertTrue((work / "sealed").read_bytes()
                            .startswith(b"age-encryption.org/v1\n"))
            opened = run(self.tool, "decrypt", "-i", work / "key",
                         work / "sealed")
            self.assertEqual(opened.stdout, plain)

    def test_find_package_builds_a_host(self):
        self.encrypt_with(self.built["embed"] / "encrypt-file")

    def test_pkg_config_builds_a_host(self):
        setting = {**os.environ,
                   "PKG_CONFIG_PATH": str(self.library / "pkgconfig")}

        def asked(*what):  # pkg-config escapes spaces as a shell wants them
            return shlex.split(text_of("pkg-config", "nexus-pipe", *what,
                                       env=setting))

        plugins = pathlib.Path(asked("--variable=plugindir")[0])
        self.assertEqual(plugins.resolve(),
                         self.library / "nexus-pipe" / "plugins")
        library = asked("--variable=libdir")[0]
        program = self.scratch / "encrypt-file"
        run(self.given.cxx, "-std=c++20", *self.given.flags.split(),
            self.scratch / "examples" / "embed" / "main.cpp", "-o", program,
            *asked("--cflags", "--libs"), f"-Wl,-rpath,{library}")
        self.encrypt_with(program)

    def test_a_host_says_what_is_wrong(self):
        program = self.built["embed"] / "encrypt-file"
        self.assertEqual(run(program, check=False).returncode, 2)
        done = run(program, "age1nonsense", "in", "out", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("encrypt-file: ", done.stderr.decode())

    def test_versions_that_are_not_compatible_are_refused(self):
        run(self.given.cmake, "-S", HERE / "version", "-B",
            self.scratch / "build-version",
            f"-DCMAKE_PREFIX_PATH={self.tree}")

    # ---- plugins -----------------------------------------------------------

    def test_the_tool_finds_the_plugins_that_were_moved_with_it(self):
        for cwd in (self.scratch, pathlib.Path("/")):
            listed = json.loads(text_of(self.tool, "plugins", "--json", cwd=cwd))
            cpu = [plugin for plugin in listed["plugins"]
                   if plugin["name"] == "cpu"]
            self.assertEqual(len(cpu), 1, listed)
            self.assertTrue(cpu[0]["loaded"])
            self.assertEqual(pathlib.Path(cpu[0]["path"]).parent,
                             self.library / "nexus-pipe" / "plugins")
        listed = json.loads(text_of(self.tool, "devices", "--json"))
        self.assertIn("cpu:0", [device["id"] for device in listed["devices"]])

    def rot(self, *words, **options):
        return run(self.tool, "run", "rot", "--plugin-dir",
                   self.built["plugin"], *words, **options)

    def test_the_operation_of_a_foreign_plugin_runs(self):
        for size in (0, 1, 65_537, 3_000_001):
            data = random.Random(size).randbytes(size)
            for by in (0, 200):
                with self.subTest(size=size, by=by):
                    expected = data.translate(
                        bytes((byte + by) % 256 for byte in range(256)))
                    done = self.rot("--set", f"by={by}", "--segment-size",
                                    "64K", input=data)
                    self.assertEqual(done.stdout, expected)
        self.assertEqual(self.rot(input=b"Uryyb").stdout, b"b\x7f\x86\x86o")

    def test_the_option_of_a_foreign_plugin_is_checked_by_it(self):
        for setting, message in (("by=256", "by is a number from 0 to 255"),
                                 ("by=", "by is a number from 0 to 255"),
                                 ("to=1", "the only option is by")):
            done = self.rot("--set", setting, input=b"", check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr.decode())

    def test_an_interrupted_run_of_a_foreign_plugin_ends(self):
        with open("/dev/zero", "rb") as endless:
            child = subprocess.Popen(
                [self.tool, "run", "rot", "--plugin-dir", self.built["plugin"]],
                stdin=endless, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
        time.sleep(1)
        self.assertIsNone(child.poll())
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(timeout=30), 130)

    def test_a_foreign_plugin_keeps_the_rules_of_the_abi(self):
        driver = self.scratch / "plugin_driver"
        run(self.given.cc, "-std=c11", "-Wall", "-Wextra", "-pedantic",
            "-Werror", *self.given.flags.split(), "-I", self.tree / "include",
            HERE / "plugin_driver.c", "-o", driver, "-pthread", "-ldl")
        run(driver, self.built["plugin"] / "nexus-rot.so")

    def test_a_foreign_plugin_passes_the_conformance_program(self):
        program = pathlib.Path(self.given.build) / "tests/backend_conformance"
        if not program.exists():
            self.skipTest("tests/backend_conformance was not built")
        done = run(program,
                   f"--plugin={self.built['plugin'] / 'nexus-rot.so'}")
        for name in ("DescribesItsDevice", "WritesNoFurtherThanTheCallersStruct",
                     "SaysWhatItCannotRun", "RefusesToOpenWhatIsNotThere"):
            self.assertIn(f"[       OK ] Devices/BackendTest.{name}/rot",
                          done.stdout.decode())

    def test_a_plugin_that_is_installed_is_found_without_being_named(self):
        copy = self.scratch / "with plugin"
        shutil.copytree(self.tree, copy, symlinks=True)
        source = self.scratch / "examples" / "plugin"
        target = self.scratch / "build-installed"
        run(self.given.cmake, "-S", source, "-B", target,
            f"-DCMAKE_PREFIX_PATH={copy}", f"-DCMAKE_C_COMPILER={self.given.cc}",
            f"-DCMAKE_C_FLAGS={self.given.flags}")
        run(self.given.cmake, "--build", target)
        run(self.given.cmake, "--install", target)
        done = run(copy / "bin" / "nexus-pipe", "run", "rot", input=b"abc")
        self.assertEqual(done.stdout, b"nop")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--flags", default="")
    Package.given, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
