#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install.sh DIRECTORY: the senders' own libraries, as package-lock.json pins them, into
# DIRECTORY/node_modules. From the registry that npm is set up for; no script of theirs runs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here

[[ $# -eq 1 ]] || {
    echo "usage: install.sh DIRECTORY" >&2
    exit 2
}
mkdir -p "$1"
cp "$here/package.json" "$here/package-lock.json" "$1"
cd "$1"
# Half an installation is none: tests look for this file.
rm -f installed
npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier
touch installed
