/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <stdio.h>

#include "callbackd/text.h"
#include "display.h"
#include "exit_status.h"
#include "help.h"
#include "options.h"
#include "session.h"
#include "verbs.h"

static const struct option_row version_option[] = {
    {OPTION_VERSION, "version", NULL, "print the version"},
    {OPTION_END, NULL, NULL, NULL},
};

static int find_verb(struct session *session, struct error *error)
{
    const char *name = session_operand(session, 0);
    if (!name)
        return error_set(error, ERROR_USAGE, "what to do is missing (callbackctl --help)");
    session->verb = verb_find(name);
    if (session->verb)
        return 0;
    const struct verb *nearest = verb_nearest(name);
    if (nearest)
        return error_set(
            error, ERROR_USAGE, "there is no verb \"%s\" (did you mean %s?)", name, nearest->name);
    return error_set(error, ERROR_USAGE, "there is no verb \"%s\" (callbackctl --help)", name);
}

/* An option whose value may be missing takes it with '=' only: "--wait 5s" is an operand too many.
 * NULL: there is none on the command line without its value. */
static const struct option_row *option_without_value(const struct session *session)
{
    const struct option_row *row = session->verb->options;
    for (; row && row->id != OPTION_END; row++)
        if (option_value_is_optional(row) && arguments_have(&session->arguments, row->id) &&
            !arguments_value(&session->arguments, row->id))
            return row;
    return NULL;
}

static int refuse_surplus(const struct session *session, struct error *error)
{
    const struct option_row *option = option_without_value(session);
    const char *word;
    int64_t duration_ms;
    for (size_t i = 0; option && (word = session_operand(session, i)); i++)
        if (text_parse_duration_ms(word, &duration_ms))
            return error_set(
                error, ERROR_USAGE, "%s: \"%s\" is too much (did you mean --%s=%s?)",
                session->verb->name, word, option->name, word);
    return 0;
}

static int check_operands(const struct session *session, struct error *error)
{
    const struct verb *verb = session->verb;
    size_t count = session->arguments.operand_count;
    if (count >= verb->operands_min && count <= verb->operands_max)
        return 0;
    if (count > verb->operands_max && refuse_surplus(session, error) != 0)
        return -1;
    const char *wrong = count < verb->operands_min ? "something is missing" : "that is too much";
    return error_set(
        error, ERROR_USAGE, "%s: %s (usage: callbackctl %s%s%s%s)", verb->name, wrong, verb->name,
        verb->options ? " [OPTIONS]" : "", verb->operands[0] == '\0' ? "" : " ", verb->operands);
}

/* The exit status, or -1. */
static int run(struct session *session, int argc, char **argv, struct error *error)
{
    struct arguments *arguments = &session->arguments;
    if (arguments_parse(arguments, argc, argv, version_option, options_of_all, true, error) != 0)
        return -1;
    if (arguments_have(arguments, OPTION_VERSION)) {
        puts("callbackctl " CALLBACKD_VERSION);
        return EXIT_STATUS_DONE;
    }
    if (arguments->operand_count == 0 && arguments_have(arguments, OPTION_HELP))
        return help_print_all(error);
    if (find_verb(session, error) != 0)
        return -1;
    int rest = (int)arguments->operand_count;
    if (arguments_parse(
            arguments, rest, arguments->operands, session->verb->options, options_of_all, false,
            error) != 0)
        return error_prefix(error, "%s", session->verb->name);
    if (arguments_have(arguments, OPTION_HELP))
        return help_print_verb(session->verb, error);
    if (check_operands(session, error) != 0)
        return -1;
    display_init(&session->display, arguments_have(arguments, OPTION_JSON));
    return session->verb->run(session, error);
}

int program_run(int argc, char **argv)
{
    struct session session = {0};
    struct error error = {0};
    int status = run(&session, argc, argv, &error);
    session_fini(&session);
    if (status >= 0)
        return status;
    display_note("%s", error.message);
    return (int)exit_status_of(&error);
}
