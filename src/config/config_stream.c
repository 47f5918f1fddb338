/* SPDX-License-Identifier: MIT */
/* Hooks with "mode": "stream". */
#include "config_private.h"

enum { IN_FLIGHT_MAX = 100000 };

/* A field; a brace that is written twice stands for itself. */
static bool has_field(const char *template)
{
    const char *name;
    size_t length;
    if (config_template_fault(template, &name, &length))
        return false; /* that is said already */
    for (const char *c = template; *c; c++) {
        if ((*c == '{' || *c == '}') && c[1] == *c)
            c++;
        else if (*c == '{')
            return true;
    }
    return false;
}

/* It is started before there is a job. */
static void check_arguments(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    const struct config_place list = config_member(place, "command");
    size_t index = 0;
    for (const struct json *value = json_first(list.value); value; value = json_next(value)) {
        const struct config_place element = config_element(&list, index++, value);
        const char *text = json_get_text(value);
        /* The program takes none either, and that is said already. */
        if (hook->command && index > 1 && text && has_field(text))
            config_problem(
                reader, &element,
                "takes a field, but a stream is started once for many jobs (remove it: each job's "
                "line tells that)");
    }
}

static void refuse_given(
    struct config_reader *reader, const struct config_place *place, const char *key,
    const char *why)
{
    const struct config_place member = config_member(place, key);
    if (config_is_given(place, key))
        config_problem(reader, &member, "%s", why);
}

void config_check_stream(
    struct config_reader *reader, const struct config_place *place, const struct config_hook *hook)
{
    static const char only_streams[] =
        "is for a hook with \"mode\": \"stream\" (remove it, or add that)";
    static const char answers[] =
        "does not fit a hook with \"mode\": \"stream\": each answer says \"ok\", \"retry\" or "
        "\"fail\" (remove it)";
    if (hook->mode == MODE_STREAM && hook->http.enabled) {
        refuse_given(
            reader, place, "mode",
            "\"stream\" is for commands, and this hook posts on (remove it)");
        return;
    }
    if (hook->mode != MODE_STREAM) {
        refuse_given(reader, place, "window", only_streams);
        refuse_given(reader, place, "body", only_streams);
        return;
    }
    check_arguments(reader, place, hook);
    refuse_given(reader, place, "retry_on", answers);
    refuse_given(reader, place, "fail_on", answers);
    const struct config_place window = config_member(place, "window");
    if ((int64_t)hook->window * hook->concurrency > IN_FLIGHT_MAX)
        config_problem(
            reader, &window, "times concurrency is more than %d jobs in flight (lower one of them)",
            IN_FLIGHT_MAX);
}
