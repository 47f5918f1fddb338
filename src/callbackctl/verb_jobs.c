/* SPDX-License-Identifier: MIT */
/* One job, and what can be done to jobs and hooks: job, retry, pause, resume. */
#include <stdint.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "follow.h"
#include "hook_note.h"
#include "listing.h"
#include "verbs.h"

enum { PATH_BYTES = 16 * 1024 };

static const size_t job_bytes_max = (size_t)64 << 20;

/* ---- job ---- */

static const char *attempt_span(const struct json *attempt, char *out, size_t out_bytes)
{
    int64_t started = 0;
    int64_t ended = 0;
    const char *start = json_get_text(json_get(attempt, "started_at"));
    const char *end = json_get_text(json_get(attempt, "ended_at"));
    if (!start || !end || !clock_parse_rfc3339(start, &started) ||
        !clock_parse_rfc3339(end, &ended))
        return "not ended";
    text_format_duration(ended > started ? ended - started : 0, out, out_bytes);
    return out;
}

static void append_output(
    const struct json *attempt, const char *key, const char *title, struct buffer *out)
{
    const char *text = json_get_text(json_get(attempt, key));
    if (!text || text[0] == '\0')
        return;
    buffer_appendf(out, "  %s:\n", title);
    struct bytes rest = bytes_of_text(text);
    while (rest.length > 0) {
        size_t line = 0;
        while (line < rest.length && rest.data[line] != '\n')
            line++;
        buffer_append_text(out, "    ");
        printable_append_lines(out, bytes_of(rest.data, line));
        buffer_append_char(out, '\n');
        line += line < rest.length ? 1 : 0;
        rest = bytes_of(rest.data + line, rest.length - line);
    }
}

static void append_ending(
    const struct json_document *document, const struct json *attempt, struct buffer *out)
{
    int64_t number = 0;
    const char *outcome = json_get_text(json_get(attempt, "outcome"));
    bool signalled = outcome && strcmp(outcome, "signal") == 0;
    text_append_printable(out, bytes_of_text(outcome ? outcome : "running"));
    if (json_get_int64(document, json_get(attempt, "exit_code"), &number) && number >= 0)
        buffer_appendf(out, " %lld", (long long)number);
    if (json_get_int64(document, json_get(attempt, "signal"), &number) && number > 0)
        buffer_appendf(out, "%s %lld", signalled ? "" : " signal", (long long)number);
}

static void append_attempt(
    const struct session *session, const struct json_document *document, const struct json *attempt,
    struct buffer *out)
{
    char span[32];
    bool truncated = false;
    const char *started = json_get_text(json_get(attempt, "started_at"));
    const char *message = json_get_text(json_get(attempt, "message"));
    buffer_append_text(out, "\nattempt ");
    text_append_printable(out, json_source(document, json_get(attempt, "n")));
    buffer_append_text(out, ": ");
    append_ending(document, attempt, out);
    buffer_appendf(out, ", %s, started ", attempt_span(attempt, span, sizeof(span)));
    display_append_time(out, started ? started : "-", session->display.now_ms);
    buffer_append_char(out, '\n');
    if (message) {
        buffer_append_text(out, "  ");
        text_append_printable(out, bytes_of_text(message));
        buffer_append_char(out, '\n');
    }
    if (json_get_bool(json_get(attempt, "output_truncated"), &truncated) && truncated)
        buffer_append_text(out, "  (only the end of the output was kept)\n");
    bool apart = json_get(attempt, "stdout") != NULL;
    if (!apart)
        append_output(attempt, "output", "output", out);
    append_output(attempt, "stdout", "standard output", out);
    append_output(attempt, "stderr", "standard error", out);
}

