#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fetch.sh BUILD_DIR: puts civetweb's source, with Debian's security patches, into
# BUILD_DIR/source. Both tarballs are Debian's source package of trixie, found
# and verified by apt; the system's own apt configuration, lists and cache are not
# touched. Runs on Debian 12, as root or not. Does nothing when the tree is there.
#
# Pinned on purpose: what is built is what was read and tested. When a point
# release has replaced the tarballs, the newer ones that apt vouches for are taken,
# and that is said on stderr, so that somebody moves the pin.
set -euo pipefail

readonly SUITE=trixie
readonly ORIG=civetweb_1.16+dfsg.orig.tar.xz
readonly ORIG_SHA256=41dbfd68cd3b914ce440a5813f21058813b61a972600cc04fb8233a0d2d04fe4
readonly PATCHES=civetweb_1.16+dfsg-2+deb13u1.debian.tar.xz
readonly PATCHES_SHA256=1e5f56ab5592026dc5cd90302cfaa5a66b889f8959440e64dc0e373d18165ebb
readonly PIN="$ORIG_SHA256 $PATCHES_SHA256"
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly APT_HELPER=/usr/lib/apt/apt-helper

say() {
    printf 'civetweb: %s\n' "$*" >&2
}

die() {
    say "error: $*"
    say "or give a source tree of your own: cmake -DCIVETWEB_SOURCE_DIR=/path/to/civetweb"
    exit 1
}

warn_not_pinned() {
    say "WARNING: Debian no longer offers the pinned $PATCHES."
    say "WARNING: built from $1 instead, which apt vouches for."
    say "WARNING: review its changes and move the pin in src/http/civetweb/fetch.sh."
}

need() {
    local tool package
    while read -r tool package; do
        command -v "$tool" >/dev/null || die "$tool is missing: apt-get install $package"
    done <<<"$1"
}

# The stamp's first line is the pin it was made for, the second what was taken.
is_there() {
    local pin='' taken='' name=''
    [[ -f $tree/include/civetweb.h && -f $tree/.fetched ]] || return 1
    { read -r pin && read -r taken name; } <"$tree/.fetched" || return 1
    [[ $pin == "$PIN" ]] || return 1
    [[ $taken == pinned ]] || warn_not_pinned "$name"
}

# A private world for apt, so that nothing outside the build folder changes.
write_apt_configuration() {
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/download"
    cat >"$work/apt.conf" <<END
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
    # As root, apt downloads as this user, who must be able to write here.
    [[ $EUID -ne 0 ]] || chown _apt "$work/download" 2>/dev/null || true
}

# The machine's own Debian mirrors, with the suite that we want: "URI security|main".
# --no-release-info: a fresh container has no lists yet.
mirrors() {
    # shellcheck disable=SC2016 # the $(…) are apt's
    apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' \
        'Created-By: Packages' |
        while read -r uri release; do
            case $release in
            bookworm | trixie | stable | oldstable) echo "$uri main" ;;
            bookworm-security | trixie-security | stable-security | oldstable-security)
                echo "$uri security"
                ;;
            esac
        done | sort -u
}

write_sources_list() {
    local uri kind suite
    : >"$work/sources.list"
    while read -r uri kind; do
        suite=$SUITE
        [[ $kind == main ]] || suite=$SUITE-security
        echo "deb-src [signed-by=$KEYRING] $uri $suite main" >>"$work/sources.list"
    done < <(mirrors)
    grep -q " $SUITE main\$" "$work/sources.list" ||
        die "apt knows no Debian archive here (apt-get indextargets lists none)"
}

# Lines "URI FILE SHA256" for the orig and debian tarballs of the newest version.
# One mirror that fails does not matter as long as another one has the package.
find_tarballs() {
    apt-get -qq -c "$work/apt.conf" update >&2 || say "apt-get update reported errors (above)"
    apt-get -qq -c "$work/apt.conf" source --print-uris --download-only civetweb |
        sed -n "s/^'\([^']*\)' \([^ ]*\.tar\.[a-z0-9]*\) [0-9]* SHA256:\([0-9a-f]\{64\}\)\$/\1 \2 \3/p"
}

# fetch URI FILE SHA256
fetch() {
    local file=$work/download/$2
    if ! echo "$3  $file" | sha256sum --check --status 2>/dev/null; then
        rm -f "$file"
        "$APT_HELPER" -qq -c "$work/apt.conf" download-file "$1" "$file" "SHA256:$3" >&2 </dev/null ||
            die "cannot download $2"
    fi
    echo "$3  $file" | sha256sum --check --status || die "$2 is not what apt announced"
}

# unpack ORIG_FILE PATCHES_FILE
unpack() {
    local new=$work/unpacked patch
    rm -rf "$new"
    mkdir -p "$new"
    tar -xJf "$work/download/$1" -C "$new" --strip-components=1 --no-same-owner
    tar -xJf "$work/download/$2" -C "$new" --no-same-owner
    while read -r patch _; do
        [[ -n $patch && $patch != \#* ]] || continue
        patch -p1 -s -t -N --no-backup-if-mismatch -d "$new" <"$new/debian/patches/$patch" >&2 ||
            die "debian/patches/$patch does not apply"
    done <"$new/debian/patches/series"
    rm -rf "$tree"
    mv "$new" "$tree"
}

main() {
    [[ $# -eq 1 && -n $1 ]] || die "usage: fetch.sh BUILD_DIR"
    mkdir -p "$1"
    local build
    build=$(cd "$1" && pwd)
    readonly tree=$build/source work=$build/fetch
    is_there && return
    need "apt-get apt
tar tar
xz xz-utils
patch patch
sha256sum coreutils"
    [[ -x $APT_HELPER ]] || die "$APT_HELPER is missing: this is not a Debian system"
    [[ -r $KEYRING ]] || die "$KEYRING is missing: apt-get install debian-archive-keyring"

    write_apt_configuration
    write_sources_list
    local tarballs uri name sha256 orig='' patches='' taken=pinned
    tarballs=$(find_tarballs) || die "apt finds no source package of civetweb in $SUITE"
    while read -r uri name sha256; do
        case $name in
        *.orig.tar.xz) orig=$name ;;
        *.debian.tar.xz) patches=$name ;;
        *) continue ;;
        esac
        case "$name $sha256" in
        "$ORIG $ORIG_SHA256" | "$PATCHES $PATCHES_SHA256") ;;
        *) taken=newer ;;
        esac
        fetch "$uri" "$name" "$sha256"
    done <<<"$tarballs"
    [[ -n $orig && -n $patches ]] || die "apt lists no tarballs of civetweb in $SUITE"

    unpack "$orig" "$patches"
    printf '%s\n%s %s\n' "$PIN" "$taken" "$patches" >"$tree/.fetched"
    if [[ $taken != pinned ]]; then
        warn_not_pinned "$patches"
    fi
    rm -rf "$work"
}

main "$@"
