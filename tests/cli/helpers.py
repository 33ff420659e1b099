"""Helper processes of isolated devices, seen from outside."""

import os
import pathlib

import harness

NAME = "nexus-pipe-work"  # as far as the kernel keeps it


def stat(pid):
    """(name, state, parent, time of start) of a process; None: it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, rest = text.split("(", 1)[1].rsplit(")", 1)
    words = rest.split()
    return name, words[0], int(words[1]), words[19]


def of(parent):
    """{(number, time of start): state} of the helpers of a process."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        seen = stat(entry)
        if seen and seen[0] == NAME and seen[2] == parent:
            found[int(entry), seen[3]] = seen[1]
    return found


def alive(helper):
    """Whether the very process is there still, if only as a zombie."""
    seen = stat(helper[0])
    return seen is not None and seen[3] == helper[1]


def descriptors(pid):
    """What a process has open."""
    found = []
    folder = pathlib.Path(f"/proc/{pid}/fd")
    try:
        for entry in folder.iterdir():
            try:
                found.append(os.readlink(entry))
            except OSError:
                pass
    except OSError:
        pass
    return found


def wait_for_the_end(seen, seconds=20):
    harness.wait_until(lambda: not any(map(alive, seen)),
                       "the end of the helpers", seconds)
