/* SPDX-License-Identifier: MIT */
/* backup and check: work on the store itself, beside the daemon or without it. */
#include <stdlib.h>
#include <unistd.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/upkeep.h"
#include "exit_status.h"
#include "verbs.h"

enum {
    NICE = 10, /* senders and hooks go first */
    OUT_BYTES = 1024 * 1024,
    SIZE_BYTES = 32,
    STRUCTURE_TRIES = 3,
};

/* It is this machine that is in the way, whatever the failure would mean to an API. */
static int local_failure(struct error *error)
{
    if (error->code != ERROR_USAGE && error->code != ERROR_CONFIG)
        error->code = ERROR_IO;
    return -1;
}

static const char *store_directory(struct session *session, struct error *error)
{
    if (arguments_have(&session->arguments, OPTION_URL)) {
        error_set(
            error, ERROR_USAGE, "%s works on the daemon's own machine: give --config",
            session->verb->name);
        return NULL;
    }
    const struct config *config = session_config(session, NEED_NO_SECRET, error);
    return config ? config->store.directory : NULL;
}

static void show_progress(void *context, const char *file, int percent)
{
    CLEANUP_BUFFER struct buffer line;
    buffer_init(&line, OUT_BYTES);
    buffer_appendf(&line, "%s %d%%", file, percent);
    display_progress(context, buffer_text(&line));
}

/* ---- backup ---- */

static int report_backup(
    const struct session *session, const char *target, const struct store_backup_figures *figures,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer out;
    CLEANUP_FREE char *directory = realpath(target, NULL);
    buffer_init(&out, OUT_BYTES);
    if (session->display.json) {
        struct json_writer writer;
        json_writer_init(&writer, &out);
        json_object_begin(&writer);
        json_member_text(&writer, "directory", directory ? directory : target);
        json_member_int(&writer, "received", figures->received);
        json_member_int(&writer, "log_size", figures->log_bytes);
        json_member_int(&writer, "state_size", figures->state_bytes);
        json_object_end(&writer);
        buffer_append_char(&out, '\n');
    } else {
        char log[SIZE_BYTES];
        char state[SIZE_BYTES];
        display_size(figures->log_bytes, log, sizeof(log));
        display_size(figures->state_bytes, state, sizeof(state));
        buffer_appendf(
            &out, "%s: a copy with %lld posts (log %s, state %s)\n", directory ? directory : target,
            (long long)figures->received, log, state);
    }
    return display_write_foreign(&session->display, buffer_bytes(&out), error);
}

static int run_backup(struct session *session, struct error *error)
{
    const char *target = session_operand(session, 0);
    struct store_backup_figures figures;
    struct store_backup_options options = {
        .directory = store_directory(session, error),
        .target = target,
        .progress = show_progress,
        .context = &session->display,
    };
    if (!options.directory)
        return -1;
    (void)!nice(NICE);
    int result = store_backup(&options, &figures, error);
    display_progress(&session->display, "");
    if (result != 0)
        return local_failure(error);
    return report_backup(session, target, &figures, error) == 0 ? EXIT_STATUS_DONE : -1;
}

const struct verb verb_backup = {
    "backup",
    "DIR",
    1,
    1,
    "copy the store to a new directory, beside the running daemon",
    "Makes an online copy: a directory that callbackd can be started on as its store.directory, or "
    "that can be put in the place of another. It holds every post that was acknowledged before the "
    "copy began. Works beside a running daemon and with a stopped one. DIR is made for its owner "
    "alone; one that holds a store already is refused.",
    NULL,
    run_backup,
};

/* ---- check ---- */

struct checking {
    struct session *session;
    struct buffer out; /* findings: lines, or the items of a JSON array */
    struct json_writer writer;
    struct store_check_figures figures;
};

static void add_finding(void *context, const char *finding)
{
    struct checking *checking = context;
    if (checking->session->display.json)
        json_text(&checking->writer, finding);
    else
        buffer_appendf(&checking->out, "%s\n", finding);
}

