/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

const struct option_row options_of_all[] = {
    {OPTION_CONFIG, "config", "FILE",
     "the daemon's configuration, on the same machine (/etc/callbackd/callbackd.json)"},
    {OPTION_URL, "url", "URL", "the daemon's admin address, instead of a configuration"},
    {OPTION_TOKEN_FILE, "token-file", "FILE", "holds the admin token, with --url"},
    {OPTION_CA_FILE, "ca-file", "FILE", "certificate authority (PEM) for an https admin address"},
    {OPTION_JSON, "json", NULL, "print JSON instead of tables"},
    {OPTION_HELP, "help", NULL, "print help"},
    {OPTION_END, NULL, NULL, NULL},
};

bool option_takes_value(const struct option_row *row)
{
    return row->value != NULL;
}

bool option_value_is_optional(const struct option_row *row)
{
    return row->value && row->value[0] == '[';
}

static size_t count_rows(const struct option_row *rows)
{
    size_t count = 0;
    while (rows && rows[count].id != OPTION_END)
        count++;
    return count;
}

static void fill_long_options(struct option *out, const struct option_row *rows)
{
    for (size_t i = 0; rows && rows[i].id != OPTION_END; i++) {
        int has_value = no_argument;
        if (option_takes_value(&rows[i]))
            has_value = option_value_is_optional(&rows[i]) ? optional_argument : required_argument;
        out[i] = (struct option){rows[i].name, has_value, NULL, (int)rows[i].id};
    }
}

static const struct option_row *find_row(
    const struct option_row *first, const struct option_row *second, int id)
{
    const struct option_row *const tables[] = {first, second};
    for (size_t t = 0; t < 2; t++) {
        for (const struct option_row *row = tables[t]; row && row->id != OPTION_END; row++) {
            if ((int)row->id == id)
                return row;
        }
    }
    return NULL;
}

static void nearest_in(
    const struct option_row *rows, const char *name, const char **best, size_t *best_distance)
{
    for (; rows && rows->id != OPTION_END; rows++) {
        size_t distance = text_distance(name, rows->name);
        if (distance < *best_distance) {
            *best_distance = distance;
            *best = rows->name;
        }
    }
}

/* `word` is what stood on the command line: "--inptu=x". */
static int unknown_option(
    const char *word, const struct option_row *first, const struct option_row *second,
    struct error *error)
{
    const char *name = word + strspn(word, "-");
    CLEANUP_FREE char *bare = strndup(name, strcspn(name, "="));
    const char *best = NULL;
    size_t distance = 4; /* further away is no typing mistake */
    if (bare) {
        nearest_in(first, bare, &best, &distance);
        nearest_in(second, bare, &best, &distance);
    }
    if (best)
        return error_set(
            error, ERROR_USAGE, "there is no option --%s (did you mean --%s?)", bare, best);
    return error_set(error, ERROR_USAGE, "there is no option %s", word);
}

static int add_argument(
    struct arguments *arguments, enum option_id id, const char *value, struct error *error)
{
    size_t bytes = (arguments->count + 1) * sizeof(struct argument);
    struct argument *items = realloc(arguments->items, bytes);
    if (!items)
        return error_set(error, ERROR_MEMORY, "no memory for the command line");
    arguments->items = items;
    items[arguments->count++] = (struct argument){id, value};
    return 0;
}

static int explain_failure(
    int found, char **argv, const struct option_row *first, const struct option_row *second,
    struct error *error)
{
    const struct option_row *row = find_row(first, second, optopt);
    if (found == ':' && row)
        return error_set(error, ERROR_USAGE, "--%s needs a value: %s", row->name, row->value);
    if (row)
        return error_set(error, ERROR_USAGE, "--%s takes no value", row->name);
    if (optopt > 0 && optopt < OPTION_CONFIG)
        return error_set(error, ERROR_USAGE, "there is no option -%c", optopt);
    return unknown_option(argv[optind - 1], first, second, error);
}

int arguments_parse(
    struct arguments *arguments, int argc, char **argv, const struct option_row *first,
    const struct option_row *second, bool stop_at_operand, struct error *error)
{
    size_t first_count = count_rows(first);
    CLEANUP_FREE struct option *table =
        calloc(first_count + count_rows(second) + 1, sizeof(*table));
    if (!table)
        return error_set(error, ERROR_MEMORY, "no memory for the command line");
    fill_long_options(table, first);
    fill_long_options(table + first_count, second);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    int found;
    while ((found = getopt_long(argc, argv, stop_at_operand ? "+:h" : ":h", table, NULL)) != -1) {
        if (found == 'h')
            found = OPTION_HELP;
        if (found == '?' || found == ':')
            return explain_failure(found, argv, first, second, error);
        if (add_argument(arguments, (enum option_id)found, optarg, error) != 0)
            return -1;
    }
    arguments->operands = argv + optind;
    arguments->operand_count = (size_t)(argc - optind);
    return 0;
}

void arguments_fini(struct arguments *arguments)
{
    free(arguments->items);
    *arguments = (struct arguments){0};
}

static const struct argument *find_last(const struct arguments *arguments, enum option_id id)
{
    for (size_t i = arguments->count; i > 0; i--) {
        if (arguments->items[i - 1].id == id)
            return &arguments->items[i - 1];
    }
    return NULL;
}

bool arguments_have(const struct arguments *arguments, enum option_id id)
{
    return find_last(arguments, id) != NULL;
}

const char *arguments_value(const struct arguments *arguments, enum option_id id)
{
    const struct argument *argument = find_last(arguments, id);
    return argument ? argument->value : NULL;
}

int arguments_int(
    const struct arguments *arguments, enum option_id id, const char *name, int64_t low,
    int64_t high, int64_t *value_out, struct error *error)
{
    const char *text = arguments_value(arguments, id);
    int64_t value = 0;
    if (!text)
        return 0;
    if (!text_parse_int64(bytes_of_text(text), &value) || value < low || value > high)
        return error_set(
            error, ERROR_USAGE, "--%s: \"%s\" is not a number from %" PRId64 " to %" PRId64, name,
            text, low, high);
    *value_out = value;
    return 0;
}

int arguments_duration_ms(
    const struct arguments *arguments, enum option_id id, const char *name, int64_t *ms_out,
    struct error *error)
{
    const char *text = arguments_value(arguments, id);
    if (text && !text_parse_duration_ms(text, ms_out))
        return error_set(
            error, ERROR_USAGE, "--%s: \"%s\" is not a duration such as 30s, 10m or 2h", name,
            text);
    return 0;
}
