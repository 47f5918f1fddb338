/* SPDX-License-Identifier: MIT */
/* Is what is stored what we wrote? Reads everything, so it takes as long as that does. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "callbackd/os.h"
#include "check_private.h"
#include "paths.h"
#include "statement.h"

enum { CACHE_KIB = 8192, FINDING_BYTES = 512, TOLD_MAX = 100 };

void check_found(struct check *check, const char *file, const char *format, ...)
{
    char text[FINDING_BYTES];
    char finding[FINDING_BYTES];
    va_list arguments;

    if (check->figures.findings++ >= TOLD_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; (at = strchr(at, '\n')) != NULL;)
        *at = ' '; /* a finding is a line */
    snprintf(finding, sizeof finding, "%s: %.*s", file, FINDING_BYTES - 64, text);
    check->options->found(check->options->context, finding);
}

bool check_is_stopped(const struct check *check)
{
    return check->options->stop != NULL && atomic_load(check->options->stop);
}

int check_stopped(struct error *error)
{
    return error_set(error, ERROR_BUSY, "the check was told to stop");
}

int check_absorb(struct check *check, const char *file, struct error *error)
{
    if (error->code != ERROR_CORRUPT)
        return -1;
    check_found(check, file, "%s", error->message);
    return 0;
}

static struct db *open_file(
    struct check *check, const char *file, const struct schema *schema, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(check->options->directory, file);
    const struct db_options options = {
        .path = path, .schema = schema, .use = DB_READ, .cache_kib = CACHE_KIB};

    if (path == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a path");
        return NULL;
    }
    return db_open(&options, error);
}

static int run(struct check *check, struct error *error)
{
    check->state = open_file(check, STORE_STATE_FILE, &schema_state, error);
    if (check->state == NULL)
        return check_absorb(check, STORE_STATE_FILE, error);
    check->log = open_file(check, STORE_LOG_FILE, &schema_results, error);
    if (check->log == NULL)
        return check_absorb(check, STORE_LOG_FILE, error);
    if ((check->options->parts & STORE_CHECK_ROWS) != 0 && check_rows(check, error) < 0)
        return -1;
    if ((check->options->parts & STORE_CHECK_STRUCTURE) != 0)
        return check_structure(check, error);
    return 0;
}

int store_check(
    const struct store_check_options *options, struct store_check_figures *figures_out,
    struct error *error)
{
    struct check check = {.options = options};
    struct error own = {0};
    int result = run(&check, &own);

    db_close(check.log);
    db_close(check.state);
    if (result == 0)
        *figures_out = check.figures;
    else if (error != NULL)
        *error = own;
    return result;
}
