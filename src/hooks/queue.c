/* SPDX-License-Identifier: MIT */
/*
 * The queue in state.db: what is due, and the one transaction of a round. Everything here that
 * takes a state_tx runs inside of it, while the engine's thread waits; it may be undone as a
 * whole, so it changes nothing of the engine but what a later round would find out again.
 */
#include <stdlib.h>

#include "callbackd/os.h"
#include "death.h"
#include "engine_private.h"
#include "picker.h"

/* ---- ends ---- */

static int update_attempt(struct state_tx *tx, struct running *running, struct error *error)
{
    struct attempt_record attempt = {
        .job_seq = running->job_seq,
        .number = running->number,
        .started_at_ms = running->started_at_ms,
        .ended_at_ms = running->ended_at_ms,
        .outcome = running->outcome,
        .exit_code = running->exit_code,
        .signal = running->signal,
        .standard_output = tail_content(&running->tails[0]),
        .standard_error = tail_content(&running->tails[1]),
        .output_truncated = running->tails[0].cut || running->tails[1].cut,
        .message = running->message,
    };
    return state_attempt_update(tx, &running->job, &attempt, error);
}

static void decide(struct running *running, const struct job_progress *job, int64_t now_ms)
{
    const char *why = running->message ? running->message : "it can never be started";
    struct retry_end end = {
        .outcome = running->outcome,
        .exit_code = running->exit_code,
        .fatal = running->fatal ? why : NULL,
        .succeeded = running->succeeded,
        .asked_ms = running->asked_ms,
        .cancelled =
            running->stop_reason == STOP_CANCEL || (job->cancel_requested && !running->succeeded),
        .attempts_made = job->attempts_made,
        .queued_at_ms = job->queued_at_ms,
        .now_ms = now_ms,
    };
    os_random(&end.chance, sizeof(end.chance));
    retry_decide(&running->policy, &end, &running->verdict);
}

static int update_job(
    struct state_tx *tx, struct running *running, const struct job_progress *job,
    struct error *error)
{
    struct retry_verdict *verdict = &running->verdict;
    bool ended = verdict->state != JOB_WAITING && verdict->state != JOB_RETRYING;
    struct job_record update = {
        .id = running->job,
        .seq = running->job_seq,
        .state = verdict->state,
        .attempts_made = job->attempts_made,
        .next_at_ms = ended ? 0 : verdict->next_at_ms,
        .ended_at_ms = ended ? running->ended_at_ms : 0,
        .cancel_requested = job->cancel_requested && !ended,
        .reason = verdict->reason[0] != '\0' ? verdict->reason : NULL,
    };
    return state_job_update(tx, &update, error);
}

static int record_end(
    struct state_tx *tx, struct queue_round *round, struct running *running, struct error *error)
{
    struct job_progress job;
    struct error reason;
    running->recorded = false;
    if (state_job_progress(tx, running->job_seq, &running->job, &job, &reason) != 0) {
        if (reason.code == ERROR_NOT_FOUND)
            return 0; /* somebody removed it from the file: nothing is left to record */
        return error_set(error, reason.code, "%s", reason.message);
    }
    decide(running, &job, state_tx_clock_ms(tx));
    int result = update_attempt(tx, running, error);
    if (result == 0)
        result = update_job(tx, running, &job, error);
    if (result == 0 && running->verdict.state == JOB_DEAD)
        result = death_tell(tx, round, running, error);
    running->recorded = result == 0;
    return result;
}

/* ---- cancellations ---- */

static int note_cancel(void *context, const struct id *job)
{
    struct hook_engine *engine = context;
    struct running *running = engine->active;
    while (running && !id_equal(&running->job, job))
        running = running->next;
    if (running)
        running->cancel_requested = true;
    return 0;
}

static int look_for_cancels(struct state_tx *tx, struct hook_engine *engine, struct error *error)
{
    return engine->active ? state_job_cancels(tx, note_cancel, engine, error) : 0;
}

/* ---- rounds ---- */

static void free_list(struct running **list)
{
    while (*list) {
        struct running *next = (*list)->next;
        running_free(*list);
        *list = next;
    }
}

static void reset(struct queue_round *round)
{
    free_list(&round->picked);
    free_list(&round->dropped);
    round->picked_count = 0;
    round->shared_count = 0;
    round->dropped_count = 0;
    round->told_count = 0;
    round->due_at_ms = 0;
    for (size_t i = 0; i < round->engine->slot_count; i++)
        round->engine->slots[i].picked = 0;
}

static int look_work(struct state_tx *tx, void *context, struct error *error)
{
    struct queue_round *round = context;
    if (round->look_for_cancels && look_for_cancels(tx, round->engine, error) != 0)
        return -1;
    return picker_next_due(tx, round, error);
}

static int commit_work(struct state_tx *tx, void *context, struct error *error)
{
    struct queue_round *round = context;
    struct hook_engine *engine = round->engine;
    reset(round);
    for (struct running *running = engine->ended; running; running = running->next) {
        if (record_end(tx, round, running, error) != 0)
            return -1;
    }
    if (round->look_for_cancels && look_for_cancels(tx, engine, error) != 0)
        return -1;
    if (picker_pick(tx, round, error) != 0 || slots_save_rates(tx, round, error) != 0 ||
        state_clock_note(tx, error) != 0)
        return -1;
    return picker_next_due(tx, round, error);
}

int queue_look(struct queue_round *round, struct error *error)
{
    round->now_ms = state_clock_ms(round->engine->state);
    reset(round);
    return state_read(round->engine->state, look_work, round, error);
}

int queue_commit(struct queue_round *round, struct error *error)
{
    round->now_ms = state_clock_ms(round->engine->state);
    if (state_write(round->engine->state, commit_work, round, error) == 0)
        return 0;
    reset(round);
    return -1;
}
