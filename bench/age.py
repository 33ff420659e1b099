#!/usr/bin/env python3
"""Compares nexus-pipe with age and cat, in rounds: every command of a group
once, then all again, so that a change of the machine's speed meets each alike.
Prints a Markdown table of medians and of the ratios within the rounds.

  bench/age.py [--bin PATH] [--rounds N] [--mib N] [--only GROUP] [--dir DIR]
"""
import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Group:
    """Commands that do the same job. The first is the reference."""

    def __init__(self, name, target, commands, clean=()):
        self.name, self.target, self.commands = name, target, commands
        self.clean = clean


def run(command):
    begin = time.perf_counter()
    done = subprocess.run(["bash", "-c", "set -o pipefail; " + command],
                          stderr=subprocess.PIPE)
    elapsed = time.perf_counter() - begin
    if done.returncode != 0:
        sys.exit(f"failed ({done.returncode}): {command}\n{done.stderr.decode()}")
    return elapsed


def measure(group, rounds):
    times = [[] for _ in group.commands]
    for _ in range(rounds + 1):  # the first round only warms up
        for i, (_, command) in enumerate(group.commands):
            for path in group.clean:
                if os.path.exists(path):
                    os.unlink(path)
            times[i].append(run(command))
    return [t[1:] for t in times]


def report(group, times, size):
    print(f"\n### {group.name}\n\nTarget: {group.target}\n")
    print("| command | median s | min–max | GB/s | ratio to the first |")
    print("|---|---|---|---|---|")
    for (label, _), mine in zip(group.commands, times):
        ratio = statistics.median(a / b for a, b in zip(times[0], mine))
        middle = statistics.median(mine)
        print(f"| `{label}` | {middle:.3f} | {min(mine):.3f}–{max(mine):.3f} "
              f"| {size / middle / 1e9:.2f} | {ratio:.2f}× as fast |", flush=True)


def peak_rss(command, feed=None):
    """Peak resident KiB of one process, by wait4, and its exit status."""
    with open(os.devnull, "wb") as null:
        source = open(feed, "rb") if feed else subprocess.DEVNULL
        child = subprocess.Popen(command, stdin=source, stdout=null)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
    return usage.ru_maxrss, status


def groups(nexus, age, key, recipient, place):
    enc = f"{nexus} encrypt -r {recipient} -q"
    dec = f"{nexus} decrypt -i {key} -q"
    aenc, adec = f"{age} -r {recipient}", f"{age} -d -i {key}"
    src, out = f"{place}/in", f"{place}/out"
    return [
        Group("encrypt", "2.8 times age's speed, 3.2 to aim for", [
            ("age -r R < in > /dev/null", f"{aenc} < {src} > /dev/null"),
            ("nexus-pipe encrypt < in > /dev/null", f"{enc} < {src} > /dev/null"),
        ]),
        Group("decrypt", "2.8 times age's speed, 3.2 to aim for", [
            ("age -d < in.age > /dev/null", f"{adec} < {src}.age > /dev/null"),
            ("nexus-pipe decrypt < in.age > /dev/null",
             f"{dec} < {src}.age > /dev/null"),
        ]),
        Group("encrypt to a file", "no slower than cat", [
            ("cat in > out", f"cat {src} > {out}"),
            ("nexus-pipe encrypt --no-sync -o out in",
             f"{enc} --no-sync -o {out} {src}"),
            ("nexus-pipe encrypt < in > out", f"{enc} < {src} > {out}"),
        ], clean=[out]),
        Group("in a pipe", "at most 1.15 times the time: a ratio of 0.87", [
            ("cat in | cat | cat > /dev/null",
             f"cat {src} | cat | cat > /dev/null"),
            ("cat in | nexus-pipe encrypt | cat > /dev/null",
             f"cat {src} | {enc} | cat > /dev/null"),
        ]),
        Group("encrypt, armored", "5 times age's speed", [
            ("age -a -r R < in > /dev/null", f"{aenc} -a < {src} > /dev/null"),
            ("nexus-pipe encrypt -a < in > /dev/null",
             f"{enc} -a < {src} > /dev/null"),
        ]),
        Group("decrypt, armored", "5 times age's speed", [
            ("age -d < in.asc > /dev/null", f"{adec} < {src}.asc > /dev/null"),
            ("nexus-pipe decrypt < in.asc > /dev/null",
             f"{dec} < {src}.asc > /dev/null"),
        ]),
    ]


