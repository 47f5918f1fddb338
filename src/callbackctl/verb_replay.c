/* SPDX-License-Identifier: MIT */
/* Replays: of one result, or of all that a filter finds. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "exit_status.h"
#include "hook_note.h"
#include "listing.h"
#include "verbs.h"

enum { PATH_BYTES = 16 * 1024, CURSOR_BYTES = 256, SLICE_TIMEOUT_MS = 120000 };

static const struct option_row replay_options[] = {
    {OPTION_HOOK, "hook", "NAME",
     "only this hook; with RESULT, whether its conditions hold or not"},
    {OPTION_SINCE, "since", "TIME", "in place of RESULT: all received since 2h (ago), or a time"},
    {OPTION_UNTIL, "until", "TIME", "those received before, spelled as --since"},
    {OPTION_STATUS, "status", "STATUS", "those of this status"},
    {OPTION_ENDPOINT, "endpoint", "NAME", "those of this endpoint"},
    {OPTION_WORKFLOW, "workflow", "NAME", "those of this workflow"},
    {OPTION_EXECUTION_ID, "execution-id", "N", "those of this execution"},
    {OPTION_YES, "yes", NULL, "do not ask whether so many should be replayed"},
    {OPTION_DRY_RUN, "dry-run", NULL, "only say how many a filter finds"},
    {OPTION_END, NULL, NULL, NULL},
};

static const struct list_filter replay_filters[] = {
    {OPTION_SINCE, "since", "since", FILTER_TIME},
    {OPTION_UNTIL, "until", "until", FILTER_TIME},
    {OPTION_STATUS, "status", "status", FILTER_TEXT},
    {OPTION_ENDPOINT, "endpoint", "endpoint", FILTER_TEXT},
    {OPTION_WORKFLOW, "workflow", "workflow", FILTER_TEXT},
    {OPTION_EXECUTION_ID, "execution-id", "execution_id", FILTER_NUMBER},
};

static const struct list_column replay_columns[] = {
    {"JOB", "id", CELL_TEXT},
    {"HOOK", "hook", CELL_TEXT},
};
static const struct listing replay_listing = {
    .path = "/api/v1/results/replay",
    .items = "jobs",
    .columns = replay_columns,
    .column_count = COUNT_OF(replay_columns),
    .filters = replay_filters,
    .filter_count = COUNT_OF(replay_filters),
    .none = "no hook's conditions hold for this result: nothing runs",
};

/* ---- one ---- */

static int replay_one(struct session *session, struct error *error)
{
    const char *id = session_operand_id(session, 0, error);
    const char *hook = arguments_value(&session->arguments, OPTION_HOOK);
    CLEANUP_BUFFER struct buffer path;
    struct admin_answer answer = {0};
    buffer_init(&path, PATH_BYTES);
    if (!id)
        return -1;
    buffer_append_text(&path, "/api/v1/results");
    admin_add_segment(&path, id);
    buffer_append_text(&path, "/replay");
    if (hook)
        admin_add_query(&path, "hook", hook);
    if (buffer_failed(&path))
        return error_set(error, ERROR_USAGE, "the name is too long");
    struct admin_client *admin = session_admin(session, error);
    struct admin_call call = {.method = "POST", .path = buffer_text(&path)};
    if (!admin || admin_call(admin, &call, &answer, error) != 0)
        return -1;
    int status = listing_print(session, &replay_listing, &answer, error);
    if (status == EXIT_STATUS_DONE && answer.document)
        hook_note_say(session, NULL, json_get(json_root(answer.document), replay_listing.items));
    admin_answer_fini(&answer);
    return status;
}

/* ---- all that a filter finds ---- */

struct counts {
    int64_t results;
    int64_t jobs;
};

/* One slice; `cursor` is where it starts, and then where the next one does: empty at the end. */
static int replay_slice(
    struct admin_client *admin, const char *filter, bool dry_run, struct buffer *cursor,
    struct counts *counts, struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    struct admin_answer answer = {0};
    int64_t results = 0;
    int64_t jobs = 0;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, filter);
    if (dry_run)
        admin_add_query(&path, "dry_run", "true");
    if (cursor->length > 0)
        admin_add_query(&path, "cursor", buffer_text(cursor));
    if (buffer_failed(&path))
        return error_set(error, ERROR_USAGE, "the filters are too long");
    struct admin_call call = {
        .method = "POST", .path = buffer_text(&path), .timeout_ms = SLICE_TIMEOUT_MS};
    if (admin_call(admin, &call, &answer, error) != 0)
        return -1;
    const struct json *root = answer.document ? json_root(answer.document) : NULL;
    bool fits = json_get_int64(answer.document, json_get(root, "results"), &results) &&
                json_get_int64(answer.document, json_get(root, "jobs"), &jobs);
    const char *next = json_get_text(json_get(root, "next_cursor"));
    buffer_clear(cursor);
    if (next)
        buffer_append_text(cursor, next);
    admin_answer_fini(&answer);
    if (!fits)
        return error_set(error, ERROR_REFUSED, "the daemon's answer makes no sense");
    counts->results += results;
    counts->jobs += jobs;
    return 0;
}

