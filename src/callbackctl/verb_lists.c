/* SPDX-License-Identifier: MIT */
/* The verbs that only list: runs, results, jobs, hooks, rejected. */
#include <string.h>

#include "listing.h"
#include "verbs.h"

#define LIMIT_OPTION                                                                               \
    {                                                                                              \
        OPTION_LIMIT, "limit", "N", "show at most so many"                                         \
    }
#define CURSOR_OPTION                                                                              \
    {                                                                                              \
        OPTION_CURSOR, "cursor", "CURSOR", "go on where an earlier list ended (its next_cursor)"   \
    }
#define NO_MORE_OPTIONS                                                                            \
    {                                                                                              \
        OPTION_END, NULL, NULL, NULL                                                               \
    }

#define LIMIT_FILTER                                                                               \
    {                                                                                              \
        OPTION_LIMIT, "limit", "limit", FILTER_NUMBER                                              \
    }
#define CURSOR_FILTER                                                                              \
    {                                                                                              \
        OPTION_CURSOR, "cursor", "cursor", FILTER_TEXT                                             \
    }

/* ---- runs ---- */

static const struct option_row runs_options[] = {
    {OPTION_STATE, "state", "STATE",
     "launching, waiting, completed, overdue, lost or launch_failed"},
    {OPTION_WORKFLOW, "workflow", "NAME", "runs of this workflow"},
    LIMIT_OPTION,
    CURSOR_OPTION,
    NO_MORE_OPTIONS,
};
static const struct list_filter runs_filters[] = {
    {OPTION_STATE, "state", "state", FILTER_TEXT},
    {OPTION_WORKFLOW, "workflow", "workflow", FILTER_TEXT},
    LIMIT_FILTER,
    CURSOR_FILTER,
};
static const struct list_column runs_columns[] = {
    {"RUN", "run_id", CELL_TEXT},           {"STATE", "state", CELL_STATUS},
    {"WORKFLOW", "workflow", CELL_TEXT},    {"EXECUTION", "execution_id", CELL_TEXT},
    {"LAUNCHED", "launched_at", CELL_TIME}, {"DEADLINE", "deadline_at", CELL_TIME},
    {"RESULT", "result_id", CELL_TEXT},
};
static const struct listing runs_listing = {
    .path = "/api/v1/runs",
    .items = "items",
    .columns = runs_columns,
    .column_count = COUNT_OF(runs_columns),
    .filters = runs_filters,
    .filter_count = COUNT_OF(runs_filters),
    .none = "there are no such runs",
};

static int run_runs(struct session *session, struct error *error)
{
    return listing_run(session, &runs_listing, error);
}

const struct verb verb_runs = {
    "runs", "", 0, 0, "list the runs of the ledger, newest first", "", runs_options, run_runs,
};

/* ---- results ---- */

static const struct option_row results_options[] = {
    {OPTION_STATUS, "status", "STATUS",
     "success, failed, running, truncated, mismatch or received"},
    {OPTION_ENDPOINT, "endpoint", "NAME", "results of this endpoint"},
    {OPTION_WORKFLOW, "workflow", "NAME", "results of this workflow"},
    {OPTION_EXECUTION_ID, "execution-id", "N", "results of this execution"},
    {OPTION_SINCE, "since", "TIME", "received since: 2h (ago), or 2026-11-23T18:00:00Z"},
    {OPTION_UNTIL, "until", "TIME", "received before, spelled as --since"},
    LIMIT_OPTION,
    CURSOR_OPTION,
    NO_MORE_OPTIONS,
};
static const struct list_filter results_filters[] = {
    {OPTION_STATUS, "status", "status", FILTER_TEXT},
    {OPTION_ENDPOINT, "endpoint", "endpoint", FILTER_TEXT},
    {OPTION_WORKFLOW, "workflow", "workflow", FILTER_TEXT},
    {OPTION_EXECUTION_ID, "execution-id", "execution_id", FILTER_NUMBER},
    {OPTION_SINCE, "since", "since", FILTER_TIME},
    {OPTION_UNTIL, "until", "until", FILTER_TIME},
    LIMIT_FILTER,
    CURSOR_FILTER,
};
static const struct list_column results_columns[] = {
    {"RESULT", "id", CELL_TEXT},
    {"RECEIVED", "received_at", CELL_TIME},
    {"ENDPOINT", "endpoint", CELL_TEXT},
    {"WORKFLOW", "workflow", CELL_TEXT},
    {"EXECUTION", "execution_id", CELL_TEXT},
    {"STATUS", "status", CELL_STATUS},
    {"SIZE", "size", CELL_SIZE},
    {"REVISION", "revision", CELL_NUMBER},
};
static const struct listing results_listing = {
    .path = "/api/v1/results",
    .items = "items",
    .columns = results_columns,
    .column_count = COUNT_OF(results_columns),
    .filters = results_filters,
    .filter_count = COUNT_OF(results_filters),
    .none = "there are no such results",
};

static int run_results(struct session *session, struct error *error)
{
    return listing_run(session, &results_listing, error);
}

const struct verb verb_results = {
    "results", "", 0, 0, "list what was received, newest first", "", results_options, run_results,
};

/* ---- jobs ---- */

