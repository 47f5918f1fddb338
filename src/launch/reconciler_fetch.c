/* SPDX-License-Identifier: MIT */
/* Asking the workflow API for one result, and what becomes of the answer. */
#include "reconciler_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/body.h"
#include "callbackd/clock.h"
#include "callbackd/json_scan.h"
#include "callbackd/log.h"
#include "callbackd/text.h"

enum {
    WRAPPING_MAX_BYTES = 256,
    KEY_BYTES = 1024,
    HANDED_OVER_MS = 60 * 1000, /* the worker takes it in long before */
    RATE_LIMIT_DEFAULT_S = 30,
    RATE_LIMIT_MAX_S = 3600,
    OUTAGE_PAUSE_MAX_MS = 60 * 1000,
    ATTEMPTS_BEFORE_LOST = 5
};

/* ---- handing over ---- */

/* The answer of a run that ended without output is {"success":false,…}: it stays as it is, and
 * gets its id, as a callback has. */
static int wrap_failed(int64_t execution_id, struct bytes answer, struct buffer *out)
{
    struct bytes token;
    enum json_event kind;
    size_t start = 0;
    while (start < answer.length && answer.data[start] != '{')
        start++;
    if (json_pointer_find(answer, "/workflow_version_execution_id", &token, &kind))
        return buffer_append_bytes(out, answer);
    buffer_appendf(out, "{\"workflow_version_execution_id\":%" PRId64 ",", execution_id);
    buffer_append(out, answer.data + start + 1, answer.length - start - 1);
    return buffer_failed(out) ? -1 : 0;
}

static int wrap(
    const struct reconcile_task *task, enum promptlayer_poll poll, struct bytes answer,
    struct buffer *out, struct error *error)
{
    int result = poll == POLL_FAILED ? wrap_failed(task->execution_id, answer, out)
                                     : body_wrap_polled(task->execution_id, answer, out);
    return result == 0 ? 0 : error_set(error, ERROR_MEMORY, "memory is short for a result");
}

static int copy_key(void *context, const struct result_entry *entry)
{
    snprintf(context, KEY_BYTES, "%s", entry->key);
    return 0;
}

/* The key of what it answers, so that it is a further revision of that. */
static int make_key(
    struct reconciler *reconciler, const struct reconcile_task *task, char key[static KEY_BYTES],
    struct error *error)
{
    char id[ID_TEXT_BYTES];
    id_format(&task->id, id);
    key[0] = '\0';
    if (!task->has_run &&
        result_log_get(reconciler->log, task->result_seq, copy_key, key, error) != 0)
        return -1;
    /* Never without a key: asked twice after a crash, it must not count twice. */
    if (key[0] == '\0')
        snprintf(key, KEY_BYTES, "%s%s", task->has_run ? "" : "poll:", id);
    return 0;
}

static int append(
    struct reconciler *reconciler, const struct reconcile_task *task,
    const struct body_summary *summary, struct bytes body, struct error *error)
{
    char key[KEY_BYTES];
    struct result_receipt receipt;
    if (make_key(reconciler, task, key, error) != 0)
        return -1;
    const struct result_post post = {
        .endpoint = task->endpoint,
        .kind = BODY_WORKFLOW_RESULT,
        .key = key,
        .has_run = task->has_run,
        .run = task->id,
        .summary = summary,
        .delivery_id = "",
        .source = "poll",
        .received_at_ms = clock_wall_ms(),
        .remote_address = "",
        .verified_by = "poll",
        .content_type = "application/json",
        .headers_json = bytes_of_text("[]"),
        .body = body,
    };
    if (result_log_append(reconciler->log, &post, &receipt, error) != 0)
        return -1;
    char id[ID_TEXT_BYTES];
    id_format(&receipt.id, id);
    log_info(
        "result polled", LOG_TEXT("id", id), LOG_INT("execution_id", task->execution_id),
        LOG_TEXT("endpoint", task->endpoint), LOG_BOOL("duplicate", receipt.duplicate),
        LOG_TEXT("status", result_status_name(summary->status)));
    return 0;
}

