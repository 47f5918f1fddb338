/* SPDX-License-Identifier: MIT */
#include "hook_note.h"

#include "callbackd/text.h"

enum { PATIENCE_MS = 5000 };

static bool is_of_hook(const struct json *job, const char *hook)
{
    const char *name = json_get_text(json_get(job, "hook"));
    return name && strcmp(name, hook) == 0;
}

static bool is_wanted(const struct json *job, const struct json *jobs, const char *hook)
{
    if (is_of_hook(job, hook))
        return true;
    for (const struct json *at = json_first(jobs); at; at = json_next(at))
        if (is_of_hook(at, hook))
            return true;
    return false;
}

static void say(const char *hook, const char *state)
{
    if (strcmp(state, "paused") == 0)
        display_note("the hook %s is paused: it waits until callbackctl resume %s", hook, hook);
    else if (strcmp(state, "gone") == 0)
        display_note("the hook %s is not configured: it waits until it is again", hook);
}

void hook_note_say(struct session *session, const struct json *job, const struct json *jobs)
{
    struct error error = {0};
    struct admin_answer answer = {0};
    struct admin_client *admin = session->display.json ? NULL : session_admin(session, &error);
    struct admin_call call = {.path = "/api/v1/hooks", .timeout_ms = PATIENCE_MS};
    if (!admin || admin_call(admin, &call, &answer, &error) != 0)
        return;
    const struct json *hooks =
        answer.document ? json_get(json_root(answer.document), "items") : NULL;
    for (const struct json *at = json_first(hooks); at; at = json_next(at)) {
        const char *name = json_get_text(json_get(at, "name"));
        const char *state = json_get_text(json_get(at, "state"));
        if (name && state && is_wanted(job, jobs, name))
            say(name, state);
    }
    admin_answer_fini(&answer);
}