def small(nexus, recipient, rounds):
    print("\n### One byte, from exec to exit\n\nTarget: at most 15 ms\n")
    times = []
    for _ in range(rounds * 5):
        begin = time.perf_counter()
        subprocess.run([nexus, "encrypt", "-q", "-r", recipient], input=b"x",
                       stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - begin) * 1e3)
    print(f"median {statistics.median(times):.1f} ms, least {min(times):.1f} ms, "
          f"most {max(times):.1f} ms over {len(times)} runs")


def memory(nexus, recipient, place):
    print("\n### Peak memory under --memory 128M\n\nTarget: at most 160 MiB\n")
    for gib in (8, 80):
        sparse = os.path.join(place, "sparse")
        with open(sparse, "wb") as file:
            file.truncate(gib << 30)
        begin = time.perf_counter()
        kib, status = peak_rss([nexus, "encrypt", "-q", "--memory", "128M",
                                "-r", recipient], sparse)
        took = time.perf_counter() - begin
        os.unlink(sparse)
        if status != 0:
            sys.exit(f"encrypting {gib} GiB failed: {status}")
        print(f"{gib} GiB: {kib / 1024:.1f} MiB, {took:.1f} s", flush=True)


def head(nexus, age):
    version = subprocess.run([age, "--version"], capture_output=True, text=True)
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info
                      if line.startswith("model name")), platform.machine())
    speed = subprocess.run(
        ["openssl", "speed", "-evp", "chacha20-poly1305", "-bytes", "65536",
         "-seconds", "2"], capture_output=True, text=True).stdout.splitlines()
    print(f"{time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} processors, "
          f"kernel {platform.release()}; age {version.stdout.strip()}; "
          f"`{os.path.basename(nexus)}` "
          f"{subprocess.run([nexus, '--version'], capture_output=True, text=True).stdout.strip()}")
    rate = float(speed[-1].split()[-1].rstrip("k")) / 1e6
    print(f"\n`openssl speed -evp chacha20-poly1305`, one core, 64 KiB: "
          f"{rate:.2f} GB/s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=f"{ROOT}/build/default/bin/nexus-pipe")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--only", help="part of a group's name")
    parser.add_argument("--dir", default="/dev/shm", help="a tmpfs")
    args = parser.parse_args()
    age = shutil.which("age") or sys.exit("age is not installed")
    place = tempfile.mkdtemp(prefix="nexus-bench-", dir=args.dir)
    try:
        key = os.path.join(place, "key")
        subprocess.run([args.bin, "keygen", "-o", key], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        recipient = subprocess.run([args.bin, "keygen", "-y", key], check=True,
                                   capture_output=True, text=True).stdout.strip()
        size = args.mib << 20
        with open("/dev/urandom", "rb") as noise, open(f"{place}/in", "wb") as out:
            for _ in range(args.mib):
                out.write(noise.read(1 << 20))
        head(args.bin, age)
        wanted = [g for g in groups(args.bin, age, key, recipient, place)
                  if not args.only or args.only in g.name]
        for group in wanted:
            if "decrypt" in group.name:
                armor = "-a" if "armored" in group.name else ""
                suffix = "asc" if armor else "age"
                run(f"{age} {armor} -r {recipient} < {place}/in > {place}/in.{suffix}")
            report(group, measure(group, args.rounds), size)
            for name in ("in.age", "in.asc", "out"):
                if os.path.exists(f"{place}/{name}"):
                    os.unlink(f"{place}/{name}")
        if not args.only or args.only in "small":
            small(args.bin, recipient, args.rounds)
        if not args.only or args.only in "memory":
            memory(args.bin, recipient, place)
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
