#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fresh-machine.sh [--quickstart]: does a stranger's machine get through? Makes a bare
# Debian 12 in a folder (debootstrap, kept in the user's cache for the next time),
# clones the committed state of this repository into it, and runs there
# deploy/quickstart.sh twice and then tests/run.sh (not with --quickstart).
#
# As root. Packages come from the mirrors that this machine's apt uses. What runs
# inside has process ids, mounts and a /tmp of its own, and all of that is gone when
# this script ends, however it ends; the network is this machine's.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly SUITE=bookworm
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/callbackd
readonly image=$cache/$SUITE-minbase.tar

die() {
    printf 'fresh-machine: %s\n' "$*" >&2
    exit 1
}

say() {
    printf '\n==== %s\n' "$*"
}

# ---- the bare system ----

# sources [PATTERN]: "URI SUITE" of this machine's Debian mirrors
sources() {
    # shellcheck disable=SC2016 # the $(…) are apt's
    apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' \
        'Created-By: Packages' | sort -u | grep -E " $1\$"
}

# What it takes to reach them: proxies, and what is not checked here (frozen mirrors).
acquire_configuration() {
    apt-config dump --no-empty |
        grep -E '^Acquire::((https?|ftp)::(Proxy|Verify)|Check-|Retries|Force)' || true
}

make_image() {
    local mirror include='' proxy='' new
    mirror=$(sources "($SUITE|oldstable|stable)" | head -n 1 | cut -d ' ' -f 1)
    [[ -n $mirror ]] || die "apt knows no mirror of $SUITE here"
    [[ $mirror != https:* ]] || include=--include=ca-certificates
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf --one-file-system '$new'" EXIT
    http_proxy=${proxy:-${http_proxy:-}} debootstrap --variant=minbase --keyring="$KEYRING" \
        ${include:+"$include"} "$SUITE" "$new/system" "$mirror" >"$new/log" 2>&1 ||
        { tail -n 20 "$new/log" >&2 && die "debootstrap failed"; }
    tar -cf "$new/image.tar" -C "$new/system" .
    mv "$new/image.tar" "$image"
    rm -rf --one-file-system "$new"
    trap - EXIT
}

# ---- inside our own namespaces ----

mount_system() {
    local machine=$1
    mount -t proc proc "$machine/proc"
    mount --bind /dev "$machine/dev"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$machine/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$machine/dev/shm"
    mount -t tmpfs -o mode=1777 tmp "$machine/tmp"
}

configure_network() {
    local machine=$1 uri suite
    cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
    acquire_configuration >"$machine/etc/apt/apt.conf.d/90host"
    : >"$machine/etc/apt/sources.list"
    while read -r uri suite; do
        echo "deb [signed-by=$KEYRING] $uri $suite main" >>"$machine/etc/apt/sources.list"
    done < <(sources "($SUITE|oldstable|stable)(-updates|-security)?")
    # What this machine's npm needs to reach its registry.
    [[ ! -f ${NODE_EXTRA_CA_CERTS:-} ]] || cp -L "$NODE_EXTRA_CA_CERTS" "$machine/root/npm-ca.pem"
}

# inside MACHINE COMMAND...: says how long it took
inside() {
    local machine=$1 begin=$SECONDS
    shift
    say "$*"
    local -a npm=()
    [[ ! -f $machine/root/npm-ca.pem ]] || npm+=(NODE_EXTRA_CA_CERTS=/root/npm-ca.pem)
    [[ -z ${npm_config_registry:-} ]] || npm+=(npm_config_registry="$npm_config_registry")
    chroot "$machine" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM=dumb "${npm[@]}" "$@" </dev/null || die "failed after $((SECONDS - begin)) s: $*"
    say "$((SECONDS - begin)) s: $*"
}

# The second half: process 1 of the namespaces. When it ends, everything in them does.
run_inside() {
    local machine=$1 what=$2
    mount_system "$machine"
    configure_network "$machine"
    inside "$machine" /root/callbackd/deploy/quickstart.sh
    inside "$machine" /root/callbackd/deploy/quickstart.sh
    if [[ $what == all ]]; then
        inside "$machine" /root/callbackd/tests/run.sh
    fi
}

main() {
    local what=all machine status=0
    case ${1:-} in
    '') ;;
    --quickstart) what=quickstart ;;
    --run-inside)
        run_inside "$2" "$3"
        return
        ;;
    *) die "usage: fresh-machine.sh [--quickstart]" ;;
    esac
    [[ $EUID -eq 0 ]] || die "it makes a system of its own: run it as root"
    "$root/deploy/packages.sh" fresh-machine
    if [[ ! -s $image ]]; then
        say "a bare $SUITE, kept in $image"
        make_image
    fi
    machine=$(mktemp -d "${TMPDIR:-/tmp}/callbackd-machine.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf --one-file-system '$machine'" EXIT
    trap 'exit 130' INT TERM
    chmod 0755 "$machine"
    tar -xpf "$image" -C "$machine"
    git clone --quiet --no-hardlinks "$root" "$machine/root/callbackd"
    unshare --mount --propagation private --pid --fork --kill-child \
        "$root/tests/fresh-machine.sh" --run-inside "$machine" "$what" || status=$?
    exit "$status"
}

main "$@"
