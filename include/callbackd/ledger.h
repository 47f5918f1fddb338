/* SPDX-License-Identifier: MIT */
/*
 * The ledger's logic: which run a result belongs to, and what that makes of both.
 * All of it happens inside the caller's state transaction; nothing here does I/O
 * of its own.
 *
 * A run's states:  launching -> waiting -> completed
 *                  launching -> launch_failed            (the launcher said so)
 *                  launch_failed -> waiting              (it was launched again, and well)
 *                  waiting   -> overdue -> completed     (late, refused, or polled)
 *                             overdue -> lost            (given up) -> completed (very late)
 *                  launching -> lost                     (a day without a word) -> waiting
 * One that is launched by something else, which reports nothing, begins as waiting; its first post
 * that names an execution then names the run's.
 * A result may come at any time, also before the launch is known to have worked.
 */
#ifndef CALLBACKD_LEDGER_H
#define CALLBACKD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/id.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct ledger_registration {
    const char *workflow;
    const char *endpoint;        /* NULL: the first workflow-result endpoint with run-token */
    int64_t deadline_at_ms;      /* wall; 0: when its token expires */
    const char *tags_json;       /* NULL: none */
    const char *idempotency_key; /* NULL: none */
    const char *public_url;      /* base of the callback URL, no trailing slash */
    bool external;               /* nobody will report its launch: it is waiting at once */
    int64_t now_ms;
};

/* Registers a run and mints its callback URL. *existing_out: the key was there, `run_out` is
 * that run, unchanged. ERROR_INVALID (bad endpoint, bad deadline), ERROR_CONFLICT (key there,
 * for another workflow or endpoint). */
int ledger_register(
    struct state_tx *tx, const struct config *config,
    const struct ledger_registration *registration, struct run_record *run_out, bool *existing_out,
    struct error *error);

/* Records the execution id: launching or lost -> waiting (completed stays completed). The same
 * id again is fine; another one is ERROR_CONFLICT. launch_failed -> waiting: its launcher has tried
 * again, with the same callback URL. */
int ledger_launched(
    struct state_tx *tx, const struct id *run_id, int64_t execution_id, int64_t now_ms,
    struct run_record *run_out, struct error *error);
/* launching -> launch_failed. Any other state: ERROR_CONFLICT, but launch_failed again is fine. */
int ledger_launch_failed(
    struct state_tx *tx, const struct id *run_id, const char *reason, int64_t now_ms,
    struct run_record *run_out, struct error *error);

/*
 * Takes one entry of the log (not a duplicate) into the state: inserts the result with its
 * status as far as it can be decided, and moves its run. A token of a run that is not in the
 * ledger makes one. A post without run token whose execution id belongs to a run of the ledger
 * is linked to it. result_out->pending: the run is still launching; nothing may be triggered yet.
 * result_out->triggered: hooks may fire for it (ledger_may_trigger), and it is stored as one for
 * which they did: the caller queues them in the same transaction.
 */
int ledger_take(
    struct state_tx *tx, const struct config *config, const struct result_entry *entry,
    int64_t now_ms, struct result_record *result_out, struct error *error);

/* Decides a pending result anew: its run has been launched, has failed to launch, or has been
 * launching for longer than the grace. Leaves it pending otherwise. Writes result and run. */
int ledger_settle(
    struct state_tx *tx, const struct config *config, struct result_record *result, int64_t now_ms,
    struct error *error);

/*
 * A post with the run's token was refused, and its sender may not come again: a waiting run becomes
 * overdue with that reason, so that its result is asked for; one that is launching, once it was
 * launched. A run that is not in the ledger is made. *changed_out false: it had ended, or was late
 * already.
 */
struct ledger_refusal {
    struct id run;
    const char *endpoint;
    const char *reason;
    int64_t received_at_ms;
};
int ledger_refused(
    struct state_tx *tx, const struct ledger_refusal *refusal, bool *changed_out,
    struct error *error);

/* Runs past their deadline: waiting -> overdue; runs registered a day ago of which nobody said
 * that they were launched: launching -> lost. At most `limit`; *moved_out counts. */
int ledger_sweep(
    struct state_tx *tx, int64_t now_ms, int limit, int *moved_out, struct error *error);
/* Would ledger_sweep move anything? Changes nothing: a look is cheaper than a sync. */
int ledger_sweep_is_due(struct state_tx *tx, int64_t now_ms, bool *due_out, struct error *error);

/* May hooks fire for this result? If it is final: the first such of its run, or of its key where
 * there is no run, unless the endpoint says otherwise. Running and truncated ones may always (the
 * hooks that ask for them are selected later) and do not count as the first. Never: mismatch,
 * pending, or triggered already. */
int ledger_may_trigger(
    struct state_tx *tx, const struct config *config, const struct result_record *result,
    bool *may_out, struct error *error);

#endif
