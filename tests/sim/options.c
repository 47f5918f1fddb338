/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "callbackd/text.h"

enum option_type { OPTION_TEXT, OPTION_DURATION, OPTION_NUMBER, OPTION_FLAG };

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;
    int64_t minimum;
    int64_t maximum;
    const char *argument;
    const char *help;
};

#define AT(member) offsetof(struct sim_options, member)
#define DAY_MS 86400000

static const struct option_row rows[] = {
    {"--listen", OPTION_TEXT, AT(listen), 0, 0, "HOST:PORT",
     "numeric address; port 0: the kernel chooses (127.0.0.1:0)"},
    {"--port-file", OPTION_TEXT, AT(port_file), 0, 0, "FILE", "write the port there when ready"},
    {"--delay", OPTION_DURATION, AT(delay_ms), 0, DAY_MS, "DURATION",
     "from the launch of a run to its result (200ms)"},
    {"--api-key", OPTION_TEXT, AT(api_key), 0, 0, "KEY", "the one that is right (any)"},
    {"--ca-file", OPTION_TEXT, AT(ca_file), 0, 0, "PEM",
     "whom to trust when a callback goes to https (the system's)"},
    {"--seed", OPTION_NUMBER, AT(seed), INT64_MIN, INT64_MAX, "N", "of all that varies (1)"},
    {"--first-id", OPTION_NUMBER, AT(first_id), 1, INT64_MAX, "N",
     "execution id of the first run (1000)"},
    {"--retries", OPTION_NUMBER, AT(retries), 0, 1000000, "N",
     "how often a callback that got no 2xx is posted again (0)"},
    {"--retry-delay", OPTION_DURATION, AT(retry_ms), 0, DAY_MS, "DURATION",
     "between two of them (200ms)"},
    {"--record", OPTION_TEXT, AT(record), 0, 0, "FILE|DIR",
     "append a line of JSON for each callback posted (DIR/sent.jsonl)"},
    {"--senders", OPTION_NUMBER, AT(senders), 1, 512, "N", "callbacks posted at once (32)"},
    {"--connections", OPTION_NUMBER, AT(connections), 1, 1024, "N", "of clients at once (256)"},
    {"--callback-timeout", OPTION_DURATION, AT(callback_timeout_ms), 1, DAY_MS, "DURATION",
     "for one post (30s)"},
    {"--help", OPTION_FLAG, AT(help), 0, 0, "", "this text"},
    {"--version", OPTION_FLAG, AT(version), 0, 0, "", "the version"},
};

static const struct option_row *find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0)
            return &rows[i];
    return NULL;
}

static int set_option(
    struct sim_options *options, const struct option_row *row, const char *value,
    struct error *error)
{
    void *place = (char *)options + row->offset;
    int64_t number = 0;
    bool good = true;
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)place = value;
        return 0;
    case OPTION_DURATION:
        good = text_parse_duration_ms(value, &number);
        break;
    case OPTION_NUMBER:
        good = text_parse_int64(bytes_of_text(value), &number);
        break;
    }
    if (!good || number < row->minimum || number > row->maximum)
        return error_set(
            error, ERROR_USAGE, "%s: '%s' is not %s in range", row->name, value,
            row->type == OPTION_NUMBER ? "a number" : "a duration such as 200ms");
    *(int64_t *)place = number;
    return 0;
}

int sim_options_parse(
    int argument_count, char *const *arguments, struct sim_options *options_out,
    struct error *error)
{
    struct sim_options options = {
        .listen = "127.0.0.1:0",
        .delay_ms = 200,
        .seed = 1,
        .first_id = 1000,
        .retry_ms = 200,
        .senders = 32,
        .connections = 256,
        .callback_timeout_ms = 30000,
    };
    for (int i = 1; i < argument_count; i++) {
        const char *argument = arguments[i];
        size_t length = strcspn(argument, "=");
        const struct option_row *row = find_row(argument, length);
        const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
        if (!row || (row->type == OPTION_FLAG && value))
            return error_set(error, ERROR_USAGE, "unknown option '%s' (see --help)", argument);
        if (row->type != OPTION_FLAG && !value && i + 1 < argument_count)
            value = arguments[++i];
        if (row->type != OPTION_FLAG && !value)
            return error_set(error, ERROR_USAGE, "%s needs %s", row->name, row->argument);
        if (set_option(&options, row, value, error) != 0)
            return -1;
    }
    *options_out = options;
    return 0;
}

void sim_options_print_help(void)
{
    printf("promptlayer-sim: a simulator of the PromptLayer workflow API\n\n"
           "Usage: promptlayer-sim [OPTION]...\n\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].argument);
        printf("  %-30s %s\n", left, rows[i].help);
    }
    printf("\nWhat a run does is chosen by input_variables._sim: see tests/sim/README.md.\n");
}