static int replay_slices(
    const struct session *session, struct admin_client *admin, const char *filter, bool dry_run,
    struct counts *counts, struct error *error)
{
    CLEANUP_BUFFER struct buffer cursor;
    CLEANUP_BUFFER struct buffer progress;
    int outcome;
    buffer_init(&cursor, CURSOR_BYTES);
    buffer_init(&progress, CURSOR_BYTES);
    *counts = (struct counts){0};
    do {
        outcome = replay_slice(admin, filter, dry_run, &cursor, counts, error);
        buffer_clear(&progress);
        buffer_appendf(
            &progress, "%s %" PRId64 " jobs of %" PRId64 " results", dry_run ? "counted" : "queued",
            counts->jobs, counts->results);
        display_progress(&session->display, buffer_text(&progress));
    } while (outcome == 0 && cursor.length > 0);
    display_progress(&session->display, "");
    return outcome;
}

/* Is there a person, and does that person agree? */
static bool is_agreed(void)
{
    char answer = 0;
    char rest = 0;
    fputs("Replay them? [y/N] ", stderr);
    if (read(STDIN_FILENO, &answer, 1) != 1)
        return false;
    for (rest = answer; rest != '\n' && read(STDIN_FILENO, &rest, 1) == 1;)
        ;
    return answer == 'y' || answer == 'Y';
}

static int say_counts(
    const struct session *session, const struct counts *counts, bool replayed, struct error *error)
{
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, CURSOR_BYTES);
    if (!session->display.json) {
        if (replayed)
            display_note(
                "%" PRId64 " job%s queued", counts->jobs, counts->jobs == 1 ? " is" : "s are");
        return EXIT_STATUS_DONE;
    }
    buffer_appendf(
        &out, "{\"results\":%" PRId64 ",\"jobs\":%" PRId64 ",\"replayed\":%s}\n", counts->results,
        counts->jobs, replayed ? "true" : "false");
    return display_write(buffer_bytes(&out), error) == 0 ? EXIT_STATUS_DONE : -1;
}

static int replay_counted(
    struct session *session, struct admin_client *admin, const char *filter,
    const struct counts *found, struct error *error)
{
    struct counts counts;
    if (found->jobs == 0 || arguments_have(&session->arguments, OPTION_DRY_RUN))
        return say_counts(session, found, false, error);
    if (!arguments_have(&session->arguments, OPTION_YES)) {
        if (!session->display.error_terminal || !isatty(STDIN_FILENO))
            return error_set(error, ERROR_USAGE, "nobody can be asked here: add --yes to do it");
        if (!is_agreed())
            return say_counts(session, found, false, error);
    }
    if (replay_slices(session, admin, filter, false, &counts, error) != 0) {
        display_note("%" PRId64 " jobs were queued before that", counts.jobs);
        return -1;
    }
    return say_counts(session, &counts, true, error);
}

/* Where to look, the same for the count and for what follows: nothing that comes in meanwhile. */
static int make_filter(struct session *session, struct buffer *path, struct error *error)
{
    const char *hook = arguments_value(&session->arguments, OPTION_HOOK);
    char now[CLOCK_RFC3339_BYTES];
    size_t bare;
    buffer_append_text(path, replay_listing.path);
    bare = path->length;
    if (listing_query(&replay_listing, session, path, error) != 0)
        return -1;
    if (path->length == bare)
        return error_set(
            error, ERROR_USAGE, "say which RESULT, or which of them: --since 2h, for example");
    if (!arguments_have(&session->arguments, OPTION_UNTIL)) {
        clock_format_rfc3339(session->display.now_ms, now);
        admin_add_query(path, "until", now);
    }
    if (hook)
        admin_add_query(path, "hook", hook);
    return 0;
}

static int replay_many(struct session *session, struct error *error)
{
    CLEANUP_BUFFER struct buffer filter;
    struct counts found;
    buffer_init(&filter, PATH_BYTES);
    if (make_filter(session, &filter, error) != 0)
        return -1;
    struct admin_client *admin = session_admin(session, error);
    if (!admin || replay_slices(session, admin, buffer_text(&filter), true, &found, error) != 0)
        return -1;
    if (!session->display.json)
        display_note(
            "%" PRId64 " result%s found, for which hooks would get %" PRId64 " job%s",
            found.results, found.results == 1 ? "" : "s", found.jobs, found.jobs == 1 ? "" : "s");
    return replay_counted(session, admin, buffer_text(&filter), &found, error);
}

static int run_replay(struct session *session, struct error *error)
{
    if (!session_operand(session, 0))
        return replay_many(session, error);
    for (size_t i = 0; i < COUNT_OF(replay_filters); i++)
        if (arguments_have(&session->arguments, replay_filters[i].option))
            return error_set(
                error, ERROR_USAGE, "say either which RESULT, or --%s", replay_filters[i].name);
    if (arguments_have(&session->arguments, OPTION_DRY_RUN))
        return error_set(
            error, ERROR_USAGE,
            "--dry-run counts what a filter finds; a RESULT by its id would be replayed");
    return replay_one(session, error);
}

const struct verb verb_replay = {
    "replay",
    "[RESULT]",
    0,
    1,
    "run hooks again: for one result, or for all that a filter finds",
    "Without RESULT, those that the filter finds are counted, and replayed, oldest first, when you "
    "say so (--yes where nobody can be asked). Only hooks that would take a result get it; a "
    "single RESULT given with --hook goes to that hook whatever its conditions say.\n\n"
    "The commands see CALLBACK_REPLAY=1.",
    replay_options,
    run_replay,
};
