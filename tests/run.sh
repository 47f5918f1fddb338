#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [--quick]: installs what tests need, builds, runs every test and check.
# The last line is "N passed, N failed" (", N skipped" may follow); the exit status
# is 0 when nothing failed. --quick: unit and end-to-end tests of a release build.
# Logs and reports stay in build-tests/.
#
# Two lanes run at once: tests, and (with low priority, so that the tests' deadlines
# hold) the builds and checks that nobody waits for: run.sh --checks-lane, which only
# run.sh itself starts. Everything a suite needs is
# its own: its build folder, its temporary folders, ports given by the kernel.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly out=$root/build-tests
readonly FUZZ_SECONDS=15
readonly LOG_LINES=60 # of a failure, shown at once

quick=no
lanes=()

die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}

# ---- tasks ----

# say_end NAME STATUS SECONDS COUNTS
say_end() {
    local word=ok
    [[ $2 -eq 0 ]] || word=FAILED
    printf '%6s  %-24s %4d s  %s\n' "$word" "$1" "$3" "$4"
}

# task NAME KIND REPORT COMMAND...: runs it, keeps its log, counts its cases (count.py).
# Never fails itself: how it ended is in $out/NAME.status.
task() {
    local name=$1 kind=$2 report=$3 begin=$SECONDS status=0 counts
    shift 3
    "$@" >"$out/$name.log" 2>&1 </dev/null || status=$?
    [[ $kind != lines ]] || report=$out/$name.log
    counts=$("$root/tests/check/count.py" "$kind" "$report" "$status")
    echo "$counts" >"$out/$name.counts"
    [[ $status -ne 0 || $counts == *' 0 '* ]] || status=1
    {
        # shellcheck disable=SC2086 # three numbers
        say_end "$name" "$status" $((SECONDS - begin)) "$(printf '%d passed, %d failed, %d skipped' $counts)"
        if [[ $status -ne 0 ]]; then
            tail -n "$LOG_LINES" "$out/$name.log" | sed "s/^/        $name | /"
        fi
    } >"$out/$name.said"
    cat "$out/$name.said"
    echo "$status" >"$out/$name.status.new"
    mv "$out/$name.status.new" "$out/$name.status"
}

# needs NAME TASK: waits for a task of the other lane; if it failed, TASK fails without running
needs() {
    until [[ -e $out/$1.status ]]; do sleep 0.2; done
    [[ $(<"$out/$1.status") -eq 0 ]] && return
    echo "0 1 0" >"$out/$2.counts"
    say_end "$2" 1 0 "not run: $1 failed"
    return 1
}

# ---- builds ----

# build NAME [OPTION...]: in build-NAME; the first one's civetweb serves all
build() {
    local directory=$root/build-$1 preset=$1
    shift
    [[ $directory != $root/build-release ]] || directory=$root/build
    [[ $directory == "$root/build" ]] ||
        set -- "-DCIVETWEB_SOURCE_DIR=$root/build/src/http/civetweb/source" "$@"
    case $preset in
    # For its warnings, which do not need its optimiser.
    clang) cmake -S "$root" -B "$directory" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_C_FLAGS_DEBUG= "$@" ;;
    *) cmake -S "$root" --preset "$preset" "$@" ;;
    esac
    cmake --build "$directory" --parallel "$(nproc)"
}

# ---- the senders' own libraries ----

# They come from npm's registry. Where that cannot be reached, tests that need them are skipped and
# say so; what the libraries once signed is verified all the same (tests/unit/verify).
senders() {
    "$root/tests/senders/install.sh" "$out/senders" >"$out/senders.log" 2>&1 </dev/null ||
        echo "  note  the senders' libraries could not be installed, see build-tests/senders.log"
}

# ---- suites ----

# Some kernels place memory where gcc's thread sanitizer cannot have it; without
# randomisation they do not.
without_aslr=()
probe_tsan() {
    local probe=$out/tsan-probe
    echo 'int main(void) { return 0; }' | gcc -fsanitize=thread -x c -o "$probe" -
    "$probe" 2>/dev/null || without_aslr=(setarch "$(uname -m)" --addr-no-randomize)
}

# with_sanitizers BUILD COMMAND...
with_sanitizers() {
    local -a prefix=()
    [[ $1 != tsan ]] || prefix=("${without_aslr[@]}")
    shift
    ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        TSAN_OPTIONS=second_deadlock_stack=1 \
        "${prefix[@]}" "$@"
}

unit() {
    with_sanitizers "$1" ctest --test-dir "$2" --output-on-failure --no-tests=error \
        --parallel "$(nproc)" --output-junit "$out/unit-$1.xml" \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000
}

end_to_end() {
    CALLBACKD_BIN_DIR=$2/bin CALLBACKD_TEST_BUILD=$1 with_sanitizers "$1" \
        /usr/bin/python3 -B -m pytest -p no:cacheprovider -q --durations=15 -n "$(nproc)" \
        --junit-xml="$out/e2e-$1.xml" "$root/tests/e2e"
}