static void show_check(void *context, const char *file, int percent)
{
    struct checking *checking = context;
    show_progress(&checking->session->display, file, percent);
}

/* The structure takes a moment in which little is written; a busy daemon may have one yet. */
static int check(struct checking *checking, const char *directory, struct error *error)
{
    struct store_check_options options = {
        .directory = directory,
        .parts = STORE_CHECK_ROWS,
        .found = add_finding,
        .progress = show_check,
        .context = checking,
    };
    if (store_check(&options, &checking->figures, error) != 0)
        return -1;
    options.parts = STORE_CHECK_STRUCTURE;
    for (int i = 0; i < STRUCTURE_TRIES && !checking->figures.structure_checked; i++) {
        struct store_check_figures figures;
        if (store_check(&options, &figures, error) != 0)
            return -1;
        checking->figures.findings += figures.findings;
        checking->figures.structure_checked = figures.structure_checked || figures.findings > 0;
    }
    return 0;
}

static void write_json(struct checking *checking, struct buffer *out)
{
    const struct store_check_figures *figures = &checking->figures;
    struct json_writer writer;
    json_array_end(&checking->writer);
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    if (figures->findings > 0 || figures->structure_checked)
        json_member_bool(&writer, "sound", figures->findings == 0);
    else
        json_member_null(&writer, "sound");
    json_member_bool(&writer, "structure_checked", figures->structure_checked);
    json_member_int(&writer, "received", figures->received);
    json_member_int(&writer, "results", figures->results);
    json_member_int(&writer, "findings_total", figures->findings);
    json_member_raw(&writer, "findings", buffer_bytes(&checking->out));
    json_object_end(&writer);
    buffer_append_char(out, '\n');
}

static void write_text(const struct checking *checking, struct buffer *out)
{
    const struct store_check_figures *figures = &checking->figures;
    buffer_append_bytes(out, buffer_bytes(&checking->out));
    if (figures->findings > 0)
        buffer_appendf(out, "damaged: %lld findings", (long long)figures->findings);
    else if (figures->structure_checked)
        buffer_append_text(out, "sound");
    else
        buffer_append_text(
            out, "the rows are sound; the structure of the files could not be checked, for too "
                 "much was written meanwhile: try again in a quieter time");
    buffer_appendf(
        out, " (%lld posts, %lld results)\n", (long long)figures->received,
        (long long)figures->results);
}

static int report_check(struct checking *checking, struct error *error)
{
    CLEANUP_BUFFER struct buffer out;
    const struct display *display = &checking->session->display;
    buffer_init(&out, (size_t)2 * OUT_BYTES);
    if (display->json)
        write_json(checking, &out);
    else
        write_text(checking, &out);
    if (display_write_foreign(display, buffer_bytes(&out), error) != 0)
        return -1;
    return checking->figures.structure_checked && checking->figures.findings == 0
               ? EXIT_STATUS_DONE
               : EXIT_STATUS_LOCAL;
}

static int run_check(struct session *session, struct error *error)
{
    const char *directory = session_operand(session, 0);
    if (!directory)
        directory = store_directory(session, error);
    if (!directory)
        return -1;
    struct checking checking = {.session = session};
    buffer_init(&checking.out, OUT_BYTES);
    json_writer_init(&checking.writer, &checking.out);
    if (session->display.json)
        json_array_begin(&checking.writer);
    (void)!nice(NICE);
    int result = check(&checking, directory, error);
    display_progress(&session->display, "");
    result = result == 0 ? report_check(&checking, error) : local_failure(error);
    buffer_fini(&checking.out);
    return result;
}

const struct verb verb_check = {
    "check",
    "[DIR]",
    0,
    1,
    "check that the store, or a copy in DIR, is what was written",
    "Reads everything: bodies against their hashes, results against the log, jobs against results, "
    "and the structure of both files. Prints what is wrong, a line each, and exits with 6 then. "
    "Works beside a running daemon, in short readings; the structure is checked in one reading of "
    "each file, which is broken off (exit 6 too) when too much is written meanwhile.",
    NULL,
    run_check,
};
