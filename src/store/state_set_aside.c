/* SPDX-License-Identifier: MIT */
/* Entries of the log that could not be taken in and never can be. */
#include "state_private.h"

int state_set_aside(struct state_tx *tx, const struct set_aside_record *record, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT OR REPLACE INTO set_aside (seq, endpoint, received_at, set_aside_at, reason)"
            " VALUES (?, ?, ?, ?, ?)",
            error) < 0)
        return -1;
    statement_bind_int64(&statement, record->seq);
    statement_bind_text(&statement, record->endpoint);
    statement_bind_int64(&statement, record->received_at_ms);
    statement_bind_int64(&statement, record->set_aside_at_ms);
    statement_bind_text(&statement, record->reason);
    return statement_run(&statement, error);
}

int state_set_aside_list(
    struct state_tx *tx, int limit, set_aside_visitor *visit, void *context, struct error *error)
{
    STATEMENT rows = {0};
    int stepped;

    if (statement_open(
            &rows, tx->db,
            "SELECT seq, endpoint, received_at, set_aside_at, reason FROM set_aside"
            " WHERE seq > 0 ORDER BY seq DESC LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_int64(&rows, limit);
    while ((stepped = statement_step(&rows, error)) == 1) {
        const struct set_aside_record record = {
            .seq = statement_int64(&rows, 0),
            .endpoint = statement_text(&rows, 1),
            .received_at_ms = statement_int64(&rows, 2),
            .set_aside_at_ms = statement_int64(&rows, 3),
            .reason = statement_text(&rows, 4),
        };
        int stopped = visit(context, &record);

        if (stopped != 0)
            return stopped;
    }
    return stepped;
}
