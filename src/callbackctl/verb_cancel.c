/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "callbackd/os.h"
#include "exit_status.h"
#include "listing.h"
#include "verbs.h"

enum { PATH_BYTES = 4096 };

static const struct option_row cancel_options[] = {
    {OPTION_HOOK, "hook", "NAME", "in place of JOB: all jobs that wait for this hook"},
    {OPTION_END, NULL, NULL, NULL},
};

static int cancel(
    struct admin_client *admin, const char *id, struct admin_answer *answer_out,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/jobs");
    admin_add_segment(&path, id);
    buffer_append_text(&path, "/cancel");
    struct admin_call call = {.method = "POST", .path = buffer_text(&path)};
    return admin_call(admin, &call, answer_out, error);
}

/* ---- one job ---- */

static int cancel_one(struct session *session, struct error *error)
{
    static const char *const skip[] = {"attempts", NULL};
    const char *id = session_operand_id(session, 0, error);
    struct admin_client *admin = id ? session_admin(session, error) : NULL;
    struct admin_answer answer = {0};
    if (!admin || cancel(admin, id, &answer, error) != 0)
        return -1;
    const struct json *root = answer.document ? json_root(answer.document) : NULL;
    const char *state = json_get_text(json_get(root, "state"));
    int status = answer_show(session, &answer, skip, error);
    if (state && strcmp(state, "running") == 0)
        display_note("it runs, and is being ended");
    admin_answer_fini(&answer);
    return status;
}

/* ---- all jobs that wait for a hook ---- */

/* Those that have started or ended meanwhile are not waiting any more. */
static int cancel_items(
    struct admin_client *admin, const struct json *items, int64_t *count, struct error *error)
{
    for (const struct json *item = json_first(items); item; item = json_next(item)) {
        const char *id = json_get_text(json_get(item, "id"));
        struct admin_answer answer;
        if (!id)
            continue;
        if (cancel(admin, id, &answer, error) == 0) {
            admin_answer_fini(&answer);
            ++*count;
        } else if (error->code != ERROR_CONFLICT) {
            return -1;
        }
    }
    return 0;
}

/* One page. `cursor` is that of the page, and then of the next one: empty at the end. */
static int cancel_page(
    struct admin_client *admin, const char *hook, const char *state, struct buffer *cursor,
    int64_t *count, struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    struct admin_answer answer;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/jobs");
    admin_add_query(&path, "hook", hook);
    admin_add_query(&path, "state", state);
    admin_add_query(&path, "limit", "1000");
    if (cursor->length > 0)
        admin_add_query(&path, "cursor", buffer_text(cursor));
    if (buffer_failed(&path))
        return error_set(error, ERROR_USAGE, "the name is too long");
    if (admin_get(admin, buffer_text(&path), &answer, error) != 0)
        return -1;
    const struct json *root = answer.document ? json_root(answer.document) : NULL;
    const char *next = json_get_text(json_get(root, "next_cursor"));
    buffer_clear(cursor);
    if (next)
        buffer_append_text(cursor, next);
    int result = cancel_items(admin, json_get(root, "items"), count, error);
    admin_answer_fini(&answer);
    return result;
}

/* A name that nobody has is a slip of the pen: nothing was cancelled of what was meant. */
static int expect_hook(struct admin_client *admin, const char *hook, struct error *error)
{
    struct admin_answer answer;
    if (admin_get(admin, "/api/v1/hooks", &answer, error) != 0)
        return -1;
    const struct json *items =
        answer.document ? json_get(json_root(answer.document), "items") : NULL;
    bool found = false;
    for (const struct json *item = json_first(items); item && !found; item = json_next(item)) {
        const char *name = json_get_text(json_get(item, "name"));
        found = name && strcmp(name, hook) == 0;
    }
    admin_answer_fini(&answer);
    return found
               ? 0
               : error_set(
                     error, ERROR_NOT_FOUND, "no hook is named %s, and no job waits for it", hook);
}

static int cancel_all(struct session *session, const char *hook, struct error *error)
{
    static const char *const states[] = {"waiting", "retrying"};
    struct admin_client *admin = session_admin(session, error);
    CLEANUP_BUFFER struct buffer cursor;
    buffer_init(&cursor, PATH_BYTES);
    int64_t count = 0;
    if (!admin)
        return -1;
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        do
            if (cancel_page(admin, hook, states[i], &cursor, &count, error) != 0)
                return -1;
        while (cursor.length > 0);
    }
    if (count == 0 && expect_hook(admin, hook, error) != 0)
        return -1;
    if (!session->display.json) {
        display_note("%" PRId64 " job%s cancelled", count, count == 1 ? " is" : "s are");
        return EXIT_STATUS_DONE;
    }
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, PATH_BYTES);
    buffer_appendf(&out, "{\"cancelled\":%" PRId64 "}\n", count);
    return display_write(buffer_bytes(&out), error) == 0 ? EXIT_STATUS_DONE : -1;
}

static int run_cancel(struct session *session, struct error *error)
{
    const char *hook = arguments_value(&session->arguments, OPTION_HOOK);
    if (!hook == !session_operand(session, 0))
        return error_set(error, ERROR_USAGE, "say either which JOB, or --hook NAME");
    return hook ? cancel_all(session, hook, error) : cancel_one(session, error);
}

const struct verb verb_cancel = {
    "cancel",
    "[JOB]",
    0,
    1,
    "cancel a job, or all that wait for a hook",
    "A running job is ended. With --hook, those that run go on.",
    cancel_options,
    run_cancel,
};
