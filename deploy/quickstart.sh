#!/bin/bash
# SPDX-License-Identifier: MIT
#
# quickstart.sh [--keep]: from a bare Debian 12 to a stored result, in one go.
# Installs packages, builds, makes development certificates, starts callbackd and a
# simulator of the workflow API on loopback (ports chosen by the kernel), launches
# a run, shows its stored result and what the hook wrote, and stops everything.
# --keep leaves it running and says what to open and type next.
# As root, or with sudo; may be run as often as you like.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly bin=$root/build/bin
readonly certs=$root/certs/dev
readonly STEPS=6 DEADLINE_S=30

keep=no
demo=''       # the folder with everything of this demonstration
started=()    # process ids of ours
step_number=0

# ---- talking ----

step() {
    step_number=$((step_number + 1))
    printf '\n[%d/%d] %s\n' "$step_number" "$STEPS" "$*"
}

say() {
    printf '      %s\n' "$*"
}

die() {
    printf '\nquickstart: %s\n' "$*" >&2
    exit 1
}

# quietly LOG COMMAND...: its output is shown only when it fails
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 40 "$log" >&2
        die "failed: $* (all of its output: $log)"
    }
}

# type_in COMMAND...: shown as a person would type it, with what it prints
type_in() {
    local word line=''
    for word in "$@"; do
        [[ $word != *[^a-zA-Z0-9_./=:-]* ]] || word="'$word'"
        line+=" ${word#"$bin"/}"
    done
    printf '\n      $%s\n' "$line"
    "$@" 2>&1 | sed 's/^/      /'
}

# ---- starting and stopping ----

stop_all() {
    local status=$? pid
    trap - EXIT
    for pid in "${started[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${started[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    if [[ $status -ne 0 && -n $demo ]]; then
        tail -n 20 "$demo"/*.log 2>/dev/null >&2 || true
    elif [[ -n $demo ]]; then
        rm -rf "$demo"
    fi
    exit "$status"
}

# start NAME COMMAND...: in a session of its own, so that it can outlive this script
start() {
    local name=$1
    shift
    setsid "$@" </dev/null >"$demo/$name.log" 2>&1 &
    started+=("$!")
}

# wait_until WHAT COMMAND...: tries again until it succeeds
wait_until() {
    local what=$1 pid
    shift
    local end=$((SECONDS + DEADLINE_S))
    until "$@" >/dev/null 2>&1; do
        for pid in "${started[@]}"; do
            kill -0 "$pid" 2>/dev/null || die "a server ended while waiting until $what"
        done
        [[ $SECONDS -lt $end ]] || die "waited $DEADLINE_S s in vain until $what"
        sleep 0.05
    done
}

# ---- the demonstration's files ----

write_secrets() {
    local name
    for name in run-token admin promptlayer; do
        openssl rand -hex 32 >"$demo/$name.key"
    done
}

write_hook() {
    cat >"$demo/hook.sh" <<'END'
#!/bin/sh
# hook.sh STATUS ANSWER: the result's body is on standard input.
set -eu
{
    echo "run       $CALLBACK_RUN_ID"
    echo "workflow  $CALLBACK_WORKFLOW, execution $CALLBACK_EXECUTION_ID"
    echo "status    $1"
    echo "answer    $2"
    echo "body      $(wc -c) bytes on standard input"
} >"$HOOK_OUTPUT.new"
mv "$HOOK_OUTPUT.new" "$HOOK_OUTPUT"
END
    chmod 0700 "$demo/hook.sh"
}

write_configuration() {
    cat >"$demo/callbackd.json" <<END
{
  "listen": [
    { "address": "127.0.0.1:0",
      "tls": { "certificate": "$certs/server.pem", "private_key": "$certs/server.key" } }
  ],
  "admin": { "address": "127.0.0.1:0", "token_file": "admin.key", "metrics_public": true },
  "store": { "directory": "store" },
  "run_token": { "key_file": "run-token.key" },
  "promptlayer": { "base_url": "http://$1", "api_key_file": "promptlayer.key" },
  "endpoints": [
    { "name": "results", "path": "/callback", "kind": "workflow-result",
      "verify": [ { "scheme": "run-token" } ] }
  ],
  "hooks": [
    { "name": "note", "endpoint": "results",
      "command": ["./hook.sh", "{status}", "{/final_output}"],
      "env": { "HOOK_OUTPUT": "$demo/hook-output.txt" } }
  ]
}
END
}

# json_text FILE KEY: the first text of that key (listeners.json is ours and flat)
json_text() {
    sed -n "s/.*\"$2\":{\{0,1\}\"\{0,1\}\(address\":\"\)\{0,1\}\([^\"]*\)\".*/\2/p" "$1" | head -n 1
}

