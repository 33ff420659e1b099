#!/bin/sh
# Builds the prover's tests for 64-bit ARM and runs them under qemu-user: the
# NEON kernels' only check on other machines. Takes minutes; not a part of ctest.
#
# Debian: dpkg --add-architecture arm64; apt-get update; apt-get install
#   g++-12-aarch64-linux-gnu qemu-user libssl-dev:arm64 googletest
#
#   tests/prover/aarch64.sh [FOLDER]    where to build, by default build/aarch64
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/build/aarch64}
compiler=${CXX_AARCH64:-aarch64-linux-gnu-g++-12}
mkdir -p "$out/include"
# Of the host's headers those that suit every architecture.
ln -sfn /usr/include/hwy "$out/include/hwy"
ln -sfn /usr/include/nlohmann "$out/include/nlohmann"

flags="-std=c++20 -O2 -Wall -Wextra -Wshadow -I$root/core -I$root/core/include
  -isystem $out/include -isystem /usr/src/googletest/googletest/include
  -isystem /usr/src/googletest/googlemock/include
  -DNEXUS_PROVE_VECTORS=\"$root/tests/vectors/prove\""

compile() {
  object=$out/$(echo "$1" | tr / _).o
  if [ ! -e "$object" ] || [ -n "$(find "$root/core" "$root/tests/prover" -newer "$object" -print -quit)" ]; then
    # shellcheck disable=SC2086
    $compiler $flags ${2:-} -c "$1" -o "$object"
  fi
  objects="$objects $object"
}

objects=
for source in "$root"/core/prover/*.cpp "$root"/core/prover/simd/*.cpp \
    "$root"/core/base/status.cpp "$root"/tests/prover/golden.cpp \
    "$root"/tests/prover/oracle.cpp; do
  if [ -e "$source" ]; then
    compile "$source"
  fi
done
compile /usr/src/googletest/googletest/src/gtest-all.cc "-w -I/usr/src/googletest/googletest"
compile /usr/src/googletest/googletest/src/gtest_main.cc -w
shared=$objects
for name in poseidon2 merkle simd backend golden; do
  objects=
  compile "$root/tests/prover/${name}_test.cpp"
  # shellcheck disable=SC2086
  $compiler $objects $shared -lcrypto -lpthread -o "$out/${name}_test"
done
run() {
  timeout 300 qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/$1_test" \
    --gtest_brief=1 --gtest_filter="$2"
}
# One thread each: qemu 7.2 may hang where there are several. Without the large
# golden proofs, which take long under emulation.
run poseidon2 '*'
run merkle '*'
run simd '*neon_1:isas.*'
run backend '*neon_1'
run golden '*mini*neon_1:*conjectured_100_neon_1:*conjectured_40000_7_neon_1'
