#!/bin/sh
# SPDX-License-Identifier: MIT
# start-reply.sh EXECUTION_ID TRIAGE: launches the next workflow of the chain.
#
# A hook runs at least once: after a crash it may run again, with the same
# CALLBACK_JOB_ID. As the run's idempotency key it keeps the next workflow from being
# launched twice. Exit status 0 is success, 65 "never try again", all else "try again".
set -eu
exec callbackctl --config /etc/callbackd/callbackd.json run support-reply \
    --input "triage=$2" --metadata "triggered_by=$1" --idempotency-key "$CALLBACK_JOB_ID"
