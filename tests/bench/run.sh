#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [--short] [--write] [--only GROUP]... [--rounds N]: measures callbackd beside
# nginx, a bare civetweb and adnanh's webhook, on this machine. Installs what it needs,
# builds a release, and prints each figure with what is asked of it; all that was
# seen is in build-bench/results.json. --write also renews docs/PERFORMANCE.md and its
# picture. Takes about 25 minutes and 20 GB of disk, with --short 6 minutes and 3 GB.
#
# Groups: main new_tls half memory large hooks streams sustained wrk matrix. Best on a
# machine that does nothing else.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
readonly out=${CALLBACKD_BENCH_DIR:-$root/build-bench}

die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}

build() {
    local -a options=(-DCALLBACKD_TESTS=OFF)
    # Another build's civetweb is as good.
    [[ ! -e $root/build/src/http/civetweb/source/src/civetweb.c || -e $out/CMakeCache.txt ]] ||
        options+=("-DCIVETWEB_SOURCE_DIR=$root/build/src/http/civetweb/source")
    cmake -S "$root" --preset release -B "$out" "${options[@]}" &&
        cmake --build "$out" --parallel "$(nproc)" \
            --target callbackd bench_load bench_empty_server bench_spawn bench_mark bench_streams
}

main() {
    local write=no
    local -a arguments=()
    while [[ $# -gt 0 ]]; do
        case $1 in
        --short) arguments+=("$1") ;;
        --write) write=yes ;;
        --only | --rounds)
            [[ $# -ge 2 ]] || die "$1 needs a value"
            arguments+=("$1" "$2")
            shift
            ;;
        *) die "usage: run.sh [--short] [--write] [--only GROUP]... [--rounds N]" ;;
        esac
        shift
    done
    "$root/deploy/packages.sh" build bench
    mkdir -p "$out"
    build >"$out/build.log" 2>&1 || {
        tail -n 40 "$out/build.log" >&2
        die "the build failed"
    }
    python3 -B "$root/tests/bench/measure.py" "$out" "$out/run" "$out/results.json" "${arguments[@]}"
    local -a report=("$out/results.json")
    [[ $write == no ]] || report+=(--write "$root/docs")
    python3 -B "$root/tests/bench/report.py" "${report[@]}"
}

main "$@"
