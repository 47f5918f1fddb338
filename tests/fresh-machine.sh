#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fresh-machine.sh [--quickstart]: does a machine that has never seen the project build
# it, run the quickstart twice, and pass the tests? The machine is a folder: a
# minimal Debian 12 made by debootstrap from the mirror that this machine's own apt
# uses, with a clone of what is committed here. As root. --quickstart: not the tests.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly SUITE=bookworm
machine=

die() {
    printf 'fresh-machine: %s\n' "$*" >&2
    exit 1
}

say() {
    printf '\n==== %s (after %d s)\n' "$*" "$SECONDS"
}

clean_up() {
    [[ -n $machine ]] || return 0
    local mounted
    # What was mounted last goes first.
    awk -v under="$machine/" 'index($2, under) == 1 { print $2 }' /proc/mounts | tac |
        while read -r mounted; do umount --lazy "$mounted"; done
    rm -rf --one-file-system "$machine"
}

# mirrors: "URI SUITE" of each of this machine's own Debian 12 suites
mirrors() {
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sort -u |
        awk -v suite="$SUITE" '$2 ~ "^" suite "(-security|-updates)?$"'
}

install_debootstrap() {
    command -v debootstrap >/dev/null && return
    DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends debootstrap \
        </dev/null >/dev/null || die "debootstrap is missing and could not be installed"
}

make_machine() {
    local uri
    uri=$(mirrors | awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
    [[ -n $uri ]] || die "apt here knows no mirror of $SUITE (apt-get update?)"
    debootstrap --variant=minbase "$SUITE" "$machine" "$uri" >"$machine.log" 2>&1 || {
        tail -n 20 "$machine.log" >&2
        die "debootstrap failed"
    }
    rm -f "$machine.log"
    mirrors | awk '{ print "deb", $1, $2, "main" }' >"$machine/etc/apt/sources.list"
}

# How this machine reaches its mirror is its own affair; the new one needs the same.
copy_network_settings() {
    local file
    for file in /etc/apt/apt.conf.d/*; do
        if grep -q '^Acquire::' "$file" 2>/dev/null; then
            cp "$file" "$machine/etc/apt/apt.conf.d/"
        fi
    done
    cp /etc/resolv.conf /etc/hosts "$machine/etc/"
}

mount_machine() {
    mkdir -p "$machine"/dev/{pts,shm}
    local device
    for device in null zero full random urandom tty; do
        touch "$machine/dev/$device"
        mount --bind "/dev/$device" "$machine/dev/$device"
    done
    mount -t devpts devpts "$machine/dev/pts"
    mount -t tmpfs tmpfs "$machine/dev/shm"
    mount -t tmpfs tmpfs "$machine/tmp"
    ln -sfn /proc/self/fd "$machine/dev/fd"
}

# on_machine COMMAND...: in the clone, with processes of its own, all of which end with it
on_machine() {
    # shellcheck disable=SC2016 # for the shell on the machine
    unshare --fork --pid --kill-child chroot "$machine" /usr/bin/env -i \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        /bin/bash -c 'mount -t proc proc /proc && cd /root/callbackd && "$@"; status=$?
                      umount /proc; exit $status' - "$@" </dev/null
}

main() {
    local tests=yes
    [[ ${1:-} != --quickstart ]] || tests=no
    [[ $EUID -eq 0 ]] || die "needs root, for debootstrap and mounts"
    install_debootstrap
    machine=$(mktemp -d "${TMPDIR:-/tmp}/callbackd-machine-XXXXXX")
    trap clean_up EXIT
    say "making a bare Debian 12"
    make_machine
    copy_network_settings
    mount_machine
    git clone -q --no-hardlinks "$root" "$machine/root/callbackd"
    say "deploy/quickstart.sh"
    on_machine deploy/quickstart.sh
    say "deploy/quickstart.sh, once more"
    on_machine deploy/quickstart.sh
    if [[ $tests == yes ]]; then
        say "tests/run.sh"
        on_machine tests/run.sh
    fi
    say "all is well"
}

main "$@"
