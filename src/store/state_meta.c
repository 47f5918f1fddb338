/* SPDX-License-Identifier: MIT */
/* The numbers in `meta`. */
#include "state_private.h"

int state_number_get(struct state_tx *tx, const char *name, int64_t *value_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, tx->db, "SELECT value FROM meta WHERE name = ?", error) < 0)
        return -1;
    statement_bind_text(&row, name);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    *value_out = stepped == 1 ? statement_int64(&row, 0) : 0;
    return 0;
}

int state_number_set(struct state_tx *tx, const char *name, int64_t value, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db, "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", error) <
        0)
        return -1;
    statement_bind_text(&statement, name);
    statement_bind_int64(&statement, value);
    return statement_run(&statement, error);
}

/* ---- cursor ---- */

int state_cursor_get(struct state_tx *tx, int64_t *seq_out, struct error *error)
{
    return state_number_get(tx, "cursor", seq_out, error);
}

int state_cursor_set(struct state_tx *tx, int64_t seq, struct error *error)
{
    return state_number_set(tx, "cursor", seq, error);
}

int state_rejected_cursor_get(struct state_tx *tx, int64_t *seq_out, struct error *error)
{
    return state_number_get(tx, "rejected_cursor", seq_out, error);
}

int state_rejected_cursor_set(struct state_tx *tx, int64_t seq, struct error *error)
{
    return state_number_set(tx, "rejected_cursor", seq, error);
}

int state_stream_family_get(struct state_tx *tx, int64_t *family_out, struct error *error)
{
    return state_number_get(tx, "stream_family", family_out, error);
}

int state_stream_family_set(struct state_tx *tx, int64_t family, struct error *error)
{
    return state_number_set(tx, "stream_family", family, error);
}

/* ---- in use ---- */

int state_mark_open(struct state_tx *tx, bool *unclean_out, struct error *error)
{
    int64_t was_open;

    if (state_number_get(tx, "open", &was_open, error) < 0 ||
        state_number_set(tx, "open", 1, error) < 0)
        return -1;
    *unclean_out = was_open != 0;
    return 0;
}

int state_mark_closed(struct state_tx *tx, struct error *error)
{
    return state_number_set(tx, "open", 0, error);
}
