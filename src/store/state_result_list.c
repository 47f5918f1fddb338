/* SPDX-License-Identifier: MIT */
/* Lists of results, by any of their filters, from an index that has their order. */
#include "state_private.h"

/* The index of the condition that usually leaves the fewest rows; the others are then tested row
 * by row. Said explicitly: without statistics SQLite would guess. */
static const char *result_list_start(const struct result_filter *filter)
{
    bool common_status = filter->status == STATUS_SUCCESS || filter->status == STATUS_RECEIVED;

#define START(index) "SELECT " RESULT_COLUMNS " FROM results INDEXED BY " index
    if (filter->run != NULL)
        return START("results_run");
    if (filter->has_execution_id)
        return START("results_execution");
    if (filter->pending == 1)
        return START("results_pending");
    if (filter->status >= 0 && !common_status)
        return START("results_status");
    if (filter->workflow != NULL)
        return START("results_workflow");
    if (filter->endpoint != NULL)
        return START("results_endpoint");
    if (filter->status >= 0)
        return START("results_status");
    return START("results_received");
#undef START
}

static void add_conditions(const struct result_filter *filter, struct list_query *query)
{
    if (filter->run != NULL)
        list_query_id(query, "run_id = ?", filter->run);
    if (filter->has_execution_id)
        list_query_int64(query, "execution_id = ?", filter->execution_id);
    if (filter->status >= 0)
        list_query_text(
            query, "status = ?", result_status_name((enum result_status)filter->status));
    if (filter->workflow != NULL)
        list_query_text(query, "workflow = ?", filter->workflow);
    if (filter->endpoint != NULL)
        list_query_text(query, "endpoint = ?", filter->endpoint);
    /* The other bound is part of where the walk starts. */
    if (filter->since_ms != 0 && !filter->oldest_first)
        list_query_int64(query, "received_at >= ?", filter->since_ms);
    if (filter->until_ms != 0 && filter->oldest_first)
        list_query_int64(query, "received_at < ?", filter->until_ms);
}

void result_list_query(
    const struct result_filter *filter, const struct position *start, struct list_query *query)
{
    bool up = filter->oldest_first;

    list_query_init(query, result_list_start(filter));
    add_conditions(filter, query);
    list_query_int64(
        query, up ? "(received_at, seq) > (?, ?)" : "(received_at, seq) < (?, ?)", start->at_ms);
    list_query_parameter(query, start->seq);
    if (filter->pending >= 0)
        list_query_append(query, filter->pending ? " AND pending = 1" : " AND pending = 0");
    list_query_append(
        query,
        up ? " ORDER BY received_at, seq LIMIT ?" : " ORDER BY received_at DESC, seq DESC LIMIT ?");
    list_query_parameter(query, filter->limit);
}

static int position_by_id(
    struct db *db, const struct id *id, const char *sql, struct position *position_out,
    struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, db, sql, error) < 0)
        return -1;
    statement_bind_id(&row, id);
    stepped = statement_step(&row, error);
    if (stepped == 1)
        *position_out = (struct position){statement_int64(&row, 0), statement_int64(&row, 1)};
    return stepped;
}

/* After a row that retention has removed meanwhile, the list goes on with the next older id, or,
 * the other way around, with what comes after that. */
static int cursor_position(
    struct db *db, const struct id *before, bool oldest_first, struct position *position_out,
    struct error *error)
{
    int found = position_by_id(
        db, before, "SELECT received_at, seq FROM results WHERE id = ?", position_out, error);

    if (found != 0)
        return found < 0 ? -1 : 0;
    *position_out = (struct position){INT64_MIN, 0};
    found = position_by_id(
        db, before, "SELECT received_at, seq FROM results WHERE id < ? ORDER BY id DESC LIMIT 1",
        position_out, error);
    if (found == 1 && !oldest_first)
        position_out->seq++;
    return found < 0 ? -1 : 0;
}

static int list_start(
    struct db *db, const struct result_filter *filter, struct position *start_out,
    struct error *error)
{
    *start_out = filter->oldest_first ? (struct position){INT64_MIN, INT64_MIN}
                                      : (struct position){INT64_MAX, INT64_MAX};
    if (filter->before != NULL &&
        cursor_position(db, filter->before, filter->oldest_first, start_out, error) < 0)
        return -1;
    if (filter->oldest_first) {
        if (filter->since_ms != 0 && filter->since_ms > start_out->at_ms)
            *start_out = (struct position){filter->since_ms, INT64_MIN};
        return 0;
    }
    if (filter->until_ms != 0 && filter->until_ms <= start_out->at_ms)
        *start_out = (struct position){filter->until_ms, INT64_MIN};
    return 0;
}

int state_result_list(
    struct state_tx *tx, const struct result_filter *filter, result_record_visitor *visit,
    void *context, struct error *error)
{
    STATEMENT rows = {0};
    struct list_query query;
    struct position start;

    if (list_start(tx->db, filter, &start, error) < 0)
        return -1;
    result_list_query(filter, &start, &query);
    if (list_query_open(&query, &rows, tx->db, error) < 0)
        return -1;
    return visit_results(&rows, visit, context, error);
}
