"""What the tests against other implementations share."""

import os
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))
sys.dont_write_bytecode = True

import harness  # noqa: E402

SIZES = (0, 1, 65535, 65536, 65537, 131072, 257 * 65536 + 1)


def missing_npm_package(name):
    """Why the package cannot be used, or nothing."""
    if shutil.which(node()) is None:
        return f"no program {node()}"
    if not (HERE / "node_modules" / name / "package.json").exists():
        return f"tests/peers/node_modules/{name} is missing: run npm ci there"
    return None


def node():
    """Another version than the path's may be named in the environment."""
    return os.environ.get("NEXUS_TEST_NODE", "node")


def secret_key(path):
    """The identity in one of the fixed key files."""
    return path.read_text().split()[-1]


class PeerTest(harness.CommandTest):

    def shell(self, command, **more):
        return harness.run_group(["bash", "-o", "pipefail", "-c", command],
                                 cwd=self.dir, env=self.env, **more)

    def opened(self, done, plain):
        self.assert_exit(done, 0)
        self.assertEqual(len(done.stdout), len(plain))
        self.assertTrue(done.stdout == plain, "other bytes")
