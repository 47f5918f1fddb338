#!/bin/bash
# SPDX-License-Identifier: MIT
#
# packages.sh [--list] build|tests|soak|bench|fresh-machine...: the Debian packages that
# each of these needs, in one place. Installs those that are missing; does nothing,
# and needs no network and no rights, when none is. As root, or with sudo.
set -euo pipefail

# What building and the quickstart need. docs/DEPENDENCIES.md says what for.
readonly BUILD=(
    gcc libc6-dev make cmake pkgconf patch xz-utils openssl ca-certificates
    debian-archive-keyring procps
    libssl-dev libcjson-dev libsqlite3-dev libcurl4-openssl-dev libpcre2-dev
    libseccomp-dev libsystemd-dev libcmocka-dev
)
# What tests/run.sh needs beside that.
readonly TESTS=(
    clang llvm libclang-rt-14-dev clang-format clang-tidy cppcheck shellcheck
    binutils python3 python3-pytest python3-pytest-xdist nginx haproxy curl git
    e2fsprogs xfsprogs mount util-linux libeatmydata1 patchelf
    python3-stripe python3-twilio nodejs node-json-stable-stringify npm
    slowhttptest
)
# What tests/soak.sh needs beside the first.
readonly SOAK=(
    python3 e2fsprogs xfsprogs mount util-linux libeatmydata1 patchelf
    clang llvm libclang-rt-14-dev
    slowhttptest testssl.sh bsdextrautils
)
# What tests/bench/run.sh needs beside the first.
readonly BENCH=(python3 nginx wrk webhook)
# What tests/fresh-machine.sh needs.
readonly FRESH_MACHINE=(debootstrap debian-archive-keyring git tar util-linux)

die() {
    printf 'packages: %s\n' "$*" >&2
    exit 1
}

packages_of() {
    case $1 in
    build) printf '%s\n' "${BUILD[@]}" ;;
    tests) printf '%s\n' "${TESTS[@]}" ;;
    soak) printf '%s\n' "${SOAK[@]}" ;;
    bench) printf '%s\n' "${BENCH[@]}" ;;
    fresh-machine) printf '%s\n' "${FRESH_MACHINE[@]}" ;;
    *) die "there is no group $1" ;;
    esac
}

# Or another package that provides it: nodejs from elsewhere than Debian brings its own npm, and
# does not go together with Debian's.
is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]] ||
        # All of it is read: one that stops at the first match would end dpkg-query by a signal.
        dpkg-query -W -f '${db:Status-Status}, ${Provides}\n' |
        grep -E "^installed,.* $1( \(|,|\$)" >/dev/null
}

# as_root COMMAND...
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "not root, and there is no sudo: as root, run apt-get install ${missing[*]}"
    fi
}

# apt COMMAND...: its output goes to the log
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null >"$log" 2>&1
}

# Proxies are tested here, not run as services: nothing that is installed is started.
readonly POLICY=/usr/sbin/policy-rc.d
policy_is_ours=no
hold_services() {
    [[ ! -e $POLICY ]] || return 0
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 0755 "$POLICY"
}

clean_up() {
    rm -f "$log"
    [[ $policy_is_ours == no ]] || as_root rm -f "$POLICY"
}

# The lists may be missing (a fresh system) or old: they are renewed only then.
install_missing() {
    echo "installing: ${missing[*]}"
    log=$(mktemp)
    trap clean_up EXIT
    hold_services
    apt install --no-install-recommends "${missing[@]}" && return
    if ! apt update || ! apt install --no-install-recommends "${missing[@]}"; then
        cat "$log" >&2
        die "apt-get failed (above)"
    fi
}

main() {
    local list=no group package packages
    if [[ ${1:-} == --list ]]; then
        list=yes
        shift
    fi
    [[ $# -ge 1 ]] || die "usage: packages.sh [--list] build|tests|soak|bench|fresh-machine..."
    local -a wanted=() missing=()
    for group in "$@"; do
        packages=$(packages_of "$group") || exit
        while read -r package; do wanted+=("$package"); done <<<"$packages"
    done
    if [[ $list == yes ]]; then
        printf '%s\n' "${wanted[@]}"
        return
    fi
    command -v dpkg-query >/dev/null || die "this is not a Debian system"
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] || install_missing
}

main "$@"