static const struct option_row jobs_options[] = {
    {OPTION_HOOK, "hook", "NAME", "jobs of this hook"},
    {OPTION_STATE, "state", "STATE", "waiting, running, retrying, succeeded, dead or cancelled"},
    {OPTION_RESULT, "result", "ID", "jobs of this result"},
    LIMIT_OPTION,
    CURSOR_OPTION,
    NO_MORE_OPTIONS,
};
static const struct list_filter jobs_filters[] = {
    {OPTION_HOOK, "hook", "hook", FILTER_TEXT},
    {OPTION_STATE, "state", "state", FILTER_TEXT},
    {OPTION_RESULT, "result", "result_id", FILTER_ID},
    LIMIT_FILTER,
    CURSOR_FILTER,
};
static const struct list_column jobs_columns[] = {
    {"JOB", "id", CELL_TEXT},
    {"HOOK", "hook", CELL_TEXT},
    {"STATE", "state", CELL_STATUS},
    {"ATTEMPTS", "attempts_made", CELL_NUMBER},
    {"CREATED", "created_at", CELL_TIME},
    {"NEXT", "next_at", CELL_TIME},
    {"ENDED", "ended_at", CELL_TIME},
    {"RESULT", "result_id", CELL_TEXT},
};
const struct listing jobs_listing = {
    .path = "/api/v1/jobs",
    .items = "items",
    .columns = jobs_columns,
    .column_count = COUNT_OF(jobs_columns),
    .filters = jobs_filters,
    .filter_count = COUNT_OF(jobs_filters),
    .none = "there are no such jobs",
};

static int run_jobs(struct session *session, struct error *error)
{
    return listing_run(session, &jobs_listing, error);
}

const struct verb verb_jobs = {
    "jobs", "", 0, 0, "list the jobs of hooks, newest first", "", jobs_options, run_jobs,
};

/* ---- hooks ---- */

static const struct list_column hooks_columns[] = {
    {"HOOK", "name", CELL_TEXT},
    {"STATE", "state", CELL_STATUS},
    {"ENDPOINT", "endpoint", CELL_TEXT},
    {"WAITING", "waiting", CELL_NUMBER},
    {"RUNNING", "running", CELL_NUMBER},
    {"SUCCEEDED", "succeeded", CELL_NUMBER},
    {"DEAD", "dead", CELL_NUMBER},
    {"OLDEST WAITING", "oldest_waiting_at", CELL_TIME},
    {"RECENT OK", "recent_success_rate", CELL_SHARE},
    {"P50", "recent_p50_ms", CELL_MILLISECONDS},
    {"P99", "recent_p99_ms", CELL_MILLISECONDS},
};
static const struct listing hooks_listing = {
    .path = "/api/v1/hooks",
    .items = "items",
    .columns = hooks_columns,
    .column_count = COUNT_OF(hooks_columns),
    .none = "the configuration has no hooks",
};

static void say_gone(const struct json_document *document)
{
    const struct json *items = json_get(json_root(document), hooks_listing.items);
    for (const struct json *item = json_first(items); item; item = json_next(item)) {
        const char *state = json_get_text(json_get(item, "state"));
        const char *name = json_get_text(json_get(item, "name"));
        if (state && name && strcmp(state, "gone") == 0)
            display_note(
                "jobs wait for the hook %s, which is not configured: configure it again, or give "
                "them up with callbackctl cancel --hook %s",
                name, name);
    }
}

static int run_hooks(struct session *session, struct error *error)
{
    struct admin_client *admin = session_admin(session, error);
    struct admin_answer answer;
    if (!admin || admin_get(admin, hooks_listing.path, &answer, error) != 0)
        return -1;
    int status = listing_print(session, &hooks_listing, &answer, error);
    if (status == 0 && answer.document && !session->display.json)
        say_gone(answer.document);
    admin_answer_fini(&answer);
    return status;
}

const struct verb verb_hooks = {
    "hooks",
    "",
    0,
    0,
    "list the hooks with their queues",
    "A hook is active or paused; one that is gone is not configured, but jobs wait for it. Of the "
    "latest attempts (up to 400) the last columns say which share succeeded, and how long half of "
    "them, and 99 of 100, took at most.",
    NULL,
    run_hooks,
};

/* ---- rejected ---- */

static const struct option_row rejected_options[] = {
    LIMIT_OPTION,
    CURSOR_OPTION,
    NO_MORE_OPTIONS,
};
static const struct list_filter rejected_filters[] = {
    LIMIT_FILTER,
    CURSOR_FILTER,
};
static const struct list_column rejected_columns[] = {
    {"REJECTED", "id", CELL_TEXT},       {"RECEIVED", "received_at", CELL_TIME},
    {"ENDPOINT", "endpoint", CELL_TEXT}, {"FROM", "remote_address", CELL_TEXT},
    {"RUN", "run_id", CELL_TEXT},        {"ANSWER", "status", CELL_NUMBER},
    {"SIZE", "size", CELL_SIZE},         {"REASON", "reason", CELL_TEXT},
};
static const struct listing rejected_listing = {
    .path = "/api/v1/rejected",
    .items = "items",
    .columns = rejected_columns,
    .column_count = COUNT_OF(rejected_columns),
    .filters = rejected_filters,
    .filter_count = COUNT_OF(rejected_filters),
    .none = "nothing was rejected",
};

static int run_rejected(struct session *session, struct error *error)
{
    return listing_run(session, &rejected_listing, error);
}

const struct verb verb_rejected = {
    "rejected",
    "",
    0,
    0,
    "list the latest refused posts, with the reason",
    "With --json the headers and the start of each body are there too.",
    rejected_options,
    run_rejected,
};
