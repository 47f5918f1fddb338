#!/bin/sh
# SPDX-License-Identifier: MIT
# notify.sh WORKFLOW EXECUTION_ID: writes to the system's log that a workflow failed.
# The whole result is on standard input, and in the file $CALLBACK_BODY_FILE.
set -eu
exec logger --tag callbackd --priority user.err \
    "workflow $1, execution $2, failed: see callbackctl show $CALLBACK_RESULT_ID"