/* *final_out false: its nodes say that it is still under way. */
static int hand_over(
    struct reconciler *reconciler, const struct reconcile_task *task, enum promptlayer_poll poll,
    struct bytes answer, bool *final_out, struct error *error)
{
    const struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = JSON_DEPTH_MAX};
    struct body_summary summary;
    struct buffer body;
    buffer_init(&body, answer.length + WRAPPING_MAX_BYTES);
    int result = wrap(task, poll, answer, &body, error);
    if (result == 0)
        result = body_read(&rules, buffer_bytes(&body), &summary, error);
    if (result == 0) {
        *final_out = result_status_is_final(summary.status);
        if (*final_out)
            result = append(reconciler, task, &summary, buffer_bytes(&body), error);
    }
    buffer_fini(&body);
    return result;
}

/* ---- giving up ---- */

struct loss {
    const struct reconcile_task *task;
    const char *reason;
    bool lost;
};

static int lose_run(struct state_tx *tx, void *context, struct error *error)
{
    struct loss *loss = context;
    struct run_record run = {0};
    if (state_run_get(tx, &loss->task->id, &run, error) != 0)
        return -1;
    int result = 0;
    loss->lost = run.state == RUN_OVERDUE;
    if (loss->lost) {
        /* It may say that a post was refused. */
        char *reason =
            run.reason ? text_format("%s; %s", run.reason, loss->reason) : text_copy(loss->reason);
        run.state = RUN_LOST;
        free(run.reason);
        run.reason = reason;
        result = run.reason ? state_run_update(tx, &run, error)
                            : error_set(error, ERROR_MEMORY, "memory is short for a reason");
    }
    run_record_fini(&run);
    return result;
}

void reconcile_lose(
    struct reconciler *reconciler, const struct reconcile_task *task, const char *reason)
{
    struct loss loss = {.task = task, .reason = reason};
    struct error error = {0};
    char id[ID_TEXT_BYTES];
    id_format(&task->id, id);
    if (state_write(reconciler->state, lose_run, &loss, &error) != 0)
        log_error("lost run not recorded", LOG_TEXT("run_id", id), LOG_ERROR(&error));
    else if (loss.lost)
        log_warning("run lost", LOG_TEXT("run_id", id), LOG_TEXT("reason", reason));
}

static bool is_past_its_day(const struct reconcile_task *task)
{
    return clock_wall_ms() - task->since_ms > reconcile_give_up_ms;
}

/* ---- what did not bring a result ---- */

/* Nothing now. After its day a run is lost, but not by an outage that only just began. */
static void not_yet(
    struct reconciler *reconciler, const struct reconcile_task *task, bool answered,
    int64_t at_least_ms, const char *why)
{
    int attempts =
        backoff_failed(&reconciler->backoff, &task->id, clock_monotonic_ms(), at_least_ms);
    if (!task->overdue || !is_past_its_day(task) || (!answered && attempts < ATTEMPTS_BEFORE_LOST))
        return;
    char *reason = text_format("no result within a day after its deadline: %s", why);
    if (reason)
        reconcile_lose(reconciler, task, reason);
    free(reason);
}

static void unknown_to_api(struct reconciler *reconciler, const struct reconcile_task *task)
{
    char reason[128];
    snprintf(
        reason, sizeof reason, "the workflow API does not know execution %" PRId64,
        task->execution_id);
    backoff_give_up(&reconciler->backoff, &task->id, clock_monotonic_ms());
    if (task->overdue)
        reconcile_lose(reconciler, task, reason);
    else
        log_warning("truncated result not fetched", LOG_TEXT("reason", reason));
}

