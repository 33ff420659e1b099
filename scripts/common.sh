# Shared by the scripts: sourced, never run. Expects bash and `set -eu`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n== %s\n' "$*"; }

# What builds and tests need, by Debian 12's package names.
packages=(
  cmake ninja-build pkgconf ccache git
  clang-19 libclang-rt-19-dev g++-12
  libboost1.81-dev liburing-dev libfmt-dev libhwloc-dev libssl-dev
  libcli11-dev libspdlog-dev nlohmann-json3-dev libhwy-dev zlib1g-dev
  libipsec-mb-dev libncurses-dev
  ocl-icd-opencl-dev opencl-headers pocl-opencl-icd oclgrind
  libgtest-dev libgmock-dev libbenchmark-dev
  age hyperfine python3 bc mandoc strace
  libsqlite3-dev screen tmux curl
)

# What some tests need beside: half a gigabyte. Without it they say that they
# were skipped, and why.
ci_packages=(chromium)

# Installs what is missing of the first list, and of the names given; says what,
# and does nothing where all is there.
install_packages() {
  local missing=() name
  for name in "${packages[@]}" "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$name")
  done
  # Node.js often comes from elsewhere, with its own npm.
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  if [ ${#missing[@]} -eq 0 ]; then
    say "every package that is needed is installed"
    return
  fi
  say "installing: ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q \
    --no-install-recommends "${missing[@]}"
}

# Compiled objects are shared between clones of the repository.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

# build PRESET [CMake options] [-- TARGET...]: configures, builds what changed.
build() {
  local preset=$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  say "building preset $preset"
  cmake --preset "$preset" -DCMAKE_C_COMPILER_LAUNCHER=ccache \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "${options[@]}"
  cmake --build --preset "$preset" ${1:+--target "$@"}
}

# run_tests PRESET [ctest options]
run_tests() {
  local preset=$1
  shift
  say "testing preset $preset"
  ctest --preset "$preset" -j "$(nproc)" "$@"
}

# Packages of the npm registry that some tests compare with; the lock file pins
# them. Without a network those tests say that they were skipped, and why.
install_peers() {
  [ -d tests/peers/node_modules ] && return
  say "installing the npm test peers"
  (cd tests/peers && npm ci --no-audit --no-fund --loglevel=error) ||
    say "npm failed: tests against npm packages will be skipped"
}

# promtool, which a test checks metrics with. It is only unpacked: to install
# Debian's package would start a service. Without it that test says that it was
# skipped, and why.
install_promtool() {
  if command -v promtool >/dev/null || [ -x build/tools/usr/bin/promtool ]; then
    return
  fi
  say "unpacking promtool"
  local folder
  mkdir -p build/tools
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -q prometheus) &&
    dpkg -x "$folder"/prometheus_*.deb build/tools ||
    say "promtool cannot be had: the test that needs it will be skipped"
  rm -rf "$folder"
}
