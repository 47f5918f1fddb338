#!/bin/bash
# SPDX-License-Identifier: MIT
#
# soak.sh [OPTION...] [kills|hooks|backlog|power|flat|scale|fuzz|slow|testssl]...: the long form of
# the tests of reliability; all of them if none is named. Installs what it needs, builds in
# build-soak/, runs them one after the other and adds an outcome of each to
# build-soak/outcomes.jsonl. --write also renews docs/RELIABILITY.jsonl, the latest outcome of each
# part, and from it the measured part of docs/RELIABILITY.md. The exit status is 0 when all have passed. What each does is told at the head of
# tests/soak/NAME.py.
#
#   kills   kill -9 under load, of the receiver and of all processes in turn     --rounds 200
#   hooks   kill -9 of the worker, with hooks that behave as badly as they can  --workers 100
#   backlog 30,000 jobs interrupted in the middle, and a million beside few     --jobs 30000
#   power   power cuts on ext4 and XFS, and that without syncs they lose results   --cuts 60
#   flat    memory, descriptors and threads over time, at half load              --minutes 20
#   scale   a store with many results beside a small one                     --rows 10000000
#   fuzz    every fuzz target, one on each CPU; --targets NAME,NAME: those  --fuzz-minutes 20
#   slow    a thousand slow clients of each kind, beside senders              --seconds 30
#   testssl what testssl.sh says of the TLS listener
#
# kills, hooks, backlog and power take about 5 minutes each and little disk (backlog 2 GB), flat 22
# minutes and 2 KiB for each post, scale about 20 minutes and 2.2 KB for each row, fuzz its minutes
# for each target and CPU, slow 5 minutes, testssl one. `power` mounts file systems, as root, and all
# that it mounts ends with it. Best on a machine that does nothing else.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly out=${CALLBACKD_SOAK_DIR:-$root/build-soak}
readonly PARTS='kills hooks backlog power flat scale fuzz slow testssl'
readonly USAGE="usage: soak.sh [--rounds N] [--workers N] [--jobs N] [--cuts N] [--minutes N] [--rows N]
               [--fuzz-minutes N] [--targets NAMES] [--seconds N] [--write] [${PARTS// /|}]..."

rounds=200 workers=100 jobs=30000 cuts=60 minutes=20 rows=10000000 fuzz_minutes=20 seconds=30
targets='' write=no
wanted=()

die() {
    printf 'soak.sh: %s\n' "$*" >&2
    exit 1
}

read_arguments() {
    local name
    while [[ $# -gt 0 ]]; do
        case $1 in
        --rounds | --workers | --jobs | --cuts | --minutes | --rows | --fuzz-minutes | --seconds)
            [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "$1 needs a number"
            name=${1#--}
            printf -v "${name//-/_}" '%s' "$2"
            shift
            ;;
        --targets)
            [[ -n ${2:-} ]] || die "$1 needs names"
            targets=$2
            shift
            ;;
        --write) write=yes ;;
        kills | hooks | backlog | power | flat | scale | fuzz | slow | testssl) wanted+=("$1") ;;
        *) die "$USAGE" ;;
        esac
        shift
    done
    # shellcheck disable=SC2206 # a list of words
    [[ ${#wanted[@]} -gt 0 ]] || wanted=($PARTS)
    [[ $EUID -eq 0 || " ${wanted[*]} " != *' power '* ]] || die "power mounts file systems: as root"
}

# build PRESET DIRECTORY TARGET...
build() {
    local preset=$1 directory=$2 source
    local -a options=(-DCALLBACKD_TESTS=OFF)
    shift 2
    # Another build's civetweb is as good.
    for source in "$root/build" "$out"; do
        source+=/src/http/civetweb/source
        [[ ! -e $source/src/civetweb.c || -e $directory/CMakeCache.txt ]] ||
            options+=("-DCIVETWEB_SOURCE_DIR=$source")
    done
    cmake -S "$root" --preset "$preset" -B "$directory" "${options[@]}" &&
        cmake --build "$directory" --parallel "$(nproc)" --target "$@"
}

# build_all: what the wanted parts need
build_all() {
    [[ " ${wanted[*]} " == ' fuzz ' ]] || build release "$out" callbackd callbackctl bench_load || return
    [[ " ${wanted[*]} " != *' fuzz '* ]] || build fuzz "$out/fuzz-build" all
}

# python NAME ARGUMENT...: one of tests/soak/
python() {
    local name=$1
    shift
    CALLBACKD_BIN_DIR=$out/bin python3 -B "$root/tests/soak/$name.py" "$@"
}

# Run by name.
run_kills() {
    python kills --rounds "$rounds" --out "$out/outcomes.jsonl"
}

run_hooks() {
    python hooks --rounds "$workers" --out "$out/outcomes.jsonl"
}

run_backlog() {
    python backlog "$out" "$out/run" --jobs "$jobs" --out "$out/outcomes.jsonl"
}

run_power() {
    local system status=0
    for system in ext4 xfs; do
        apart "$system" --cuts "$cuts" || status=1
        apart "$system" --without-syncs || status=1
    done
    return "$status"
}

# apart FILE-SYSTEM OPTION...: in a mount namespace, so that no mount outlives it
apart() {
    local system=$1
    shift
    CALLBACKD_BIN_DIR=$out/bin unshare --mount --propagation private \
        python3 -B "$root/tests/soak/power_cuts.py" --file-system "$system" \
        --out "$out/outcomes.jsonl" "$@"
}

run_flat() {
    python flat "$out" "$out/run" --minutes "$minutes" --out "$out/outcomes.jsonl"
}

run_scale() {
    python scale "$out" "$out/run" --rows "$rows" --out "$out/outcomes.jsonl"
}

run_fuzz() {
    python fuzz "$out/fuzz-build/fuzz" "$out/fuzz" --minutes "$fuzz_minutes" \
        --only "$targets" --out "$out/outcomes.jsonl"
}

run_slow() {
    python slow --seconds "$seconds" --out "$out/outcomes.jsonl"
}

run_testssl() {
    python testssl --out "$out/outcomes.jsonl"
}

main() {
    local name
    local -a failed=()
    read_arguments "$@"
    "$root/deploy/packages.sh" build soak
    mkdir -p "$out"
    exec 9>"$out/lock"
    flock -n 9 || die "another soak.sh is at work in this checkout"
    build_all >"$out/build.log" 2>&1 || {
        tail -n 40 "$out/build.log" >&2
        die "the build failed"
    }
    for name in "${wanted[@]}"; do
        printf '\n==== %s\n' "$name"
        "run_$name" 9>&- || failed+=("$name")
    done
    [[ $write == no ]] ||
        python reliability "$out/outcomes.jsonl" "$root/docs/RELIABILITY.md"
    [[ ${#failed[@]} -eq 0 ]] || die "failed: ${failed[*]}"
}

main "$@"
