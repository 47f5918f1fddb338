#!/bin/bash
# SPDX-License-Identifier: MIT
#
# soak.sh [OPTION...] [kills|hooks|power|flat|scale]...: the long form of the tests of reliability;
# all five if none is named. Installs what it needs, builds a release in build-soak/, runs them one
# after the other and adds an outcome of each to build-soak/outcomes.jsonl. --write also renews the
# measured part of docs/RELIABILITY.md from the latest outcomes. The exit status is 0 when
# all have passed. What each does is told at the head of tests/soak/NAME.py.
#
#   kills   kill -9 under load, of the receiver and of all processes in turn     --rounds 200
#   hooks   kill -9 of the worker, with hooks that behave as badly as they can  --workers 100
#   power   power cuts on ext4 and XFS, and that without syncs they lose results   --cuts 60
#   flat    memory, descriptors and threads over time, at half load              --minutes 20
#   scale   a store with many results beside a small one                     --rows 10000000
#
# kills, hooks and power take about 5 minutes each and little disk, flat 22 minutes and 2 KiB for each
# post, scale about 20 minutes and 2.2 KB for each row. `power` mounts file systems, as root, and
# all that it mounts ends with it. Best on a machine that does nothing else.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly out=${CALLBACKD_SOAK_DIR:-$root/build-soak}
readonly USAGE='usage: soak.sh [--rounds N] [--workers N] [--cuts N] [--minutes N] [--rows N] [--write] [kills|hooks|power|flat|scale]...'

rounds=200 workers=100 cuts=60 minutes=20 rows=10000000
write=no
wanted=()

die() {
    printf 'soak.sh: %s\n' "$*" >&2
    exit 1
}

read_arguments() {
    while [[ $# -gt 0 ]]; do
        case $1 in
        --rounds | --workers | --cuts | --minutes | --rows)
            [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "$1 needs a number"
            printf -v "${1#--}" '%s' "$2"
            shift
            ;;
        --write) write=yes ;;
        kills | hooks | power | flat | scale) wanted+=("$1") ;;
        *) die "$USAGE" ;;
        esac
        shift
    done
    [[ ${#wanted[@]} -gt 0 ]] || wanted=(kills hooks power flat scale)
    [[ $EUID -eq 0 || " ${wanted[*]} " != *' power '* ]] || die "power mounts file systems: as root"
}

build() {
    local -a options=(-DCALLBACKD_TESTS=OFF)
    # Another build's civetweb is as good.
    [[ ! -e $root/build/src/http/civetweb/source/src/civetweb.c || -e $out/CMakeCache.txt ]] ||
        options+=("-DCIVETWEB_SOURCE_DIR=$root/build/src/http/civetweb/source")
    cmake -S "$root" --preset release -B "$out" "${options[@]}" &&
        cmake --build "$out" --parallel "$(nproc)" --target callbackd bench_load
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

main() {
    local name
    local -a failed=()
    read_arguments "$@"
    "$root/deploy/packages.sh" build soak
    mkdir -p "$out"
    exec 9>"$out/lock"
    flock -n 9 || die "another soak.sh is at work in this checkout"
    build >"$out/build.log" 2>&1 || {
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
