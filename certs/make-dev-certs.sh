#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make-dev-certs.sh [DIR]: a certificate authority for development, a server
# certificate for this machine's loopback names and a client certificate, in DIR
# (default: certs/dev, which git ignores). What is there and still good is kept.
# For development and tests only: the authority's key lies beside its certificate.
set -euo pipefail

readonly DAYS=365
readonly RENEW_BEFORE_S=$((30 * 24 * 3600)) # what ends sooner than this is made anew

die() {
    printf 'make-dev-certs: %s\n' "$*" >&2
    exit 1
}

# make_key NAME: ECDSA P-256, readable by us alone from its first byte
make_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null
    chmod 0600 "$1.key"
}

# is_good NAME: a certificate that lasts, belongs to its key and comes from our authority
is_good() {
    [[ -s $1.pem && -s $1.key && -s ca.pem ]] &&
        openssl x509 -in "$1.pem" -noout -checkend "$RENEW_BEFORE_S" >/dev/null 2>&1 &&
        [[ $(openssl x509 -in "$1.pem" -noout -pubkey 2>/dev/null) == \
            "$(openssl pkey -in "$1.key" -pubout 2>/dev/null)" ]] &&
        openssl verify -CAfile ca.pem "$1.pem" >/dev/null 2>&1
}

make_authority() {
    make_key ca
    openssl req -x509 -new -key ca.key -sha256 -days "$DAYS" -out ca.pem \
        -subj "/CN=callbackd development CA" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# make_certificate NAME SUBJECT EXTENSION...
make_certificate() {
    local name=$1 subject=$2 request
    shift 2
    make_key "$name"
    request=$(openssl req -new -key "$name.key" -subj "$subject")
    openssl x509 -req -in - -CA ca.pem -CAkey ca.key -sha256 -days "$DAYS" \
        -set_serial "0x$(openssl rand -hex 16)" -out "$name.pem" \
        -extfile <(printf '%s\n' "basicConstraints=critical,CA:FALSE" \
            "keyUsage=critical,digitalSignature" "$@") \
        <<<"$request" 2>/dev/null
}

# ensure NAME COMMAND...: runs COMMAND unless NAME's certificate is good
ensure() {
    local name=$1
    shift
    if is_good "$name"; then
        echo "kept $name.pem"
    else
        "$@"
        echo "made $name.pem"
    fi
}

main() {
    [[ $# -le 1 && ${1:-} != -* ]] || die "usage: make-dev-certs.sh [DIR]"
    command -v openssl >/dev/null || die "openssl is missing: apt-get install openssl"
    local here
    here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    local directory=${1:-$here/dev}
    # The keys are for nobody else; the folder, with the certificates, is as others are.
    mkdir -p "$directory"
    cd "$directory"
    umask 0077
    ensure ca make_authority
    ensure server make_certificate server "/CN=localhost" \
        "extendedKeyUsage=serverAuth" "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
    ensure client make_certificate client "/CN=callbackd development client" \
        "extendedKeyUsage=clientAuth"
    chmod 0644 ./*.pem
}

main "$@"
