/* SPDX-License-Identifier: MIT */
/* The part of waiting.h that asks the daemon. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "callbackd/body.h"
#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "launch_plan.h"
#include "outcome.h"
#include "pause.h"
#include "waiting.h"

enum {
    PATH_BYTES = 1024,
    POLL_MS = 30000,     /* how long one question stays open */
    ANSWER_MS = 15000,   /* what the answer may take beyond that */
    PAUSE_MS = 1000,     /* between questions that are answered at once */
    AWAY_MAX_MS = 60000, /* how long the daemon may be away: a restart is shorter */
};

struct watch {
    struct session *session;
    const struct waiting *waiting;
    struct admin_client *admin;
    int64_t started_ms;    /* monotonic, as all here */
    int64_t until_ms;      /* 0: for ever */
    int64_t away_since_ms; /* 0: it answers */
    bool answered;         /* it did at least once */
    bool told;             /* that something happened to the run */
    char state[32];        /* of the run, as last heard */
};

int fetch_body(
    struct session *session, const char *result_id, struct admin_answer *answer_out,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/results");
    admin_add_segment(&path, result_id);
    buffer_append_text(&path, "/body");
    struct admin_client *admin = session_admin(session, error);
    struct admin_call call = {.path = buffer_text(&path), .bytes = true, .timeout_ms = 300000};
    return admin ? admin_call(admin, &call, answer_out, error) : -1;
}

enum body_kind result_kind_of(const struct json_document *document)
{
    enum body_kind kind = BODY_JSON;
    const char *name = json_get_text(json_get(json_root(document), "kind"));
    if (name)
        body_kind_parse(name, &kind);
    return kind;
}

static enum result_status status_of(const struct json_document *document)
{
    enum result_status status = STATUS_RECEIVED;
    const char *name = json_get_text(json_get(json_root(document), "status"));
    if (name)
        result_status_parse(name, &status);
    return status;
}

int tell_result(
    struct session *session, const struct json_document *document, bool all_outputs,
    struct error *error)
{
    const char *id = json_get_text(json_get(json_root(document), "id"));
    struct admin_answer body;
    if (!id)
        return error_set(error, ERROR_REFUSED, "the daemon's result has no id");
    if (fetch_body(session, id, &body, error) != 0)
        return -1;
    struct outcome outcome = {
        .status = status_of(document),
        .kind = result_kind_of(document),
        .body = buffer_bytes(&body.body),
        .document = document,
    };
    int status = outcome_tell(&session->display, &outcome, all_outputs, error);
    admin_answer_fini(&body);
    return status;
}

/* Will nothing more be decided about it? */
static bool is_decided(const struct json_document *document)
{
    const struct json *root = json_root(document);
    const char *confirmation = json_get_text(json_get(root, "confirmation"));
    bool pending = false;
    json_get_bool(json_get(root, "pending"), &pending);
    if (pending || (confirmation && strcmp(confirmation, "pending") == 0))
        return false;
    enum result_status status = status_of(document);
    return result_status_is_final(status) || status == STATUS_MISMATCH;
}

/* A result may be decided before the daemon has heard the execution id; we know it. */
static bool is_of_another_execution(
    const struct waiting *waiting, const struct json_document *document)
{
    const char *text = json_get_text(json_get(json_root(document), "execution_id"));
    int64_t id = 0;
    return waiting->has_execution_id && text && text_parse_int64(bytes_of_text(text), &id) &&
           id != waiting->execution_id;
}

/* The exit status once the result is decided, -1, or -2: not yet. */
static int take_result(
    const struct watch *watch, const struct json_document *document, struct error *error)
{
    if (!document || !is_decided(document))
        return -2;
    display_progress(&watch->session->display, "");
    if (is_of_another_execution(watch->waiting, document) &&
        status_of(document) != STATUS_MISMATCH) {
        display_note(
            "the result that came is of another execution (%s, not %" PRId64 ")",
            json_get_text(json_get(json_root(document), "execution_id")),
            watch->waiting->execution_id);
        return EXIT_STATUS_WORKFLOW_FAILED;
    }
    return tell_result(watch->session, document, watch->waiting->all_outputs, error);
}

