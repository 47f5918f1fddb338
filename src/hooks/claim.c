/* SPDX-License-Identifier: MIT */
#include "claim.h"

#include "callbackd/clock.h"
#include "callbackd/text.h"
#include "death.h"

int claim_visit(void *context, const struct job_record *job)
{
    struct claim_list *list = context;
    if (list->count == list->capacity)
        return 0;
    list->items[list->count++] = (struct claim){
        .job = job->id,
        .job_seq = job->seq,
        .result_seq = job->result_seq,
        .attempts_made = job->attempts_made,
        .queued_at_ms = job->queued_at_ms,
        .replay = job->replay,
        .tells = job->death.job != NULL,
    };
    return 0;
}

static struct running *make_attempt(struct hook_slot *slot, const struct claim *claim)
{
    struct running *running = running_new(slot->hook->name);
    if (!running)
        return NULL;
    if (slot->hook->on_dead && (running->on_dead = text_copy(slot->hook->on_dead)) == NULL) {
        running_free(running);
        return NULL;
    }
    running->slot = slot;
    running->kind = slot->kind;
    running->policy = retry_policy_of(slot->hook);
    running->result_seq = claim->result_seq;
    running->job = claim->job;
    running->job_seq = claim->job_seq;
    id_format(&claim->job, running->job_text);
    running->attempts_made = claim->attempts_made + 1;
    running->number = running->attempts_made;
    running->replay = claim->replay;
    running->started_at_ms = clock_wall_ms();
    return running;
}

static int write_job(struct state_tx *tx, const struct running *running, struct error *error)
{
    bool dead = running->verdict.state == JOB_DEAD;
    struct job_record job = {
        .id = running->job,
        .seq = running->job_seq,
        .state = running->verdict.state,
        .attempts_made = running->attempts_made,
        .ended_at_ms = dead ? running->ended_at_ms : 0,
        .reason = dead ? (char *)running->verdict.reason : NULL,
    };
    return state_job_update(tx, &job, error);
}

/* ---- jobs that cannot run ---- */

static int drop(
    struct state_tx *tx, struct queue_round *round, struct running *running, struct error *error)
{
    running->verdict.state = JOB_DEAD;
    running->attempts_made--; /* this one is not made */
    running->started_at_ms = 0;
    running->ended_at_ms = clock_wall_ms();
    running->recorded = true;
    running->next = round->dropped;
    round->dropped = running;
    round->dropped_count++;
    if (write_job(tx, running, error) != 0)
        return -1;
    return death_tell(tx, round, running, error);
}

static void explain_expiry(struct running *running)
{
    char age[32];
    text_format_duration(running->policy.give_up_after_ms, age, sizeof(age));
    snprintf(
        running->verdict.reason, sizeof(running->verdict.reason),
        "not started within give_up_after (%s)", age);
}

/* ---- jobs that run ---- */

static int find_last_number(void *context, const struct attempt_record *attempt)
{
    int *last = context;
    *last = attempt->number > *last ? attempt->number : *last;
    return 0;
}

static int insert_attempt(struct state_tx *tx, struct running *running, struct error *error)
{
    struct attempt_record attempt = {
        .job_seq = running->job_seq,
        .number = running->number,
        .started_at_ms = running->started_at_ms,
        .outcome = ATTEMPT_RUNNING,
        .exit_code = -1,
    };
    struct error reason = {0};
    if (state_attempt_insert(tx, &running->job, &attempt, &reason) == 0)
        return 0;
    if (reason.code != ERROR_CONFLICT)
        return error_set(error, reason.code, "%s", reason.message);
    /* Whoever put the job back counts its attempts anew: their numbers go on all the same. */
    int last = 0;
    if (state_attempt_list(tx, &running->job, find_last_number, &last, error) != 0)
        return -1;
    running->number = last + 1;
    attempt.number = running->number;
    return state_attempt_insert(tx, &running->job, &attempt, error);
}

static int start(
    struct state_tx *tx, struct queue_round *round, struct running *running, struct error *error)
{
    running->verdict.state = JOB_RUNNING;
    running->next = round->picked;
    round->picked = running;
    round->picked_count++;
    round->shared_count += running->kind->is_shared;
    running->slot->picked++;
    if (insert_attempt(tx, running, error) != 0)
        return -1;
    return write_job(tx, running, error);
}

/* Few jobs tell of another, so its texts are not part of every claim. */
static int take_death(struct state_tx *tx, struct running *running, struct error *error)
{
    struct job_record job = {0};
    if (state_job_get(tx, &running->job, &job, error) != 0)
        return -1;
    running->death = job.death;
    job.death = (struct job_death){NULL, NULL, NULL};
    job_record_fini(&job);
    return 0;
}

int claim_take(
    struct state_tx *tx, struct queue_round *round, struct hook_slot *slot,
    const struct claim *claim, struct error *error)
{
    struct running *running = make_attempt(slot, claim);
    if (!running)
        return error_set(error, ERROR_MEMORY, "no memory for a job");
    if (retry_expired(&running->policy, claim->queued_at_ms, round->now_ms)) {
        explain_expiry(running);
        return drop(tx, round, running, error);
    }
    struct error reason;
    if (state_result_by_seq(tx, claim->result_seq, &running->result, &reason) == 0) {
        running->has_result = true;
        if (start(tx, round, running, error) != 0)
            return -1;
        return claim->tells ? take_death(tx, running, error) : 0;
    }
    if (reason.code == ERROR_NOT_FOUND) {
        snprintf(
            running->verdict.reason, sizeof(running->verdict.reason),
            "its result is not stored any more");
        return drop(tx, round, running, error);
    }
    running_free(running);
    return error_set(error, reason.code, "%s", reason.message);
}