/* Nobody else is asked for either, for as long as the API says. */
static void rate_limited(
    struct reconciler *reconciler, const struct reconcile_task *task, int64_t retry_after_s)
{
    int64_t wait_s = retry_after_s < 0 ? RATE_LIMIT_DEFAULT_S : retry_after_s;
    int64_t now_ms = clock_monotonic_ms();
    if (wait_s > RATE_LIMIT_MAX_S)
        wait_s = RATE_LIMIT_MAX_S;
    reconciler->quiet_until_ms = now_ms + wait_s * 1000;
    backoff_wait(&reconciler->backoff, &task->id, now_ms, wait_s * 1000);
    log_warning("workflow API limits our rate", LOG_INT("wait_s", wait_s));
}

static void note_outage(struct reconciler *reconciler)
{
    int doublings = reconciler->outages < 6 ? reconciler->outages : 6;
    int64_t pause_ms = (int64_t)1000 << doublings;
    if (pause_ms > OUTAGE_PAUSE_MAX_MS)
        pause_ms = OUTAGE_PAUSE_MAX_MS;
    reconciler->outages++;
    reconciler->quiet_until_ms = clock_monotonic_ms() + pause_ms;
}

static void log_failure(
    const struct reconciler *reconciler, const struct reconcile_task *task,
    const struct error *error)
{
    /* The first time is news; then it is the same again, for as long as it lasts. */
    if (backoff_attempts(&reconciler->backoff, &task->id) == 0)
        log_warning(
            "result not polled", LOG_INT("execution_id", task->execution_id), LOG_ERROR(error));
    else
        log_debug(
            "result not polled", LOG_INT("execution_id", task->execution_id), LOG_ERROR(error));
}

static void failed(
    struct reconciler *reconciler, const struct reconcile_task *task, int64_t retry_after_s,
    const struct error *error)
{
    bool silent = error->code == ERROR_UNREACHABLE || error->code == ERROR_TIMEOUT;
    if (silent)
        note_outage(reconciler);
    else
        reconciler->outages = 0;
    if (error->code == ERROR_NOT_FOUND) {
        unknown_to_api(reconciler, task);
    } else if (error->code == ERROR_BUSY) {
        rate_limited(reconciler, task, retry_after_s);
    } else {
        log_failure(reconciler, task, error);
        int64_t wait_s = retry_after_s < RATE_LIMIT_MAX_S ? retry_after_s : RATE_LIMIT_MAX_S;
        not_yet(reconciler, task, error->code == ERROR_REFUSED, wait_s * 1000, error->message);
    }
}

/* ---- one request ---- */

static void answered(
    struct reconciler *reconciler, const struct reconcile_task *task, enum promptlayer_poll poll,
    struct bytes answer)
{
    struct error error = {0};
    bool final = false;
    reconciler->outages = 0;
    if (poll != POLL_RUNNING && hand_over(reconciler, task, poll, answer, &final, &error) != 0) {
        log_failure(reconciler, task, &error);
        not_yet(reconciler, task, false, 0, error.message);
    } else if (final) {
        backoff_wait(&reconciler->backoff, &task->id, clock_monotonic_ms(), HANDED_OVER_MS);
    } else {
        not_yet(reconciler, task, true, 0, "the workflow API says that it is still running");
    }
}

void reconcile_fetch(struct reconciler *reconciler, const struct reconcile_task *task)
{
    enum promptlayer_poll poll = POLL_RUNNING;
    int64_t retry_after_s = -1;
    struct error error = {0};
    struct buffer answer;
    size_t answer_max = (size_t)reconciler->config->limits.body_bytes;
    buffer_init(&answer, answer_max);
    metrics_add(reconciler->metrics, METRIC_POLLS, 1);
    if (promptlayer_poll(
            reconciler->client, &reconciler->api, task->execution_id, true, answer_max, &poll,
            &answer, &retry_after_s, &error) == 0)
        answered(reconciler, task, poll, buffer_bytes(&answer));
    else
        failed(reconciler, task, retry_after_s, &error);
    buffer_fini(&answer);
}