/* The exit status when the run has ended without a result, -1, or -2: it goes on. */
static int look_at_run(struct watch *watch, struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/runs");
    admin_add_segment(&path, watch->waiting->run_id);
    struct admin_answer answer;
    if (admin_get(watch->admin, buffer_text(&path), &answer, error) != 0)
        return -1;
    const struct json *root = answer.document ? json_root(answer.document) : NULL;
    const char *state = json_get_text(json_get(root, "state"));
    const char *reason = json_get_text(json_get(root, "reason"));
    snprintf(watch->state, sizeof(watch->state), "%s", state ? state : "unknown");
    int status = -2;
    if (strcmp(watch->state, "lost") == 0 || strcmp(watch->state, "launch_failed") == 0) {
        bool lost = watch->state[0] == 'l' && watch->state[1] == 'o';
        display_progress(&watch->session->display, "");
        display_note(
            "the run %s %s%s%s", watch->waiting->run_id,
            lost ? "is lost: no result came" : "was never launched", reason ? ": " : "",
            reason ? reason : "");
        status = EXIT_STATUS_WORKFLOW_FAILED;
    } else if (reason && !watch->told) {
        watch->told = true;
        display_progress(&watch->session->display, "");
        display_note("the run %s is %s: %s", watch->waiting->run_id, watch->state, reason);
    }
    admin_answer_fini(&answer);
    return status;
}

/* One question, open for so long. The exit status, -1, or -2: not yet. */
static int ask_for(struct watch *watch, int64_t open_ms, struct error *error)
{
    char duration[32];
    text_format_duration(open_ms, duration, sizeof(duration));
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/runs");
    admin_add_segment(&path, watch->waiting->run_id);
    buffer_append_text(&path, "/result");
    admin_add_query(&path, "wait", duration);
    struct admin_call call = {.path = buffer_text(&path), .timeout_ms = open_ms + ANSWER_MS};
    struct admin_answer answer;
    if (admin_call(watch->admin, &call, &answer, error) != 0)
        return -1;
    watch->answered = true;
    int status = take_result(watch, answer.document, error);
    admin_answer_fini(&answer);
    return status == -2 ? look_at_run(watch, error) : status;
}

/* A daemon at which too many wait already answers at once those who do not. */
static int ask(struct watch *watch, struct error *error)
{
    int status = ask_for(watch, pause_left_ms(watch->until_ms, POLL_MS), error);
    return status == -1 && error->code == ERROR_BUSY ? ask_for(watch, 0, error) : status;
}

static void show_progress(const struct watch *watch)
{
    char span[32];
    char text[128];
    display_span(clock_monotonic_ms() - watch->started_ms, span, sizeof(span));
    snprintf(
        text, sizeof(text), "waiting for run %s: %s, %s", watch->waiting->run_id,
        watch->away_since_ms ? "the daemon is away" : watch->state, span);
    display_progress(&watch->session->display, text);
}

/* May we go on although the daemon did not answer as it should? */
static bool is_away_for_a_while(struct watch *watch, const struct error *error)
{
    if (!watch->answered || !admin_error_is_passing(error))
        return false;
    int64_t now_ms = clock_monotonic_ms();
    if (watch->away_since_ms == 0)
        watch->away_since_ms = now_ms;
    return now_ms - watch->away_since_ms < AWAY_MAX_MS;
}

static int time_out(const struct watch *watch, struct error *error)
{
    char duration[32];
    text_format_duration(watch->waiting->wait_ms, duration, sizeof(duration));
    display_progress(&watch->session->display, "");
    error_set(
        error, ERROR_TIMEOUT, "no result within %s: run %s is %s (go on with: callbackctl wait %s)",
        duration, watch->waiting->run_id, watch->away_since_ms ? "not known" : watch->state,
        watch->waiting->run_id);
    return -1;
}

int wait_at_daemon(struct session *session, const struct waiting *waiting, struct error *error)
{
    struct watch watch = {
        .session = session,
        .waiting = waiting,
        .admin = session_admin(session, error),
        .started_ms = clock_monotonic_ms(),
        .answered = waiting->has_execution_id, /* it has just registered the run */
        .state = "not known yet",
    };
    if (!watch.admin)
        return -1;
    if (waiting->wait_ms != WAIT_FOR_EVER)
        watch.until_ms = watch.started_ms + waiting->wait_ms;
    for (;;) {
        show_progress(&watch);
        int64_t asked_ms = clock_monotonic_ms();
        int status = ask(&watch, error);
        if (status >= 0)
            return status;
        if (status == -2)
            watch.away_since_ms = 0;
        else if (!is_away_for_a_while(&watch, error)) {
            display_progress(&session->display, "");
            return -1;
        }
        if (watch.until_ms != 0 && clock_monotonic_ms() >= watch.until_ms)
            return time_out(&watch, error);
        if (clock_monotonic_ms() - asked_ms < PAUSE_MS)
            pause_ms(pause_left_ms(watch.until_ms, PAUSE_MS));
    }
}
