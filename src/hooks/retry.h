/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a job after an attempt: a pure function of the hook's policy, how the
 * attempt ended, and chance.
 */
#ifndef CALLBACKD_HOOKS_RETRY_H
#define CALLBACKD_HOOKS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/config.h"
#include "callbackd/state.h"

enum { RETRY_REASON_BYTES = 256, RETRY_NOT_ASKED = -1 };

/* A copy of what the hook says, so that a running job outlives its configuration. */
struct retry_policy {
    struct config_retry retry;
    struct config_exit_codes retry_on;
    struct config_exit_codes fail_on;
    int64_t give_up_after_ms; /* 0: never */
};

struct retry_end {
    enum attempt_outcome outcome;
    int exit_code;
    bool succeeded;
    const char *fatal; /* why no retry can help; NULL: one may */
    bool cancelled;    /* stopped, or to be stopped, because somebody cancelled the job */
    int64_t asked_ms;  /* the pause that the hook asked for, or RETRY_NOT_ASKED */
    int attempts_made; /* this one included */
    int64_t queued_at_ms;
    int64_t now_ms;  /* of the queue's clock, as all of these */
    uint64_t chance; /* random bits */
};

struct retry_verdict {
    enum job_state state;
    int64_t next_at_ms;              /* 0 when the job ended */
    char reason[RETRY_REASON_BYTES]; /* why dead, where the attempt does not say; "" */
};

struct retry_policy retry_policy_of(const struct config_hook *hook);

void retry_decide(
    const struct retry_policy *policy, const struct retry_end *end, struct retry_verdict *out);

/* The pause after the n-th attempt (1..): anything from none to twice first_delay * 2^(n-1), but
 * not more than max_delay. All of it is chance, so that jobs which failed together come apart; on
 * average it is what first_delay says, doubled each time. */
int64_t retry_delay_ms(const struct config_retry *retry, int attempts_made, uint64_t chance);

/* Has a queued job waited too long to be started at all? It counts from when it was created, put
 * back by hand or interrupted. */
bool retry_expired(const struct retry_policy *policy, int64_t queued_at_ms, int64_t now_ms);

#endif
