/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "callbackd/os.h"
#include "display.h"
#include "exit_status.h"
#include "help.h"
#include "verbs.h"

static const size_t help_bytes_max = (size_t)1 << 20;

static int print(const struct buffer *text, struct error *error)
{
    if (buffer_failed(text))
        return error_set(error, ERROR_MEMORY, "no memory for the help");
    return display_write(buffer_bytes(text), error);
}

int help_print_all(struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, help_bytes_max);
    help_append_all(&text);
    return print(&text, error);
}

int help_print_verb(const struct verb *verb, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, help_bytes_max);
    help_append_verb(verb, &text);
    return print(&text, error);
}

static const struct option_row help_options[] = {
    {OPTION_MAN, "man", NULL, "print the man page (roff)"},
    {OPTION_COMPLETION, "completion", NULL, "print the completion for bash"},
    {OPTION_END, NULL, NULL, NULL},
};

static int run_help(struct session *session, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, help_bytes_max);
    const char *name = session_operand(session, 0);
    const struct verb *verb = name ? verb_find(name) : NULL;
    if (name && !verb)
        return error_set(error, ERROR_USAGE, "there is no verb \"%s\"", name);
    if (arguments_have(&session->arguments, OPTION_MAN))
        help_append_man(&text);
    else if (arguments_have(&session->arguments, OPTION_COMPLETION))
        help_append_completion(&text);
    else if (verb)
        help_append_verb(verb, &text);
    else
        help_append_all(&text);
    return print(&text, error);
}

const struct verb verb_help = {
    "help", "[VERB]", 0, 1, "say what a verb does and takes", "", help_options, run_help,
};
