/* SPDX-License-Identifier: MIT */
/* What the files of the state share. */
#ifndef CALLBACKD_STORE_STATE_PRIVATE_H
#define CALLBACKD_STORE_STATE_PRIVATE_H

#include "callbackd/state.h"
#include "group_commit.h"
#include "reader_pool.h"
#include "statement.h"
#include "writer.h"

/* Where a walk through a list stands: rows before this one come next. */
struct position {
    int64_t at_ms;
    int64_t seq;
};

/* How far the wall clock was ahead of the queue's, at the least: in the period at hand and in the
 * one before it. */
struct age_clock {
    int64_t since_ms; /* queue's clock: when the period began; 0: not read yet */
    int64_t ahead_ms;
    int64_t ahead_before_ms;
};

struct state {
    char *path;
    struct writer writer;
    struct group_commit *group;
    struct reader_pool readers;
    int64_t clock_offset_ms; /* the queue's clock less CLOCK_BOOTTIME; set when it is opened */
    int64_t clock_boot;      /* which boot that is of; 0: not known */
    int64_t clock_noted_ms;  /* committer only: when the clock was last noted */
    /* The owner's thread only: what it is, and what is in the database. */
    struct age_clock age;
    struct age_clock age_written;
    /* Committer only: where the last slice of retention stopped. */
    struct position result_retention;
    struct position run_retention;
};

enum { JOB_COUNT_CHANGES = 32 };

/* What a transaction has changed of job_counts and not written yet: one row for each hook and
 * state, however many jobs moved. */
struct job_count_changes {
    struct job_count_change {
        char *hook;
        enum job_state state;
        int64_t jobs;
    } items[JOB_COUNT_CHANGES];
    size_t count;
};

/* A transaction: the connection that is in it. */
struct state_tx {
    struct state *state;
    struct db *db;
    struct job_count_changes changes;
};

/* So many more (or fewer) jobs of the hook are in that state. */
int job_counts_change(
    struct state_tx *tx, const char *hook, enum job_state state, int64_t jobs, struct error *error);
/* Writes the changes; at the end of a transaction, and before counts are read in it. */
int job_counts_write(struct state_tx *tx, struct error *error);
void job_counts_fini(struct state_tx *tx);

enum { LIST_SQL_BYTES = 1024, LIST_PARAMETERS = 12 };

/* A query for a list, built from those conditions that its filter has. */
struct list_query {
    char sql[LIST_SQL_BYTES];
    size_t length;
    bool has_condition;
    struct list_parameter {
        enum { LIST_INT64, LIST_TEXT, LIST_ID } type;
        int64_t number;
        const char *text; /* borrowed, as is the id */
        const struct id *id;
    } parameters[LIST_PARAMETERS];
    int parameter_count;
};

/* `start` is everything up to WHERE, without it. */
void list_query_init(struct list_query *query, const char *start);
/* A condition with one question mark. */
void list_query_int64(struct list_query *query, const char *condition, int64_t number);
void list_query_text(struct list_query *query, const char *condition, const char *text);
void list_query_id(struct list_query *query, const char *condition, const struct id *id);
/* A condition without, or any other text. */
void list_query_append(struct list_query *query, const char *text);
/* One more parameter for a condition or text that was appended. */
void list_query_parameter(struct list_query *query, int64_t number);
int list_query_open(
    const struct list_query *query, struct statement *statement, struct db *db,
    struct error *error);

/* Finds out the offset of the queue's clock; with the committer running. */
int state_clock_start(struct state *state, struct error *error);

/* A number in `meta`; 0 where it is not there yet. */
int state_number_get(
    struct state_tx *tx, const char *name, int64_t *value_out, struct error *error);
int state_number_set(struct state_tx *tx, const char *name, int64_t value, struct error *error);

/* As the indexes runs_ended and jobs_line have it, to the letter: SQLite knows them by that. */
#define RUN_HAS_ENDED "(state = 'completed' OR state = 'lost' OR state = 'launch_failed')"
#define JOB_IS_IN_LINE "(state = 'waiting' OR state = 'retrying' OR state = 'running')"

#define RESULT_COLUMNS                                                                             \
    "seq, id, endpoint, key, kind, execution_id, run_id, workflow, event, status, pending, "       \
    "triggered,"                                                                                   \
    " source, revision, duplicates, received_at, remote_address, verified_by, content_type,"       \
    " size, sha256"
/* Visits rows of RESULT_COLUMNS. */
int visit_results(
    struct statement *rows, result_record_visitor *visit, void *context, struct error *error);

/* The queries as lists use them; the test of the query plans reads them too. */
void run_list_query(const struct run_filter *filter, int64_t before_seq, struct list_query *query);
void result_list_query(
    const struct result_filter *filter, const struct position *start, struct list_query *query);
void job_list_query(const struct job_filter *filter, int64_t before_seq, struct list_query *query);

/* The seq before which a list goes on after the row `before` (NULL: from the newest). `exact` and
 * `nearest` are queries by id giving seq: of that row, or if it is gone of the next older one. */
int list_before_seq(
    struct db *db, const struct id *before, const char *exact, const char *nearest,
    int64_t *seq_out, struct error *error);

/* Runs a statement that changes one row. ERROR_NOT_FOUND when it changed none. */
int run_on_one(struct statement *statement, const char *what, struct error *error);

/* Texts of records that are filled for a caller: a copy, or NULL and *failed set. */
char *record_text(const char *text, bool *failed);
/* ERROR_MEMORY. */
int record_failed(struct error *error);

bool attempt_outcome_parse(const char *name, enum attempt_outcome *outcome_out);
/* ERROR_CORRUPT: a column holds a name that is none. */
int bad_name(const struct statement *row, int column, const char *what, struct error *error);

#endif
