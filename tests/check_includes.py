#!/usr/bin/env python3
"""Checks that every folder includes only what it is allowed to.

usage: check_includes.py ROOT

The layers of the library are folders of core/, and the table below says which
of them each may use. A header that no rule knows is an error too: add it to
the list that it belongs to. One line a violation; exit status 1 if there is
any, 2 if there is nothing to check.
"""

import pathlib
import re
import sys

STANDARD = set(
    """algorithm any array atomic barrier bit bitset charconv chrono cmath compare
    complex concepts condition_variable coroutine deque exception execution
    filesystem forward_list fstream functional future initializer_list iomanip
    ios iosfwd iostream istream iterator latch limits list locale map memory
    memory_resource mutex new numbers numeric optional ostream queue random
    ranges ratio regex scoped_allocator semaphore set shared_mutex
    source_location span sstream stack stdexcept stop_token streambuf string
    string_view syncstream system_error thread tuple type_traits typeindex
    typeinfo unordered_map unordered_set utility valarray variant vector version
    cassert cctype cerrno cfenv cfloat cinttypes climits clocale csetjmp csignal
    cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype
    assert.h ctype.h errno.h fenv.h float.h inttypes.h limits.h locale.h math.h
    setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h
    stdint.h stdio.h stdlib.h stdnoreturn.h string.h threads.h time.h uchar.h
    wchar.h wctype.h""".split()
)

# Families of headers, by pattern.
FAMILIES = {
    "system": r"(sys|linux|asm|net|netinet|arpa)/.*|(dirent|dlfcn|elf|fcntl|link"
    r"|poll|pthread|pwd|sched|spawn|syslog|termios|unistd)\.h",
    "intrinsics": r"(immintrin|cpuid|arm_neon|x86intrin)\.h",
    "openssl": r"openssl/.*",
    "asio": r"boost/(asio(/.*|\.hpp)|system/system_error\.hpp)",
    "uring": r"liburing\.h",
    "hwloc": r"hwloc(/.*|\.h)",
    "tool": r"(CLI|nlohmann|fmt)/.*|(langinfo|ncurses)\.h",
    "vector": r"hwy/.*",
    "vendor": r"intel-ipsec-mb\.h|CL/.*|(cuda|nvrtc|nvml)[a-z_]*\.h|cuda/.*",
    "abi": r"nexus/plugin\.h",
    "nexus": r"nexus/(?!asio\.hpp$)[a-z_]+\.(h|hpp)",
    "status": r"nexus/status\.hpp",
    "sqlite": r"sqlite3\.h",
    "proofs": r"nexus/(prover|status)\.hpp",
}

# Of a folder of core/: the other folders, and the families.
CORE = {
    "base": ([], ["nexus", "openssl", "system"]),
    "async": (["base"], ["asio", "nexus", "system"]),
    "crypto": (["base"], ["nexus", "openssl", "system"]),
    "format": (["base", "crypto", "prover"], ["nexus"]),
    "ops": (["base", "crypto", "format", "prover"], ["nexus"]),
    "hwinfo": (["base"], ["nexus", "hwloc", "system"]),
    "kernels": ([], []),
    "prover": (["base"], ["nexus", "system", "vector"]),
    "io": (["async", "base"], ["nexus", "asio", "system", "uring"]),
    "backend": (["async", "base"], ["nexus", "system"]),
    "isolate": (["async", "backend", "base", "hwinfo"], ["nexus", "system"]),
    "engine": (
        ["async", "backend", "base", "hwinfo", "io", "isolate"],
        ["nexus", "asio", "system"],
    ),
}

# What every plugin may use beside its own folder: where it lies.
SHARED = {"common": "plugins", "kernels": "core", "prover": "core"}
PLUGIN = ["abi", "intrinsics", "openssl", "proofs", "system", "vendor"]
TOOL = ["nexus", "system", "tool"]
# The job queue knows nothing of the engine.
QUEUE = ["openssl", "sqlite", "status", "system", "tool"]
SOURCES = {".c", ".cc", ".cpp", ".cu", ".cl", ".h", ".hpp", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def family_allowed(header, families):
    return header in STANDARD or any(
        re.fullmatch(FAMILIES[name], header) for name in families
    )


def own_file(path, top, header):
    """Whether a quoted header is a file of the folder `top`."""
    return ".." not in header.split("/") and any(
        (folder / header).is_file() for folder in (path.parent, top)
    )


def wrong_in_core(root, path, quoted, header):
    folder = path.relative_to(root / "core").parts[0]
    if folder == "include":
        return wrong_in_public(path, quoted, header)
    if folder not in CORE:
        return f"no rule for core/{folder}"
    folders, families = CORE[folder]
    if not quoted:
        ok = family_allowed(header, families)
        return None if ok else f"core/{folder} may not use <{header}>"
    first = header.split("/")[0]
    if not (root / "core" / header).is_file() or "/" not in header:
        return f'"{header}" is no path below core/'
    if first != folder and first not in folders:
        return f"core/{folder} may not use core/{first}"
    return None


def wrong_in_public(path, quoted, header):
    if quoted:
        return "public headers include each other as <nexus/...>"
    families = ["nexus"]
    if path.name == "plugin.h":
        families = []
    elif path.name == "asio.hpp":
        families = ["nexus", "asio"]
    ok = family_allowed(header, families)
    return None if ok else f"nexus/{path.name} may not use <{header}>"


def wrong_outside(path, top, families, quoted, header):
    if quoted:
        ok = own_file(path, top, header)
        return None if ok else f'"{header}" is no file of {top.name}/'
    ok = family_allowed(header, families)
    return None if ok else f"{top.name}/ may not use <{header}>"


def includes(path):
    """Yields (line number, quoted, header)."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def wrong(root, path, quoted, header):
    """What is wrong with one include, or None."""
    area, inner = path.relative_to(root).parts[:2]
    if area == "core":
        return wrong_in_core(root, path, quoted, header)
    plugin = area == "plugins" or (area, inner) == ("examples", "plugin")
    if plugin and quoted:
        shared = SHARED.get(header.split("/")[0])
        if shared and (root / shared / header).is_file():
            return None
    families = PLUGIN if plugin else TOOL
    if (area, inner) == ("tools", "nexus"):
        families = QUEUE
    return wrong_outside(path, root / area / inner, families, quoted, header)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[0]).resolve()
    files = [
        path
        for area in ("core", "plugins", "tools", "examples")
        for path in sorted((root / area).rglob("*"))
        if path.suffix in SOURCES and path.is_file()
    ]
    failed = 0
    for path in files:
        for number, quoted, header in includes(path):
            what = wrong(root, path, quoted, header)
            if what:
                failed += 1
                print(f"{path.relative_to(root)}:{number}: {what}")
    print(f"{len(files)} files, {failed} violations")
    return 2 if not files else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
