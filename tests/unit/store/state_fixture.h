/* SPDX-License-Identifier: MIT */
/* What the tests of the state share: records, and transactions in one line. */
#ifndef CALLBACKD_TESTS_STATE_FIXTURE_H
#define CALLBACKD_TESTS_STATE_FIXTURE_H

#include "store_fixture.h"

/* Runs `work` in a transaction that must succeed. */
static inline void writes(struct fixture *fixture, state_work *work, void *context)
{
    fixture_succeeds(state_write(fixture->state, work, context, &fixture->error), &fixture->error);
}

static inline void reads(struct fixture *fixture, state_work *work, void *context)
{
    fixture_succeeds(state_read(fixture->state, work, context, &fixture->error), &fixture->error);
}

/* The texts are literals: not to be given back with run_record_fini. */
static inline struct run_record a_run(void)
{
    return (struct run_record){
        .id = id_new(),
        .state = RUN_LAUNCHING,
        .workflow = "triage",
        .endpoint = "results",
        .registered_at_ms = 1000,
    };
}

static inline struct result_record a_result(int64_t seq)
{
    return (struct result_record){
        .seq = seq,
        .id = id_new(),
        .endpoint = "results",
        .key = "",
        .kind = BODY_WORKFLOW_RESULT,
        .workflow = "triage",
        .event = "",
        .status = STATUS_SUCCESS,
        .triggered = true,
        .source = "callback",
        .revision = 1,
        .received_at_ms = 1000 + seq,
        .remote_address = "192.0.2.7",
        .verified_by = "run-token",
        .content_type = "application/json",
        .size = 2,
        .sha256 = {1, 2, 3},
    };
}

static inline struct job_record a_job(const struct result_record *result, const char *hook)
{
    return (struct job_record){
        .id = id_new(),
        .hook = (char *)hook,
        .result_seq = result->seq,
        .result = result->id,
        .state = JOB_WAITING,
        .next_at_ms = 5000,
        .queued_at_ms = 5000,
        .created_at_ms = 5000,
    };
}

#endif
