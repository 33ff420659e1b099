"""The digest of a segment and the root of a proof stream, in plain integers.

Written from docs/file-formats.md, to check what that page and the command say.
Slow: a leaf, 15,300 bytes, takes about a third of a second.
"""

import json
import pathlib

P = 2**31 - 2**24 + 1
LANES, RATE = 24, 16
ROW_BYTES, LEAF_BYTES, LEAF_ROWS = 60, 15300, 256
LEAF_TAG, STATEMENT_TAG, ROOT_TAG = 0x4C454146, 0x4E585001, 0x4E585352

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors/prove"
TABLES = json.loads(
    (VECTORS / "koalabear_poseidon2_constants.json").read_text())["24"]
GROUP = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))
# Twice the group's matrix on the diagonal of six by six, once elsewhere.
EXTERNAL = [[GROUP[i % 4][j % 4] * (1 + (i // 4 == j // 4))
             for j in range(LANES)] for i in range(LANES)]


def _external(state):
    return [sum(map(int.__mul__, row, state)) % P for row in EXTERNAL]


def permute(state):
    """Poseidon2 over KoalaBear: t = 24, cubes, 4 + 23 + 4 rounds."""
    state = _external(state)
    for constants in TABLES["external_initial"]:
        state = _external([pow(x + c, 3, P) for x, c in zip(state, constants)])
    for constant in TABLES["internal"]:
        state[0] = pow(state[0] + constant, 3, P)
        total = sum(state)
        state = [(d * x + total) % P
                 for d, x in zip(TABLES["internal_diag_minus_one"], state)]
    for constants in TABLES["external_final"]:
        state = _external([pow(x + c, 3, P) for x, c in zip(state, constants)])
    return state


def limbs(value, count):
    """30 bits each, the lowest ones first."""
    return [value >> 30 * i & 2**30 - 1 for i in range(count)]


def rows_of(length):
    rows = LEAF_ROWS
    while rows // LEAF_ROWS * LEAF_BYTES < length:
        rows *= 2
    return rows


def statement(length, index, last):
    """The last eight public values: the capacity that the digest begins from."""
    return [STATEMENT_TAG, *limbs(length, 2), *limbs(index, 2), int(last),
            rows_of(length).bit_length() - 1, 0]


def segment_digest(data, index, last):
    top = statement(len(data), index, last)
    data += bytes(rows_of(len(data)) // LEAF_ROWS * LEAF_BYTES - len(data))
    for leaf in range(0, len(data), LEAF_BYTES):
        state = [0] * RATE + [LEAF_TAG] + [0] * 7
        for row in range(leaf, leaf + LEAF_BYTES, ROW_BYTES):
            lanes = [lane for at in range(row, row + ROW_BYTES, 15)
                     for lane in limbs(
                         int.from_bytes(data[at:at + 15], "little"), 4)]
            state = permute(lanes + state[RATE:])
        state = permute(state[:8] + [0] * 8 + top)
        top = state[RATE:]
    return state[:8]


def stream_root(segments, rows, first=0, partial=False):
    """segments: (length, digest) of each, in order."""
    state = [0] * RATE + [ROOT_TAG, 1, rows.bit_length() - 1, *limbs(first, 2),
                          int(partial), 0, 0]
    for index, (length, digest) in enumerate(segments, first):
        state = permute([*digest, *limbs(length, 2), *limbs(index, 2),
                         1, 0, 0, 0, *state[RATE:]])
    total = sum(length for length, _ in segments)
    state = permute([*limbs(len(segments), 2), *limbs(total, 3), *[0] * 7,
                     2, 0, 0, 0, *state[RATE:]])
    return state[:8]


def as_bytes(elements):
    return b"".join(x.to_bytes(4, "little") for x in elements)