# ---- the steps ----

build() {
    quietly "$demo/configure.log" cmake --preset release -S "$root"
    quietly "$demo/build.log" cmake --build "$root/build" --parallel "$(nproc)" \
        --target callbackd callbackctl callbackctl_documents promptlayer-sim
}

start_servers() {
    # Not earlier: what is built is for everybody who may see this folder.
    umask 0077
    write_secrets
    write_hook
    start simulator "$bin/promptlayer-sim" --listen 127.0.0.1:0 --port-file "$demo/port" \
        --delay 500ms --ca-file "$certs/ca.pem"
    wait_until "the simulator listens" test -s "$demo/port"
    write_configuration "127.0.0.1:$(<"$demo/port")"
    export CALLBACKD_CONFIG=$demo/callbackd.json
    start callbackd "$bin/callbackd" --config "$demo/callbackd.json"
    wait_until "callbackd is ready" "$bin/callbackctl" status
}

launch() {
    printf '\n      $ %s\n' "export CALLBACKD_CONFIG=$CALLBACKD_CONFIG"
    # _sim is for the simulator: what this run shall answer.
    type_in "$bin/callbackctl" run support-triage --input "question=Where is my parcel?" \
        --input-json '_sim={"value":"It left the depot this morning."}' --wait=30s
}

job_has_succeeded() {
    [[ $("$bin/callbackctl" jobs --state succeeded --json) == *'"hook":"note"'* ]]
}

show_result() {
    local result
    wait_until "the hook has ended well" job_has_succeeded
    result=$("$bin/callbackctl" results --json | sed -n 's/.*"id":"\([0-9a-f-]*\)".*/\1/p' | head -n 1)
    type_in "$bin/callbackctl" results
    type_in "$bin/callbackctl" show "$result" --body
    type_in "$bin/callbackctl" jobs
    type_in cat "$demo/hook-output.txt"
}

say_what_next() {
    local admin
    admin=$(json_text "$demo/store/listeners.json" admin)
    cat <<END

callbackd and the simulator are running. To go on:

  type    export PATH=$bin:\$PATH CALLBACKD_CONFIG=$CALLBACKD_CONFIG
          callbackctl run my-workflow --input k=v --wait
          callbackctl results
          callbackctl help
          curl -H "Authorization: Bearer \$(cat $demo/admin.key)" http://$admin/api/v1/status
  open    http://$admin/metrics
  read    $demo/callbackd.json and callbackd.log beside it
  stop    kill ${started[*]}; rm -rf $demo

END
}

main() {
    case ${1:-} in
    '') ;;
    --keep) keep=yes ;;
    *) die "usage: quickstart.sh [--keep]" ;;
    esac
    demo=$(mktemp -d "${TMPDIR:-/tmp}/callbackd-quickstart.XXXXXX")
    trap stop_all EXIT
    trap 'exit 130' INT TERM

    step "Packages"
    "$root/deploy/packages.sh" build
    step "Build (the first time takes about a minute)"
    build
    step "Development certificates in certs/dev"
    quietly "$demo/certs.log" "$root/certs/make-dev-certs.sh" "$certs"
    step "callbackd and a simulator of the workflow API, on loopback"
    start_servers
    step "Launch a run and wait for its result: standard output is the workflow's output"
    launch
    step "What is stored, and what the hook wrote"
    show_result

    if [[ $keep == yes ]]; then
        trap - EXIT
        say_what_next
    else
        printf '\nDone. --keep leaves it running for you to play with.\n'
    fi
}

main "$@"
