#!/usr/bin/env python3
"""Checks that the library exports names of its own alone.

usage: exported_symbols.py NM LIBRARY

A name of Boost's or the standard library's could be taken for the host's own
copy of it, of another version.
"""

import re
import subprocess
import sys

# Some of what hosts cannot do without: a list without them is no good list.
EXPECTED = ("nexus::engine::start(", "nexus::age::make_encrypt(",
            "nexus::version()")
OWN = re.compile(r"((vtable|typeinfo|typeinfo name) for )?nexus::[a-z_]")
FOREIGN = re.compile(r"\bboost::|\basio::|\bfmt::")


def main(nm, library):
    listed = subprocess.run([nm, "-DC", "--defined-only", library], text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    # "0000000000012340 T nexus::version()"
    names = [line.split(" ", 2)[2] for line in listed.splitlines()]
    bad = [name for name in names
           if not OWN.match(name) or FOREIGN.search(name)]
    for name in bad:
        print("exported, but not ours:", name)
    missing = [want for want in EXPECTED
               if not any(name.startswith(want) for name in names)]
    for want in missing:
        print("not exported:", want)
    print(len(names), "names are exported")
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
