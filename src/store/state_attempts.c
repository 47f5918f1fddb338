/* SPDX-License-Identifier: MIT */
/* Attempts: what each start of a hook came to. */
#include "state_private.h"

enum { NO_EXIT_CODE = -1 };

static void bind_end(struct statement *statement, const struct attempt_record *attempt)
{
    statement_bind_optional(statement, attempt->ended_at_ms != 0, attempt->ended_at_ms);
    statement_bind_text(statement, attempt_outcome_name(attempt->outcome));
    bool has_code = attempt->outcome == ATTEMPT_EXIT && attempt->exit_code >= 0;
    statement_bind_optional(statement, has_code, attempt->exit_code);
    statement_bind_optional(statement, attempt->signal != 0, attempt->signal);
    statement_bind_text(statement, attempt->message);
    statement_bind_int64(statement, attempt->output_truncated);
    statement_bind_blob(statement, attempt->standard_output);
    statement_bind_blob(statement, attempt->standard_error);
}

int state_attempt_insert(
    struct state_tx *tx, const struct id *job, const struct attempt_record *attempt,
    struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT INTO attempts (ended_at, outcome, exit_code, signal, message, output_truncated,"
            " standard_output, standard_error, number, started_at, job_seq)"
            " SELECT ?,?,?,?,?,?,?,?,?,?, seq FROM jobs"
            " WHERE seq = coalesce(?, (SELECT seq FROM jobs WHERE id = ?))",
            error) < 0)
        return -1;
    bind_end(&statement, attempt);
    statement_bind_int64(&statement, attempt->number);
    statement_bind_int64(&statement, attempt->started_at_ms);
    statement_bind_optional(&statement, attempt->job_seq != 0, attempt->job_seq);
    statement_bind_id(&statement, job);
    return run_on_one(&statement, "job", error);
}

int state_attempt_update(
    struct state_tx *tx, const struct id *job, const struct attempt_record *attempt,
    struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE attempts SET ended_at = ?, outcome = ?, exit_code = ?, signal = ?, message = ?,"
            " output_truncated = ?, standard_output = ?, standard_error = ?"
            " WHERE job_seq = coalesce(?, (SELECT seq FROM jobs WHERE id = ?)) AND number = ?",
            error) < 0)
        return -1;
    bind_end(&statement, attempt);
    statement_bind_optional(&statement, attempt->job_seq != 0, attempt->job_seq);
    statement_bind_id(&statement, job);
    statement_bind_int64(&statement, attempt->number);
    return run_on_one(&statement, "attempt", error);
}

static int read_attempt(
    const struct statement *row, struct attempt_record *attempt_out, struct error *error)
{
    *attempt_out = (struct attempt_record){
        .number = (int)statement_int64(row, 0),
        .started_at_ms = statement_int64(row, 1),
        .ended_at_ms = statement_int64(row, 2),
        .exit_code = statement_is_null(row, 4) ? NO_EXIT_CODE : (int)statement_int64(row, 4),
        .signal = (int)statement_int64(row, 5),
        .message = statement_text_or_null(row, 6),
        .output_truncated = statement_bool(row, 7),
        .standard_output = statement_bytes(row, 8),
        .standard_error = statement_bytes(row, 9),
    };
    if (!attempt_outcome_parse(statement_text(row, 3), &attempt_out->outcome))
        return bad_name(row, 3, "outcome of an attempt", error);
    return 0;
}

int state_attempt_list(
    struct state_tx *tx, const struct id *job, attempt_visitor *visit, void *context,
    struct error *error)
{
    STATEMENT rows = {0};
    struct attempt_record attempt;
    int stepped;

    if (statement_open(
            &rows, tx->db,
            "SELECT number, started_at, ended_at, outcome, exit_code, signal, message,"
            " output_truncated, standard_output, standard_error FROM attempts"
            " WHERE job_seq = (SELECT seq FROM jobs WHERE id = ?) ORDER BY number",
            error) < 0)
        return -1;
    statement_bind_id(&rows, job);
    while ((stepped = statement_step(&rows, error)) == 1) {
        int stopped = read_attempt(&rows, &attempt, error);

        if (stopped == 0)
            stopped = visit(context, &attempt);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
}