static int show_job(
    const struct session *session, const struct admin_answer *answer, struct error *error)
{
    static const char *const skip[] = {"attempts", NULL};
    const struct json *root = json_root(answer->document);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, job_bytes_max);
    if (fields_append(answer->document, root, skip, &session->display, &out, error) != 0)
        return -1;
    const struct json *attempts = json_get(root, "attempts");
    for (const struct json *at = json_first(attempts); at; at = json_next(at))
        append_attempt(session, answer->document, at, &out);
    if (buffer_failed(&out))
        return error_set(error, ERROR_MEMORY, "the job is too large to show");
    return display_write(buffer_bytes(&out), error);
}

/* <prefix>/<operand><suffix>, with the daemon found. */
static int call_on_operand(
    struct session *session, const char *method, const char *prefix, const char *suffix,
    struct admin_answer *answer_out, struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, prefix);
    admin_add_segment(&path, session_operand(session, 0));
    buffer_append_text(&path, suffix);
    if (buffer_failed(&path))
        return error_set(error, ERROR_USAGE, "the name is too long");
    struct admin_client *admin = session_admin(session, error);
    if (!admin)
        return -1;
    struct admin_call call = {.method = method, .path = buffer_text(&path)};
    return admin_call(admin, &call, answer_out, error);
}

static int run_job(struct session *session, struct error *error)
{
    struct admin_answer answer = {0};
    if (arguments_have(&session->arguments, OPTION_FOLLOW))
        return follow_job(session, error);
    if (!session_operand_id(session, 0, error) ||
        call_on_operand(session, "GET", "/api/v1/jobs", "", &answer, error) != 0)
        return -1;
    int status;
    if (session->display.json || !answer.document)
        status = answer_print(session, &answer, error);
    else
        status = show_job(session, &answer, error);
    admin_answer_fini(&answer);
    return status;
}

static const struct option_row job_options[] = {
    {OPTION_FOLLOW, "follow", NULL, "print what it prints, as it does, until it has ended"},
    {OPTION_END, NULL, NULL, NULL},
};

const struct verb verb_job = {
    "job",
    "JOB",
    1,
    1,
    "show a job with each attempt's end, duration and output",
    "With --follow, what the command prints goes to standard output and standard error as it "
    "comes, "
    "through all attempts from the latest on, and the exit status is 0 when the job succeeds, 1 "
    "when it is dead or cancelled. With --json each piece is a line of JSON.",
    job_options,
    run_job,
};

/* ---- actions ---- */

static int run_retry(struct session *session, struct error *error)
{
    static const char *const skip[] = {"attempts", NULL};
    struct admin_answer answer = {0};
    if (!session_operand_id(session, 0, error) ||
        call_on_operand(session, "POST", "/api/v1/jobs", "/retry", &answer, error) != 0)
        return -1;
    int status = answer_show(session, &answer, skip, error);
    if (status == EXIT_STATUS_DONE && answer.document)
        hook_note_say(session, json_root(answer.document), NULL);
    admin_answer_fini(&answer);
    return status;
}

const struct verb verb_retry = {
    "retry",
    "JOB",
    1,
    1,
    "run a job again that is dead, cancelled or waits for its next attempt",
    "Where its hook is paused or not configured it waits, and that is said.",
    NULL,
    run_retry,
};

static int act_on_hook(struct session *session, const char *action, struct error *error)
{
    struct admin_answer answer = {0};
    if (call_on_operand(session, "POST", "/api/v1/hooks", action, &answer, error) != 0)
        return -1;
    int status = answer_show(session, &answer, NULL, error);
    admin_answer_fini(&answer);
    return status;
}

static int run_pause(struct session *session, struct error *error)
{
    return act_on_hook(session, "/pause", error);
}

const struct verb verb_pause = {
    "pause", "HOOK", 1, 1, "stop starting a hook's jobs; new ones queue", "", NULL, run_pause,
};

static int run_resume(struct session *session, struct error *error)
{
    return act_on_hook(session, "/resume", error);
}

const struct verb verb_resume = {
    "resume", "HOOK", 1, 1, "start a paused hook's jobs again", "", NULL, run_resume,
};
