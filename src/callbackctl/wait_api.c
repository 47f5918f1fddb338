/* SPDX-License-Identifier: MIT */
/* The part of waiting.h that asks the workflow API. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "callbackd/body.h"
#include "callbackd/clock.h"
#include "callbackd/json_scan.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "launch_plan.h"
#include "outcome.h"
#include "pause.h"
#include "waiting.h"

enum {
    FIRST_MS = 1000,
    INTERVAL_MS = 5000,
    UNKNOWN_MAX_MS = 30000, /* a new run may not be known everywhere at once */
    TROUBLE_MAX_MS = 600000,
    INTERVAL_MAX_MS = 60000,
};

static const size_t output_bytes_max = (size_t)1 << 30;

struct poll {
    struct session *session;
    struct http_client *http;
    const struct promptlayer_api *api;
    const struct waiting *waiting;
    int64_t started_ms;       /* monotonic, as all here */
    int64_t until_ms;         /* 0: for ever */
    int64_t trouble_since_ms; /* 0: it answers */
    int64_t interval_ms;      /* until the next question */
};

/* The answer as the body of a callback would be. */
static int wrap(
    const struct poll *poll, enum promptlayer_poll found, struct bytes output, struct buffer *body,
    struct error *error)
{
    /* The answer for a failed run has an envelope of its own. */
    int result = found == POLL_FAILED ? buffer_append_bytes(body, output)
                                      : body_wrap_polled(poll->waiting->execution_id, output, body);
    if (result != 0)
        return error_set(
            error, ERROR_MEMORY, "no memory for an output of %zu bytes", output.length);
    return 0;
}

/* The exit status, -1, or -2: some node still runs. */
static int tell_polled(
    const struct poll *poll, enum promptlayer_poll found, struct bytes output, struct error *error)
{
    CLEANUP_BUFFER struct buffer body;
    buffer_init(&body, output_bytes_max);
    if (wrap(poll, found, output, &body, error) != 0)
        return -1;
    struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = JSON_DEPTH_MAX};
    struct body_summary summary;
    if (body_read(&rules, buffer_bytes(&body), &summary, error) != 0) {
        error_prefix(error, "the workflow API's answer");
        error->code = ERROR_REFUSED;
        return -1;
    }
    if (found == POLL_FAILED)
        summary.status = STATUS_FAILED;
    if (summary.status == STATUS_RUNNING)
        return -2;
    struct outcome outcome = {
        .status = summary.status,
        .kind = BODY_WORKFLOW_RESULT,
        .body = buffer_bytes(&body),
        .execution_id = poll->waiting->execution_id,
    };
    display_progress(&poll->session->display, "");
    return outcome_tell(&poll->session->display, &outcome, poll->waiting->all_outputs, error);
}

/* One question. The exit status, -1, or -2: not yet. */
static int ask(struct poll *poll, struct error *error)
{
    CLEANUP_BUFFER struct buffer output;
    buffer_init(&output, output_bytes_max);
    enum promptlayer_poll found = POLL_RUNNING;
    int64_t retry_after_s = -1;
    poll->interval_ms = INTERVAL_MS;
    if (promptlayer_poll(
            poll->http, poll->api, poll->waiting->execution_id, poll->waiting->all_outputs,
            output_bytes_max, &found, &output, &retry_after_s, error) != 0) {
        if (retry_after_s > 0)
            poll->interval_ms =
                retry_after_s * 1000 < INTERVAL_MAX_MS ? retry_after_s * 1000 : INTERVAL_MAX_MS;
        return -1;
    }
    poll->trouble_since_ms = 0;
    return found == POLL_RUNNING ? -2 : tell_polled(poll, found, buffer_bytes(&output), error);
}

/* Is it worth another try? Counts from the first of the failures in a row. */
static bool is_passing(struct poll *poll, const struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    switch (error->code) {
    case ERROR_NOT_FOUND:
        return now_ms - poll->started_ms < UNKNOWN_MAX_MS;
    case ERROR_BUSY:
    case ERROR_UNREACHABLE:
    case ERROR_TIMEOUT:
    case ERROR_IO:
        if (poll->trouble_since_ms == 0)
            poll->trouble_since_ms = now_ms;
        return now_ms - poll->trouble_since_ms < TROUBLE_MAX_MS;
    default:
        return false;
    }
}

static int time_out(const struct poll *poll, struct error *error)
{
    char duration[32];
    text_format_duration(poll->waiting->wait_ms, duration, sizeof(duration));
    display_progress(&poll->session->display, "");
    return error_set(
        error, ERROR_TIMEOUT, "no result within %s: execution %" PRId64 " still runs", duration,
        poll->waiting->execution_id);
}

static void show_progress(const struct poll *poll)
{
    char span[32];
    char text[128];
    display_span(clock_monotonic_ms() - poll->started_ms, span, sizeof(span));
    snprintf(
        text, sizeof(text), "waiting for execution %" PRId64 ": %s", poll->waiting->execution_id,
        span);
    display_progress(&poll->session->display, text);
}

int wait_at_api(
    struct session *session, const struct promptlayer_api *api, const struct waiting *waiting,
    struct error *error)
{
    struct poll poll = {
        .session = session,
        .http = session_http(session, error),
        .api = api,
        .waiting = waiting,
        .started_ms = clock_monotonic_ms(),
        .interval_ms = FIRST_MS,
    };
    if (!poll.http)
        return -1;
    if (waiting->wait_ms != WAIT_FOR_EVER)
        poll.until_ms = poll.started_ms + waiting->wait_ms;
    for (;;) {
        show_progress(&poll);
        pause_ms(pause_left_ms(poll.until_ms, poll.interval_ms));
        int status = ask(&poll, error);
        if (status >= 0)
            return status;
        if (status == -1 && !is_passing(&poll, error)) {
            display_progress(&session->display, "");
            return -1;
        }
        if (poll.until_ms != 0 && clock_monotonic_ms() >= poll.until_ms)
            return time_out(&poll, error);
    }
}
