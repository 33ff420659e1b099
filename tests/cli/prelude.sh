# Functions for the commands of *.test files.
set -o pipefail

# pattern N: N bytes that look alike nowhere.
pattern() { seq 2000000000 2>/dev/null | head -c "$1"; return 0; }

# The size, the permissions of a file.
size() { stat -c %s "$1"; }
mode() { stat -c %a "$1"; }

# Encrypts to Alice, decrypts with her key.
seal() { nexus-pipe encrypt -r "$ALICE" "$@"; }
unseal() { nexus-pipe decrypt -i "$DATA/alice.key" "$@"; }

# Small segments of 15300 bytes: quick to prove.
prove() { nexus-pipe prove --segment-rows 256 "$@"; }
digest() { nexus-pipe digest --segment-rows 256 "$@"; }
# The root in the output of verify, digest or inspect.
root() { sed -n 's/^root  *//p'; }
# golden LENGTH SEED: the input of a case of tests/vectors/prove.
golden() { python3 "$VECTORS/make_input.py" "$@"; }
