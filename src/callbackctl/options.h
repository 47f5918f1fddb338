/* SPDX-License-Identifier: MIT */
/*
 * The command line's options: tables of rows say what there is, arguments_parse
 * reads by them. The same rows make the help, the man page and the completion.
 *
 * Threads: the main one only (getopt_long has state of its own).
 */
#ifndef CALLBACKCTL_OPTIONS_H
#define CALLBACKCTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/error.h"

/* One name has one id, whichever verbs take it. */
enum option_id {
    OPTION_END = 0,
    OPTION_CONFIG = 1000, /* above every letter that getopt_long could return */
    OPTION_URL,
    OPTION_TOKEN_FILE,
    OPTION_CA_FILE,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_PUBLIC_URL,
    OPTION_PORT,
    OPTION_ADMIN_PORT,
    OPTION_MISSING,
    OPTION_INPUT,
    OPTION_INPUT_JSON,
    OPTION_INPUTS,
    OPTION_METADATA,
    OPTION_LABEL,
    OPTION_VERSION_NUMBER,
    OPTION_ALL_OUTPUTS,
    OPTION_DEADLINE,
    OPTION_ENDPOINT,
    OPTION_TAG,
    OPTION_IDEMPOTENCY_KEY,
    OPTION_WAIT,
    OPTION_NO_CALLBACK,
    OPTION_CALLBACK_URL,
    OPTION_OFFLINE,
    OPTION_DRY_RUN,
    OPTION_TIMEOUT,
    OPTION_STATUS,
    OPTION_STATE,
    OPTION_WORKFLOW,
    OPTION_EXECUTION_ID,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_LIMIT,
    OPTION_CURSOR,
    OPTION_BODY,
    OPTION_OUTPUT,
    OPTION_NODE,
    OPTION_HOOK,
    OPTION_YES,
    OPTION_HEADER,
    OPTION_FOLLOW,
    OPTION_RESULT,
    OPTION_REGISTER,
    OPTION_PATH,
    OPTION_ADDRESS,
    OPTION_AT,
    OPTION_MAN,
    OPTION_COMPLETION
};

struct option_row {
    enum option_id id;   /* OPTION_END ends a table */
    const char *name;    /* without the dashes */
    const char *value;   /* what stands for its value: "FILE"; "[DURATION]" when it may be left
                            out; NULL: it takes none */
    const char *summary; /* one line, lower case, no full stop */
};

/* Does it take a value, and must it? */
bool option_takes_value(const struct option_row *row);
bool option_value_is_optional(const struct option_row *row);

/* Options that every verb takes. */
extern const struct option_row options_of_all[];

struct argument {
    enum option_id id;
    const char *value; /* NULL when none was given */
};

/* What a command line says. Values and operands are borrowed from argv. */
struct arguments {
    struct argument *items; /* in the order given */
    size_t count;
    char **operands; /* in argv */
    size_t operand_count;
};

/*
 * Reads argv[1..argc-1] by the tables (NULL is an absent one) and adds to `arguments`, which
 * the caller zeroed at first. With `stop_at_operand` it stops at the first operand; otherwise
 * options and operands may be mixed, and "--" ends the options. -1: ERROR_USAGE.
 */
int arguments_parse(
    struct arguments *arguments, int argc, char **argv, const struct option_row *first,
    const struct option_row *second, bool stop_at_operand, struct error *error);
void arguments_fini(struct arguments *arguments);

bool arguments_have(const struct arguments *arguments, enum option_id id);
/* The value of the last one given; NULL when there is none. */
const char *arguments_value(const struct arguments *arguments, enum option_id id);

/* A value as what it must be; `value_out` stays as it is when the option is absent.
 * -1: ERROR_USAGE, naming the option by `name`. */
int arguments_int(
    const struct arguments *arguments, enum option_id id, const char *name, int64_t low,
    int64_t high, int64_t *value_out, struct error *error);
int arguments_duration_ms(
    const struct arguments *arguments, enum option_id id, const char *name, int64_t *ms_out,
    struct error *error);

#endif