suites() {
    task "unit-$1" ctest "$out/unit-$1.xml" unit "$1" "$2"
    task "e2e-$1" pytest "$out/e2e-$1.xml" end_to_end "$1" "$2"
}

# ---- checks ----

# our NAME...: files of ours of these names (git's patterns)
our() {
    git -C "$root" ls-files --cached --others --exclude-standard -- "$@"
}

check_format() {
    our '*.c' '*.h' | xargs clang-format --dry-run --Werror
}

check_tidy() {
    run-clang-tidy -quiet -j "$(nproc)" -p "$root/build-clang" "^$root/(src|tests/sim)/.*\.c\$"
}

# Suppressed are two places that it misreads: memory that a cleanup attribute or reallocarray
# looks after.
check_cppcheck() {
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --suppress=memleak:src/hooks/picker.c --suppress=memleak:src/hooks/recovery.c \
        -D_GNU_SOURCE -D__cppcheck__ -DCALLBACKD_VERSION='"0"' \
        -I include --include=include/callbackd/banned.h src tests/sim
}

check_shell() {
    local file
    our | while read -r file; do
        [[ ! -f $file ]] || ! head -n 1 "$file" | grep -aqE '^#!.*\b(ba)?sh\b' || echo "$file"
    done | xargs shellcheck
}

check_structure() {
    "$root/tests/check/structure.py" "$root/build-clang" "$root/build/bin"
}

# fuzz TARGET: for a while, from the seeds that are kept
fuzz() {
    local name=${1##*/} corpus=$out/corpus-${1##*/}
    mkdir -p "$corpus"
    local -a seeds=()
    [[ ! -d $root/tests/fuzz/corpus/$name ]] || seeds=("$root/tests/fuzz/corpus/$name")
    "$1" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="$out/$name-" "$corpus" "${seeds[@]}"
}

# ---- lanes ----

lane_tests() {
    suites release "$root/build"
    local build
    for build in asan tsan; do
        needs "build-$build" "suites-$build" || continue
        suites "$build" "$root/build-$build"
    done
}

# With a session of its own: where the kernel gives each session the same share of the
# CPU, whatever its niceness (sched_autogroup), that share is made small as well.
lane_checks() {
    renice -n 19 -p "$BASHPID" >/dev/null
    ionice -c 3 -p "$BASHPID" 2>/dev/null || true
    echo 19 2>/dev/null >/proc/self/autogroup || true
    cd "$root"
    task build-asan check - build asan
    task build-tsan check - build tsan
    task build-clang check - build clang
    task build-fuzz check - build fuzz -DCALLBACKD_TESTS=OFF
    task shellcheck check - check_shell
    task clang-format check - check_format
    if needs build-clang structure; then
        task structure lines - check_structure
    fi
    if needs build-clang clang-tidy; then
        task clang-tidy check - check_tidy
    fi
    task cppcheck check - check_cppcheck
    if needs build-fuzz fuzz; then
        local target
        for target in "$root"/build-fuzz/fuzz/*; do
            [[ ! -x $target || -d $target ]] || task "fuzz-${target##*/}" check - fuzz "$target"
        done
    fi
}

# stop_lanes: a lane is a process group of its own
stop_lanes() {
    local lane
    for lane in "${lanes[@]}"; do
        kill -TERM -- "-$lane" 2>/dev/null || true
    done
}

# ---- the sum ----

# Repeats what failed, so that nobody has to search; then the last line.
sum_up() {
    local file passed=0 failed=0 skipped=0 p f s
    for file in "$out"/*.counts; do
        read -r p f s <"$file"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        [[ $f -eq 0 ]] || echo "failed: $(basename "$file" .counts) ($f), see ${file%.counts}.log"
    done
    echo "$((SECONDS / 60)) min $((SECONDS % 60)) s"
    if [[ $skipped -gt 0 ]]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [[ $failed -eq 0 ]]
}

main() {
    case ${1:-} in
    '') ;;
    --quick) quick=yes ;;
    --checks-lane)
        lane_checks
        return
        ;;
    *) die "usage: run.sh [--quick]" ;;
    esac
    "$root/deploy/packages.sh" build tests
    mkdir -p "$out"
    exec 9>"$out/lock"
    flock -n 9 || die "another run.sh is at work in this checkout"
    find "$out" -mindepth 1 -not -name lock -delete
    trap stop_lanes EXIT
    trap 'exit 130' INT TERM

    senders 9>&- &
    local senders_pid=$!
    task build-release check - build release
    wait "$senders_pid"
    if [[ $(<"$out/build-release.status") -eq 0 ]]; then
        if [[ $quick == yes ]]; then
            suites release "$root/build"
        else
            probe_tsan
            setsid "$root/tests/run.sh" --checks-lane 9>&- &
            lanes+=("$!")
            set -m
            lane_tests 9>&- &
            lanes+=("$!")
            set +m
            wait "${lanes[@]}"
        fi
    fi
    sum_up
}

main "$@"
